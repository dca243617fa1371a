"""Settings of the SSH hosts on the way into a closed network, the same for every technology that may be behind some."""

from __future__ import annotations

from hypervisors.drivers.base import Setting
from olimpus.words import gettext_noop

#: Headings.
BASTION, HEADNODE = gettext_noop("Bastion (SSH jump host)"), gettext_noop("Head node (second hop)")


def hop_settings(prefix: str, group: str, example: str) -> tuple[Setting, ...]:
    """The settings of one SSH hop; it is used when its host is given."""
    return (
        Setting(f"{prefix}_host", gettext_noop("Host"), group=group, example=example),
        Setting(f"{prefix}_port", gettext_noop("Port"), "int", 22, minimum=1, maximum=65535, group=group),
        Setting(f"{prefix}_user", gettext_noop("User"), group=group, example="olimpus"),
        Setting(
            f"{prefix}_key",
            gettext_noop("Private key"),
            secret=True,
            help=gettext_noop("Its text (PEM). Without a key and a key file, an SSH agent is asked."),
            group=group,
        ),
        Setting(f"{prefix}_passphrase", gettext_noop("Passphrase of the private key"), secret=True, group=group),
        Setting(
            f"{prefix}_key_file",
            gettext_noop("File of the private key"),
            help=gettext_noop("A path on this server, instead of the text."),
            group=group,
        ),
        Setting(
            f"{prefix}_host_key",
            gettext_noop("Host key"),
            help=gettext_noop("As in a known_hosts file: type and key; or its fingerprint (SHA256:…)."),
            group=group,
            example="ssh-ed25519 AAAA…",
        ),
        Setting(
            f"{prefix}_accept_new_host_key",
            gettext_noop("Accept a new host key"),
            "bool",
            False,
            help=gettext_noop("Trust the key that is met first, and only that one from then on."),
            group=group,
        ),
    )
