"""A machine that somebody prepared becomes an image, and a prototype that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import selectors
from descriptors.actions.editing import checked, write
from descriptors.canonical import canonical_name
from descriptors.models import Descriptor, Kind, Node, Operation
from descriptors.permissions import require
from olimpus.errors import Conflict, Invalid, NotFound, OlimpusError

#: What a prototype takes over from the machine beside its image.
SIZES: Final = ("flavor", "cpus", "memory_mib", "disk_gib")


def refusal(arguments: Mapping[str, Any], actor: User) -> OlimpusError | None:
    """Why a prototype of this name cannot be written into the folder; None when it can."""
    try:
        _check_name(arguments["name"])
        folder = selectors.get(actor, arguments["folder"])
        _check_folder(folder, arguments["name"], actor)
    except OlimpusError as error:
        error.where = error.where if isinstance(error, Conflict | Invalid) else "folder"
        return error
    return None


def conclude(operation: Operation, actor: User | None, machine: Descriptor, result: Mapping[str, Any]) -> None:
    """The image is there: write the prototype, as whoever asked for it. Called in the transaction of the outcome.

    Forbidden, NotFound, Conflict when the folder is not what it was: the image stays, and asking again uses it.
    """
    name, path = operation.arguments["name"], selectors.folder_path(operation.arguments["folder"])
    folder = Node.objects.select_for_update().filter(path=path, kind=Kind.FOLDER).first()
    if folder is None or actor is None:
        raise NotFound(_("The image “%(name)s” is there, but not the folder of its prototype.") % {"name": name})
    _check_folder(folder, name, actor)
    prototypes = {**(folder.definition.get("prototypes") or {}), name: _prototype(machine, result)}
    wanted = {**folder.definition, "prototypes": prototypes}
    write(folder, checked(path, wanted, actor=actor, before=folder.definition), actor=actor)


def _check_name(name: str) -> None:
    try:
        canonical_name(name)
    except ValueError as error:
        raise Invalid(_("This is no name for a prototype."), where="name") from error


def _check_folder(folder: Node, name: str, actor: User) -> None:
    if not folder.is_folder:
        raise Conflict(_("This is a machine, not a folder."), where="folder")
    require(actor, "define_prototypes", folder)
    if name in (selectors.computed(folder).values.get("prototypes") or {}):
        raise Conflict(
            _("There is a prototype “%(name)s” here already.") % {"name": name},
            where="name",
            hint=_("Choose another name, or remove that prototype first."),
        )


def _prototype(machine: Descriptor, result: Mapping[str, Any]) -> dict[str, Any]:
    """The image exists on this hypervisor only, so the prototype names it."""
    applied = machine.applied or {}
    sizes = {name: applied[name] for name in SIZES if applied.get(name) is not None}
    assert machine.hypervisor is not None  # noqa: S101 - the operation holds it there
    return {"hypervisor": machine.hypervisor.name, "image": result["image"], **sizes}
