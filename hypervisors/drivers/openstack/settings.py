"""How an OpenStack is reached and what machines get there when nothing else is said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import openstack.config
from openstack.exceptions import ConfigException

from hypervisors.drivers.base import Setting
from hypervisors.drivers.hops import BASTION, HEADNODE, hop_settings
from olimpus.errors import Misconfigured
from olimpus.words import gettext as _
from olimpus.words import gettext_noop

#: Headings.
ACCESS, MACHINES = gettext_noop("Access"), gettext_noop("Machines")

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "cloud",
        gettext_noop("Cloud of clouds.yaml"),
        help=gettext_noop("Name of an entry; what is given below wins over it."),
        group=ACCESS,
        example="campus",
    ),
    Setting(
        "auth_url",
        gettext_noop("URL of Keystone"),
        help=gettext_noop("Empty settings are taken from the environment: OPENSTACK_AUTH_URL, OPENSTACK_USERNAME…"),
        group=ACCESS,
        example="https://cloud.example.org:5000/v3",
    ),
    Setting("username", gettext_noop("User"), group=ACCESS, example="olimpus"),
    Setting("password", gettext_noop("Password"), secret=True, group=ACCESS),
    Setting(
        "application_credential_id",
        gettext_noop("Application credential"),
        help=gettext_noop("Its id, instead of user and password."),
        group=ACCESS,
    ),
    Setting(
        "application_credential_secret", gettext_noop("Secret of the application credential"), secret=True, group=ACCESS
    ),
    Setting("project_name", gettext_noop("Project"), group=ACCESS, example="olimpus"),
    Setting("user_domain_name", gettext_noop("Domain of the user"), group=ACCESS, example="Default"),
    Setting("project_domain_name", gettext_noop("Domain of the project"), group=ACCESS, example="Default"),
    Setting("region_name", gettext_noop("Region"), group=ACCESS, example="RegionOne"),
    Setting(
        "interface",
        gettext_noop("Endpoints"),
        "choice",
        "public",
        choices=("public", "internal", "admin"),
        help=gettext_noop("Which URLs of the service catalog are used."),
        group=ACCESS,
    ),
    Setting(
        "verify",
        gettext_noop("Verify TLS certificates"),
        "bool",
        True,
        help=gettext_noop("Switch it off for a laboratory only."),
        group=ACCESS,
    ),
    Setting(
        "ca_cert",
        gettext_noop("CA certificates"),
        help=gettext_noop("A file (PEM) on this server, for a private authority."),
        group=ACCESS,
        example="/etc/ssl/campus-ca.pem",
    ),
    Setting(
        "console_hosts",
        gettext_noop("Hosts of consoles"),
        help=gettext_noop(
            "Where its console proxies are, if neither in the catalog nor in the domain of a host there."
        ),
        group=ACCESS,
        example="console.example.net",
    ),
    Setting(
        "timeout",
        gettext_noop("Timeout (seconds)"),
        "float",
        60.0,
        minimum=1,
        maximum=600,
        help=gettext_noop("How long one answer may take."),
        group=ACCESS,
    ),
    Setting(
        "scope",
        gettext_noop("What is listed"),
        "choice",
        "cloud",
        choices=("cloud", "project"),
        help=gettext_noop("cloud: the machines of all projects, if the account may see them; project: its own."),
        group=MACHINES,
    ),
    Setting(
        "flavor_policy",
        gettext_noop("Sizes without a flavor"),
        "choice",
        "create",
        choices=("create", "fitting", "exact"),
        help=gettext_noop(
            "create: make the flavor, or take the cheapest that fits if the account may not; "
            "fitting: take the cheapest that fits; exact: refuse."
        ),
        group=MACHINES,
    ),
    Setting(
        "created_power",
        gettext_noop("Power of a new machine"),
        "choice",
        "off",
        choices=("off", "on"),
        help=gettext_noop("OpenStack starts what it creates; off: it is switched off at once."),
        group=MACHINES,
    ),
    Setting(
        "external_network",
        gettext_noop("External network"),
        help=gettext_noop("Routers of networks of type nat or public lead there. Empty: the only one there is."),
        group=MACHINES,
        example="public",
    ),
    Setting(
        "default_network",
        gettext_noop("Network by default"),
        help=gettext_noop("For network cards that name none."),
        group=MACHINES,
        example="campus",
    ),
    *hop_settings("bastion", BASTION, "bastion.example.org"),
    *hop_settings("headnode", HEADNODE, "192.168.201.1"),
)

#: Settings that fall back to the environment, and the variable of each.
ENVIRONMENT: Final[Mapping[str, str]] = {
    name: f"OPENSTACK_{name.upper()}"
    for name in (
        "auth_url",
        "username",
        "password",
        "project_name",
        "user_domain_name",
        "project_domain_name",
        "region_name",
    )
}


def account(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with everything filled in: the record first, then the entry of clouds.yaml, then the environment.

    `auth` and `auth_type` are what keystoneauth needs to sign in. `Misconfigured` when something that is needed is missing.
    """
    found = dict(values)
    entry = _entry(str(values.get("cloud") or ""))
    for name in ("region_name", "interface", "verify", "ca_cert"):
        if name in entry and found.get(name) in (None, "", _default(name)):
            found[name] = entry[name]
    auth = dict(entry.get("auth", {}))
    for name in ("auth_url", "username", "password", "project_name", "user_domain_name", "project_domain_name"):
        auth[name] = found.get(name) or auth.get(name) or os.environ.get(ENVIRONMENT[name], "")
    if found.get("project_name"):
        auth.pop("project_id", None)
    found["region_name"] = found.get("region_name") or os.environ.get(ENVIRONMENT["region_name"], "")
    credential = found.get("application_credential_id") or auth.get("application_credential_id")
    if credential:
        secret = found.get("application_credential_secret") or auth.get("application_credential_secret", "")
        auth = {
            "auth_url": auth["auth_url"],
            "application_credential_id": credential,
            "application_credential_secret": secret,
        }
    _require(auth)
    return found | {"auth": auth, "auth_type": "v3applicationcredential" if credential else "v3password"}


