"""What people may see and change on a cloud beside machines: rights, journal, and what is known afterwards.

All doors come here. Looking at the catalogue (flavors, images, zones) is for everybody; all the rest for the managers of the
hypervisor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, BinaryIO, Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from hypervisors import inventory
from hypervisors.actions import require_manager, require_superuser
from hypervisors.drivers.cloud import Attachment, Cloud, Image, Network, Project, Volume, VolumeSnapshot
from hypervisors.flavors import PREDEFINED
from hypervisors.gateway import gateway_for
from hypervisors.images import inspect
from hypervisors.inventory import Answer
from hypervisors.models import Hypervisor
from hypervisors.registry import driver_class, nearest
from olimpus import env
from olimpus.errors import Conflict, Invalid, Missing, NotFound, OlimpusError, VMNotFound

DRIVER: Final = "openstack"
CATALOGUE: Final = frozenset({"flavors", "images", "zones"})

#: Raises `Forbidden` when this person may not touch this machine.
Guard = Callable[[User, Hypervisor, str], None]
_guards: list[Guard] = []
#: What a machine is called → the hypervisor's reference, as far as this person may know; None when nobody is called so.
Finder = Callable[[User, Hypervisor, str], str | None]
_finders: list[Finder] = []


def protect(guard: Guard) -> None:
    """Let a higher app object to what is done to a machine's volumes: `guard(actor, hypervisor, ref)`. Call it once."""
    _guards.append(guard)


def name_machines(finder: Finder) -> None:
    """Let volumes go into machines by what a higher app calls them: `finder(actor, hypervisor, key)`. Call it once."""
    _finders.append(finder)


# -- which cloud -------------------------------------------------------------------------------------------------------


def every() -> QuerySet[Hypervisor]:
    """All clouds, by name."""
    return Hypervisor.objects.filter(driver=DRIVER).order_by("name")


def chosen(name: str = "") -> Hypervisor | None:
    """The cloud of this name, or the only one; None when there is none at all. `NotFound`, `Invalid`: name one."""
    known = {cloud.name: cloud for cloud in every()}
    if name:
        if name not in known:
            hint = _("Did you mean “%(name)s”?") % {"name": nearest(name, known)} if known else ""
            raise NotFound(_("There is no OpenStack “%s”.") % name[:64], where="hypervisor", hint=hint)
        return known[name]
    if len(known) > 1:
        hint = _("One of: %s.") % ", ".join(sorted(known))
        raise Invalid(_("There are several OpenStacks: name one."), where="hypervisor", hint=hint)
    return next(iter(known.values()), None)


def required(name: str = "") -> Hypervisor:
    """The same; `NotFound` when there is none at all."""
    cloud = chosen(name)
    if cloud is None:
        raise inventory.no_cloud()
    return cloud


def offers(hypervisor: Hypervisor) -> frozenset[str]:
    """What the technology has beside machines, of `hypervisors.drivers.cloud.KINDS`; nothing while its driver is missing."""
    try:
        return driver_class(hypervisor.driver).offers
    except Invalid:
        return frozenset()


def with_kind(kind: str) -> list[Hypervisor]:
    """Hypervisors of all technologies that have this kind, by name."""
    return [hypervisor for hypervisor in Hypervisor.objects.order_by("name") if kind in offers(hypervisor)]


def required_with(kind: str, name: str = "") -> Hypervisor:
    """The hypervisor of this name, whatever its technology, if it has this kind; without a name as `required`."""
    having = (hypervisor for hypervisor in with_kind(kind) if hypervisor.name == name)
    return next(having, None) or required(name)


def takes_any_image(hypervisor: Hypervisor) -> bool:
    """Whether every name is one of an image there: on a mock whose settings name none."""
    return hypervisor.driver == "mock" and not hypervisor.settings.get("images")


