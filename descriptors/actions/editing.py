"""Changing local definitions: validated, allowed by rights and state, never silently over somebody else's edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors.access import Access, Mark, Stand
from descriptors.actions.effects import EditPlan, machines_under, plan
from descriptors.cascade import Computed, Layer, compute, facts_of
from descriptors.definition import validate
from descriptors.models import Node
from descriptors.permissions import DEFAULTS, OPERATIONS, ROLES, access_of, can, forget, require
from descriptors.selectors import chain
from hypervisors.models import Hypervisor
from olimpus.db import retry_on_deadlock
from olimpus.errors import Forbidden, Invalid, NotFound, Stale

#: Parameters whose change needs this instead of `edit`.
NEEDS = {"prototypes": "define_prototypes", "networks": "define_prototypes", "rights": "grant"}

#: Parameters that reach into parts of a hypervisor which its managers keep apart: other projects, single hosts.
PLACING = frozenset({"project", "host"})


def plan_edit(node: Node, definition: object, *, actor: User) -> EditPlan:
    """What saving this local definition would do to the machines at and below the node. Changes nothing.

    Raises like `edit`, except that what would break is listed in the plan.
    """
    clean = checked(node.path, definition, actor=actor, before=node.definition)
    return _plan(node, clean, actor)


@dataclass(frozen=True)
class Preview:
    """What a local definition that is not saved comes to, beside what the saved one comes to (None: it is broken)."""

    before: Computed | None
    after: Computed


def preview_edit(node: Node, definition: object, *, actor: User) -> Preview:
    """The computed definition of the node as it would be. Changes nothing, looks at no machine below; one query.

    Raises Invalid and Forbidden like `edit`.
    """
    clean = checked(node.path, definition, actor=actor, before=node.definition)
    above, facts = chain(node)[:-1], None if node.is_folder else facts_of(node.path)
    after = compute([*above, Layer(node.path, clean)], facts=facts)
    try:
        return Preview(compute([*above, Layer(node.path, node.definition)], facts=facts), after)
    except Invalid:
        return Preview(None, after)


@retry_on_deadlock
def edit(node: Node, definition: object, *, actor: User, version: int | None = None) -> Node:
    """Replace the local definition of a folder (its common definition) or a machine; returns the fresh node.

    Invalid (all faults at once), Forbidden, Conflict (the machine's state does not allow it, with the reason), Stale when
    `version` is given and is not the current one. Saving what is there already changes nothing.
    """
    with transaction.atomic():
        fresh = Node.objects.select_for_update().filter(pk=node.pk).first()
        if fresh is None:
            raise NotFound(_("It was removed meanwhile."), where=node.path)
        require(actor, "see", fresh)
        if version is not None and version != fresh.version:
            raise Stale(
                _("Somebody else changed it meanwhile."),
                where=fresh.path,
                hint=_("Read it again and repeat your change."),
            )
        clean = checked(fresh.path, definition, actor=actor, before=fresh.definition)
        if clean == fresh.definition:
            return fresh
        _plan(fresh, clean, actor).refuse_if_broken()
        return write(fresh, clean, actor=actor)


def _plan(node: Node, clean: dict[str, Any], actor: User) -> EditPlan:
    if node.is_folder:
        compute([*chain(node)[:-1], Layer(node.path, clean)], facts=None)
    return plan({node.path: clean}, machines_under([node.path])).veil(access_of(actor))


def write(node: Node, clean: dict[str, Any], *, actor: User) -> Node:
    """Store a checked definition, count its version up, and tell the journal which parameters changed (not their values)."""
    names = sorted(name for name in {*node.definition, *clean} if node.definition.get(name) != clean.get(name))
    node.definition, node.has_rights = clean, "rights" in clean
    node.version += 1
    node.updated_at = timezone.now()
    Node.objects.filter(pk=node.pk).update(
        definition=clean, has_rights=node.has_rights, version=node.version, updated_at=node.updated_at
    )
    forget()
    journal.record(actor, "definition.edit", path=node.path, node_id=node.pk, data={"parameters": names})
    return node


def checked(
    path: str, definition: object, *, actor: User, before: Mapping[str, Any], new: bool = False
) -> dict[str, Any]:
    """The normalised definition, when the actor may make this change at `path`. `new`: the node is being created."""
    clean = validate(definition, where="", rights_operations=OPERATIONS)
    differ = {
        name for name in {*before, *clean} if name not in before or name not in clean or before[name] != clean[name]
    }
    if not differ:
        return clean
    ordinary = differ - NEEDS.keys() - {"hypervisors"}
    if ordinary and not new:
        _demand(actor, "edit", path)
    for name in sorted(differ & NEEDS.keys()):
        _demand(actor, NEEDS[name], path, name)
    if "hypervisors" in differ and not actor.is_superuser:
        raise Forbidden(_("Only a superuser chooses which hypervisors a branch offers."), where=f"{path}: hypervisors")
    if (placing := _placing(differ, before, clean)) and not _may_place(actor, clean):
        raise Forbidden(
            _("Only managers of the hypervisor choose a project or a host of it."),
            where=f"{path}: {min(placing)}",
            hint=_("Managers who are no superusers name the hypervisor in the same definition."),
        )
    if "rights" in differ:
        _no_escalation(actor, path, clean.get("rights") or {})
    return clean


def _placing(differ: set[str], before: Mapping[str, Any], clean: Mapping[str, Any]) -> set[str]:
    """Which of `PLACING` change, those of prototypes included."""
    old, new = (part.get("prototypes") or {} for part in (before, clean))
    changed = [one for name, one in new.items() if one != old.get(name)]
    return (differ & PLACING).union(*(PLACING & one.keys() for one in changed))


def _may_place(actor: User, clean: Mapping[str, Any]) -> bool:
    """Whether the actor is in charge of the hypervisor that the definition itself names, or of all."""
    if actor.is_superuser:
        return True
    named = Hypervisor.objects.filter(name=str(clean.get("hypervisor") or "")).first()
    return named is not None and named.managed_by(actor)


def _demand(actor: User, operation: str, path: str, parameter: str = "") -> None:
    if not can(actor, operation, path):
        raise Forbidden(
            _("You may not %(operation)s.") % {"operation": OPERATIONS[operation]},
            where=f"{path}: {parameter}" if parameter else path,
            hint=_("Ask a manager of this folder."),
        )


def _no_escalation(actor: User, path: str, rights: Mapping[str, Any]) -> None:
    """Whoever opens a right for a role must have that right here himself."""
    access = access_of(actor)
    if access.everything:
        return
    others = [mark for mark in access.marks.values() if mark.path != path]
    own = access.marks.get(f"{path.rstrip('/')}/", Mark(path))
    after = Access([*others, Mark(path, own.roles, rights, own.inherits)], DEFAULTS)
    stands: tuple[Stand, Stand] = access.stand(path), after.stand(path)
    for role in ROLES:
        for operation in OPERATIONS:
            was, will = access.flag(stands[0], role, operation)[0], after.flag(stands[1], role, operation)[0]
            if will and not was and not access.can(operation, path):
                raise Forbidden(
                    _("You cannot allow “%(operation)s”: you may not do it here yourself.")
                    % {"operation": OPERATIONS[operation]},
                    where=f"{path}: rights.{role}.{operation}",
                )