def _entry(cloud: str) -> dict[str, Any]:
    """The entry of clouds.yaml in our words; empty without a name."""
    if not cloud:
        return {}
    try:
        region = openstack.config.OpenStackConfig().get_one(cloud=cloud)
    except ConfigException as error:
        hint = _("Set OS_CLIENT_CONFIG_FILE, or put clouds.yaml into ~/.config/openstack.")
        raise Misconfigured(str(error), where="cloud", hint=hint) from None
    verify, _cert = region.get_requests_verify_args()
    entry = {"auth": {name: value for name, value in region.config["auth"].items() if value}}
    entry |= {"region_name": region.region_name, "interface": region.get_interface() or "public"}
    return entry | ({"verify": verify} if isinstance(verify, bool) else {"verify": True, "ca_cert": verify})


def _default(name: str) -> Any:
    return next(setting.default for setting in SETTINGS if setting.name == name)


def _require(auth: dict[str, Any]) -> None:
    """`Misconfigured` naming the first setting without which nobody can sign in; domains are “Default” when not said."""
    if "application_credential_id" in auth:
        needed = ("auth_url", "application_credential_secret")
    else:
        project = "project_id" if auth.get("project_id") else "project_name"
        needed = ("auth_url", "username", "password", project)
        for domain in ("user_domain", "project_domain"):
            if not auth.get(f"{domain}_id"):
                auth[f"{domain}_name"] = auth[f"{domain}_name"] or "Default"
    for name in needed:
        if not auth.get(name):
            hint = _("Give it in the settings, in clouds.yaml or as %(variable)s.")
            told = {"variable": ENVIRONMENT.get(name, f"OPENSTACK_{name.upper()}")}
            raise Misconfigured(_("The setting “%(name)s” is missing.") % {"name": name}, where=name, hint=hint % told)