def from_environment() -> Hypervisor | None:
    """A record for the OpenStack that the environment names, where there is none yet; None otherwise. May be repeated.

    What to sign in with stays in the environment, where the driver reads it: the record keeps an entry of clouds.yaml only.
    """
    said = env.openstack()
    if not said.keys() & {"auth_url", "cloud"} or every().exists():
        return None
    taken = set(Hypervisor.objects.values_list("name", flat=True))
    name = next(name for number in count(1) if (name := DRIVER if number == 1 else f"{DRIVER}-{number}") not in taken)
    hypervisor = Hypervisor(name=name, driver=DRIVER)
    hypervisor.set_settings({"cloud": said["cloud"]} if "cloud" in said else {})
    with transaction.atomic():
        hypervisor.save(force_insert=True)
        journal.record(None, "hypervisor.create", data={"hypervisor": name, "driver": DRIVER, "by": "environment"})
    return hypervisor


# -- looking -----------------------------------------------------------------------------------------------------------


def look(hypervisor: Hypervisor | None, kind: str, *, actor: User, refresh: bool = False, of: str = "") -> Answer:
    """What the cloud has of a kind, see `inventory.read`. `Forbidden` for what is not in the catalogue, and to refresh."""
    if hypervisor is not None and (refresh or kind not in CATALOGUE):
        require_manager(actor, hypervisor)
    return inventory.read(hypervisor, kind, refresh=refresh, of=of)


# -- changing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deed:
    """A change: the method of `Cloud`, and the kinds of inventory that it makes out of date."""

    method: str
    touches: tuple[str, ...]


NETWORKS: Final = ("networks", "routers", "quotas")
VOLUMES: Final = ("volumes", "volume_snapshots", "quotas")
#: Verb, in the journal below `cloud.` → what it does.
DEEDS: Final[Mapping[str, Deed]] = {
    "flavor.create": Deed("create_flavor", ("flavors",)),
    "flavor.delete": Deed("delete_flavor", ("flavors",)),
    "image.upload": Deed("upload_image", ("images",)),
    "image.delete": Deed("delete_image", ("images",)),
    "image.tidy": Deed("tidy_images", ("images",)),
    "network.create": Deed("create_network", NETWORKS),
    "network.delete": Deed("delete_network", NETWORKS),
    "subnet.create": Deed("create_subnet", NETWORKS),
    "subnet.delete": Deed("delete_subnet", NETWORKS),
    "router.create": Deed("create_router", NETWORKS),
    "router.delete": Deed("delete_router", NETWORKS),
    "volume.create": Deed("create_volume", VOLUMES),
    "volume.delete": Deed("delete_volume", VOLUMES),
    "volume.attach": Deed("attach_volume", VOLUMES),
    "volume.detach": Deed("detach_volume", VOLUMES),
    "volume.extend": Deed("extend_volume", VOLUMES),
    "volume.snapshot": Deed("snapshot_volume", VOLUMES),
    "volume_snapshot.delete": Deed("delete_volume_snapshot", VOLUMES),
    "project.create": Deed("ensure_project", ("projects", "quotas")),
    "project.delete": Deed("delete_project", ("projects", "quotas")),
    "quota.update": Deed("ensure_project", ("projects", "quotas")),
}
#: Roles of Keystone that are good in their project only; an “admin” of any project rules the whole cloud.
HARMLESS_ROLES: Final = frozenset({"member", "reader"})
#: What is given to a method and is not told to the journal.
UNTOLD: Final = frozenset({"data", "ordinary"})
#: Verbs that touch volumes, by themselves or through a snapshot.
OF_VOLUMES: Final = ("volume.", "volume_snapshot.")


def do(hypervisor: Hypervisor, verb: str, fields: Mapping[str, Any], *, actor: User) -> Any:
    """Change the cloud by one of `DEEDS`; `fields` are the arguments of its method. Returns what that returns.

    `Forbidden` but for managers; `Conflict` during maintenance; `HypervisorError` as the driver says. The journal hears
    of it, with `.failed` at the end of the verb when it failed.
    """
    require_manager(actor, hypervisor)
    if why := hypervisor.closed_because():
        raise Conflict(why, where=hypervisor.name, hint=hypervisor.maintenance_reason)
    fields = _permitted(hypervisor, verb, fields, actor)
    deed, told = DEEDS[verb], {name: value for name, value in fields.items() if name not in UNTOLD}
    data = {"hypervisor": hypervisor.name, **told}
    try:
        done = gateway_for(hypervisor).on_cloud(lambda cloud: getattr(cloud, deed.method)(**fields))
    except OlimpusError as error:
        journal.record(actor, f"cloud.{verb}.failed", data={**data, "error": str(error)})
        raise
    finally:
        inventory.forget(hypervisor, *deed.touches)  # also what failed may have changed something
    journal.record(actor, f"cloud.{verb}", data={**data, **_identity(done)})
    return done


def create_network(hypervisor: Hypervisor, fields: Mapping[str, Any], *, actor: User) -> Any:
    """A network, with a first subnet when `fields` has a `subnet`; of what was made nothing stays when that one fails."""
    require_manager(actor, hypervisor)
    fields = dict(fields)
    subnet = fields.pop("subnet", None)
    before = _networks(hypervisor, fields).keys() if subnet else ()
    network = do(hypervisor, "network.create", fields, actor=actor)
    if not subnet:
        return network
    try:
        do(hypervisor, "subnet.create", {"network": network.id, **subnet}, actor=actor)
    except OlimpusError:
        if network.id not in before:
            with suppress(OlimpusError):  # what went wrong first is what must be heard; the journal has both
                do(hypervisor, "network.delete", {"network": network.id}, actor=actor)
        raise
    return _networks(hypervisor, fields).get(network.id, network)


def create_flavor(hypervisor: Hypervisor, fields: Mapping[str, Any], *, actor: User) -> Any:
    """A flavor on the cloud: one of the predefined by its name alone, or one with sizes of its own. `Invalid`."""
    sizes = {name: value for name, value in fields.items() if value is not None}
    known = PREDEFINED.get(sizes["name"])
    if known is not None:
        sizes = {"cpus": known.cpus, "memory_mib": known.memory_mib, "disk_gib": known.disk_gib} | sizes
    for name, word in (("cpus", "vcpus"), ("memory_mib", "ram"), ("disk_gib", "disk")):
        if name not in sizes:
            hint = _("Only these have sizes of their own: %s.") % ", ".join(PREDEFINED)
            raise Invalid(_("This is needed for a flavor that is not predefined."), where=word, hint=hint)
    return do(hypervisor, "flavor.create", sizes, actor=actor)


def upload_image(
    hypervisor: Hypervisor, name: str, file: BinaryIO, *, actor: User, format: str = "", public: bool = False
) -> Image:
    """Send an image, once its content is what it should be: see `images.inspect`. `Forbidden`, `Invalid`."""
    require_manager(actor, hypervisor)
    fields = {"name": name, "format": inspect(file, format), "public": public, "data": file}
    return do(hypervisor, "image.upload", fields, actor=actor)


def create_project(hypervisor: Hypervisor, fields: Mapping[str, Any], *, actor: User) -> Project:
    """A project with quotas and people in it. `Forbidden` but for superusers: roles that may rule the cloud."""
    if fields.get("users") and fields.get("role", "member") not in HARMLESS_ROLES:
        require_superuser(actor)
    return do(hypervisor, "project.create", fields, actor=actor)


def set_quotas(hypervisor: Hypervisor, project: str, quotas: Mapping[str, int], *, actor: User) -> None:
    """Write limits of a project, given by name or id; others stay. `Missing`, `Forbidden`."""
    require_manager(actor, hypervisor)
    fields = {"name": project_of(hypervisor, project).name, "quotas": dict(quotas)}
    do(hypervisor, "quota.update", fields, actor=actor)


def project_of(hypervisor: Hypervisor, wanted: str) -> Project:
    """The project of this id or name, as the cloud says now. `Missing`, with the nearest name."""
    projects = gateway_for(hypervisor).on_cloud(lambda cloud: cloud.projects())
    for name in ("id", "name"):
        for project in projects:
            if getattr(project, name) == wanted:
                return project
    hint = _("Did you mean “%(name)s”?") % {"name": nearest(wanted, [project.name for project in projects])}
    raise Missing(_("There is no project “%s”.") % wanted[:64], where="project", hint=hint if projects else "")


# -- inside ------------------------------------------------------------------------------------------------------------


def _networks(hypervisor: Hypervisor, fields: Mapping[str, Any]) -> dict[str, Network]:
    found = gateway_for(hypervisor).on_cloud(lambda cloud: cloud.networks(fields.get("project", "")))
    return {each.id: each for each in found}


def _permitted(hypervisor: Hypervisor, verb: str, fields: Mapping[str, Any], actor: User) -> Mapping[str, Any]:
    """What the cloud is told of these fields, once this person may do that to what they name. `Forbidden`, `Missing`."""
    if DEEDS[verb].method == "ensure_project":
        return {**fields, "ordinary": not actor.is_superuser}
    if not verb.startswith(OF_VOLUMES):
        return fields
    if fields.get("ref"):
        fields = {**fields, "ref": _ref_of(hypervisor, fields["ref"], actor)}
    _require_ids(hypervisor, fields)
    _require_machines_of(hypervisor, fields, actor)
    return fields


def _require_ids(hypervisor: Hypervisor, fields: Mapping[str, Any]) -> None:
    """Let only ids through that are written as the cloud writes them.

    Its databases find a volume also in capitals or with a space behind its id: who spelled it so would get past the guards.
    """
    if (volume := fields.get("volume")) is not None and not _is_id(volume):
        raise Missing(_("There is no volume “%(name)s”.") % {"name": volume[:64]}, where=hypervisor.name)
    if (snapshot := fields.get("snapshot")) and not _is_id(snapshot):
        raise Missing(
            _("There is no snapshot “%(name)s” of a volume.") % {"name": snapshot[:64]}, where=hypervisor.name
        )
    if (ref := fields.get("ref")) and not _is_id(ref):
        raise VMNotFound(_("There is no machine “%(name)s”.") % {"name": ref[:64]}, where=hypervisor.name)


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _require_machines_of(hypervisor: Hypervisor, fields: Mapping[str, Any], actor: User) -> None:
    """Whoever touches a volume must be allowed to touch the machines that it is in, and the one where it goes.

    A snapshot has what its volume had: it belongs to the same machines.
    """
    volume = fields.get("volume") or _volume_of(hypervisor, fields.get("snapshot", ""))
    refs = {attachment.vm_ref for attachment in _attachments(hypervisor, volume)}
    for ref in sorted(refs | {fields.get("ref", "")} - {""}):
        for guard in _guards:
            guard(actor, hypervisor, ref)


def _ref_of(hypervisor: Hypervisor, key: str, actor: User) -> str:
    return next((ref for find in _finders if (ref := find(actor, hypervisor, key))), key)


def _volume_of(hypervisor: Hypervisor, snapshot: str) -> str:
    """The volume that a snapshot was taken of; "" when there is no such snapshot."""

    def ask(cloud: Cloud) -> list[VolumeSnapshot]:
        return cloud.volume_snapshots()

    known = gateway_for(hypervisor).on_cloud(ask) if snapshot else []
    return next((each.volume_id for each in known if each.id == snapshot), "")


def _attachments(hypervisor: Hypervisor, volume: str) -> tuple[Attachment, ...]:
    def ask(cloud: Cloud) -> list[Volume]:
        return cloud.volumes()

    known = gateway_for(hypervisor).on_cloud(ask) if volume else []
    return next((each.attachments for each in known if each.id == volume), ())


def _identity(done: Any) -> dict[str, str]:
    """Id and name of what was made, for the journal."""
    return {name: value for name in ("id", "name") if isinstance(value := getattr(done, name, None), str)}
