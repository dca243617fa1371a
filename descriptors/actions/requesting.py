"""Asking for a verb: one machine, a selection, or everything below a folder, by the same set-based steps.

permission → state machine → operation row (the lock) → network cards → journal, in one transaction; the queue is told after
the commit. Nothing here talks to a hypervisor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors import selectors
from descriptors.actions import publishing
from descriptors.actions.cards import give_cards
from descriptors.cascade import Computed
from descriptors.definition import nearest
from descriptors.models import PATH_LENGTH, Descriptor, Kind, Node, Operation
from descriptors.permissions import access_of, require
from descriptors.verbs import VERBS, Verb, rewrites
from hypervisors.models import Hypervisor
from olimpus import queue
from olimpus.db import insert_each, retry_on_deadlock
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound, OlimpusError, Unsupported

#: How many skipped paths are kept for each reason.
EXAMPLES = 50
CHUNK = 5000
#: Characters of an argument, when it is not a name.
LONGEST = {"folder": PATH_LENGTH}


@dataclass
class Candidate:
    """A machine that a verb was asked for, and why it is left out (None: it takes part)."""

    descriptor: Descriptor
    hypervisor: Hypervisor | None = None
    error: OlimpusError | None = None


@retry_on_deadlock
def request(verb: str, node: Node, *, actor: User, arguments: Mapping[str, Any] | None = None) -> Operation:
    """Ask for a verb on a machine, or on every machine below a folder; returns the operation, at once.

    On one machine: Conflict when its state does not allow the verb or another operation is open; Forbidden; NotFound. On a
    folder: a parent operation whose machines take part or are skipped with a reason; Conflict when none can take part.
    Not repeatable: a second request meets the first one's operation (Conflict).
    """
    rule, given = _asked(verb, arguments)
    with transaction.atomic():
        if node.is_folder:
            require(actor, "see", node)
            return _fan_out(rule, node, locked(below(node)), actor, given)
        require(actor, rule.permission, node)
        return _single(rule, node, actor, given)


@retry_on_deadlock
def request_many(
    verb: str, nodes: Sequence[Node], *, actor: User, arguments: Mapping[str, Any] | None = None
) -> Operation:
    """Ask for a verb on a selection of machines: one parent operation, as on a folder. Folders stand for what is below."""
    rule, given = _asked(verb, arguments)
    with transaction.atomic():
        ids = {node.pk for node in nodes if not node.is_folder}
        for folder in (node for node in nodes if node.is_folder):
            require(actor, "see", folder)
            ids.update(below(folder))
        common = common_folder([node.path for node in nodes])
        place = Node.objects.filter(path__in=[common, "/"]).order_by("-level")[0]
        return _fan_out(rule, place, locked(ids), actor, given)


def common_folder(paths: Iterable[str]) -> str:
    """The deepest folder above all of the paths."""
    parts = [path.strip("/").split("/")[:-1] for path in paths]
    shared: list[str] = []
    for names in zip(*parts, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return "/" + "/".join(shared)


def _asked(verb: str, arguments: Mapping[str, Any] | None) -> tuple[Verb, dict[str, Any]]:
    rule, given = _rule(verb), _arguments(verb, arguments)
    return rule.given(given), given


def _rule(verb: str) -> Verb:
    if verb not in VERBS:
        raise Invalid(_("There is no verb “%s”.") % verb[:64], where="verb", hint=nearest(verb[:64], VERBS))
    return VERBS[verb]


def _arguments(verb: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    given = dict(arguments or {})
    needed, options = VERBS[verb].arguments, VERBS[verb].options
    for name in needed:
        value, most = given.get(name), LONGEST.get(name, 128)
        if not isinstance(value, str) or not value.strip() or len(value) > most or "\0" in value:
            raise Invalid(_("A text of 1 to %d characters is needed.") % most, where=name)
    for name in options:
        if not isinstance(given.setdefault(name, False), bool):
            raise Invalid(_("Yes or no is needed."), where=name)
        if not given[name]:
            del given[name]
    known = {*needed, *options, *({"description"} if needed else ())}
    if unknown := sorted(set(given) - known):
        raise Invalid(_("“%(verb)s” does not take this.") % {"verb": verb}, where=str(unknown[0])[:64])
    description = given.get("description", "")
    if not isinstance(description, str) or len(description) > 1000 or "\0" in description:
        raise Invalid(_("A text of at most 1,000 characters is needed."), where="description")
    return {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}


def below(folder: Node) -> list[int]:
    """Ids of all machines below a folder as it is now; none when it is gone."""
    path = Node.objects.filter(pk=folder.pk).values_list("path", flat=True).first()
    machines = Node.objects.filter(selectors.inside(path or folder.path), kind=Kind.DESCRIPTOR)
    return list(machines.order_by().values_list("pk", flat=True))


def locked(ids: Iterable[int]) -> list[Descriptor]:
    """The machines with their locks, for the rest of the transaction.

    Only their own rows are locked, not the joined ones, and always in the same order: no two requests wait in a ring.
    """
    wanted, found = sorted(ids), []
    for start in range(0, len(wanted), CHUNK):
        chunk = Descriptor.objects.filter(pk__in=wanted[start : start + CHUNK]).order_by("pk")
        list(chunk.select_for_update().values_list("pk"))
        found += list(chunk.select_related("open_operation"))
    hypervisors = Hypervisor.objects.in_bulk({machine.hypervisor_id for machine in found} - {None})
    for machine in found:  # few rows for thousands of machines, where a join would read one for each
        machine.hypervisor = hypervisors.get(machine.hypervisor_id)
    return found


def _single(rule: Verb, node: Node, actor: User, arguments: dict[str, Any]) -> Operation:
    machines = locked([node.pk])
    if not machines:
        raise NotFound(_("It was removed meanwhile."), where=node.path)
    candidate = Candidate(machines[0])
    _check([candidate], rule, actor, arguments)
    if candidate.error:
        raise candidate.error
    (operation,) = _begin(rule, [candidate], actor, arguments, parent=None)
    return operation


def _fan_out(
    rule: Verb, place: Node, machines: Sequence[Descriptor], actor: User, arguments: dict[str, Any]
) -> Operation:
    access = access_of(actor)
    candidates = [Candidate(machine) for machine in machines if access.can("see", machine.path)]
    if rule.alone and len(candidates) > 1:
        raise Conflict(_("“%(verb)s” is done with one machine at a time.") % {"verb": rule.label}, where=place.path)
    _check(candidates, rule, actor, arguments)
    taking_part = [candidate for candidate in candidates if candidate.error is None]
    skipped = _skipped(candidates)
    if not taking_part:
        raise Conflict(
            _("No machine here can do “%(verb)s” now.") % {"verb": rule.label},
            where=place.path,
            errors=faults_of(skipped),
        )
    parent = Operation.objects.create(
        node=place,
        path=place.path,
        verb=rule.name,
        actor=actor,
        arguments=arguments,
        status="running",
        total=len(taking_part),
        skipped=len(candidates) - len(taking_part),
        result={"skipped": skipped},
        started_at=timezone.now(),
    )
    journal.record(
        actor,
        f"vm.{rule.name}",
        path=place.path,
        node_id=place.pk,
        operation_id=parent.pk,
        data={"operation": summary(parent)},
    )
    _begin(rule, taking_part, actor, arguments, parent=parent)
    return parent


def _skipped(candidates: Iterable[Candidate]) -> list[dict[str, Any]]:
    """Why machines are left out, grouped: [{"reason", "count", "paths"}], the most frequent first."""
    groups: dict[str, list[str]] = defaultdict(list)
    for candidate in candidates:
        if candidate.error:
            groups[candidate.error.message].append(candidate.descriptor.path)
    rows = [{"reason": reason, "count": len(paths), "paths": paths[:EXAMPLES]} for reason, paths in groups.items()]
    return sorted(rows, key=lambda row: -row["count"])


def faults_of(skipped: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Why machines are left out, as the `errors` of a refusal: an entry for each reason, with some of their paths."""
    return [{"message": row["reason"], "where": ", ".join(row["paths"][:5])} for row in skipped]


# -- may it begin? -----------------------------------------------------------------------------------------------------


def _check(candidates: Sequence[Candidate], rule: Verb, actor: User, arguments: Mapping[str, Any]) -> None:
    """Set `error` on every candidate that cannot begin, `hypervisor` on the others; a constant number of queries."""
    access = access_of(actor)
    needed = [rule.permission, *chain.from_iterable(rule.options[name] for name in rule.options if arguments.get(name))]
    for candidate in candidates:
        allowed = all(access.can(operation, candidate.descriptor.path) for operation in needed)
        candidate.error = _refusal(candidate.descriptor, rule, allowed=allowed)
        candidate.hypervisor = candidate.descriptor.hypervisor
    for candidate in candidates:
        if rule.name == "publish" and candidate.error is None:
            candidate.error = publishing.refusal(arguments, actor)
    if rule.name == "start" or rewrites(rule.name, arguments):  # the cards must be given before they are written
        _prepare_definitions([candidate for candidate in candidates if candidate.error is None], rule, actor)
    for candidate in candidates:
        candidate.error = candidate.error or _no_hypervisor(candidate, rule)


def _refusal(machine: Descriptor, rule: Verb, *, allowed: bool) -> OlimpusError | None:
    if not allowed:
        return Forbidden(_("You may not “%(verb)s” it.") % {"verb": rule.label}, where=machine.path)
    if operation := selectors.open_operation(machine):
        return Conflict(
            _("“%(verb)s” is in progress.") % {"verb": VERBS[operation.verb].label},
            where=machine.path,
            hint=_("Wait for it, or cancel it."),
        )
    if not selectors.allowed_from(rule, machine):
        return Conflict(selectors.not_from_here(rule, machine), where=machine.path)
    if unable := selectors.unable(rule, machine):
        return Unsupported(unable, where=machine.path)
    return None


def _no_hypervisor(candidate: Candidate, rule: Verb) -> OlimpusError | None:
    machine, hypervisor = candidate.descriptor, candidate.hypervisor
    if hypervisor is None:
        return Conflict(_("It is on no hypervisor."), where=machine.path)
    if closed := hypervisor.closed_because():
        return Conflict(closed, where=machine.path, hint=hypervisor.maintenance_reason)
    return None


def _prepare_definitions(candidates: Sequence[Candidate], rule: Verb, actor: User) -> None:
    """Compute the definitions, find the hypervisor of what is created, and give the network cards."""
    values = selectors.computed_many([candidate.descriptor for candidate in candidates])
    known = {hypervisor.name: hypervisor for hypervisor in Hypervisor.objects.all()}
    wanted = {}
    for candidate in candidates:
        machine, computed = candidate.descriptor, values[candidate.descriptor.pk]
        try:
            if isinstance(computed, OlimpusError):
                raise computed
            # A start that writes nothing needs no flavor: what was made of it is still there when the cloud gave it up.
            if rule.name != "start" or selectors.rewrites(machine, computed.values):
                selectors.size_of(computed.values)
            if rule.name == "create":
                candidate.hypervisor = hypervisor_of(computed, known)
            wanted[machine.pk] = (machine, computed.values, computed.origins)
        except OlimpusError as error:
            candidate.error = type(error)(
                error.message, where=f"{machine.path}: {error.where}".rstrip(": "), hint=error.hint, errors=error.errors
            )
    faults = give_cards(wanted, actor)
    for candidate in candidates:
        candidate.error = candidate.error or faults.get(candidate.descriptor.pk)


def hypervisor_of(computed: Computed, known: Mapping[str, Hypervisor]) -> Hypervisor:
    """The hypervisor that a definition names. Invalid when it names none, an unknown one, or one not offered there."""
    name = computed.values.get("hypervisor")
    if not name:
        raise Invalid(
            _("The definition names no hypervisor."), where="hypervisor", hint=_("Set it here or in a folder.")
        )
    offered = computed.values.get("hypervisors")
    if offered is not None and name not in offered:
        raise Invalid(
            _("The hypervisor “%s” is not offered in this folder.") % name,
            where="hypervisor",
            hint=_("Offered here: %s.") % ", ".join(offered),
        )
    if name not in known:
        raise Invalid(_("There is no hypervisor “%s”.") % name, where="hypervisor", hint=nearest(name, known))
    return known[name]


# -- begin -------------------------------------------------------------------------------------------------------------


def _begin(
    rule: Verb, candidates: Sequence[Candidate], actor: User, arguments: dict[str, Any], *, parent: Operation | None
) -> list[Operation]:
    """Write operations, states and journal of all that take part, and wake the workers after the commit."""
    operations = [_operation(rule, candidate, actor, arguments, parent) for candidate in candidates]
    try:
        insert_each(Operation, operations)
    except IntegrityError as error:  # the unique lock: somebody else began between our reading and our writing
        raise Conflict(
            _("Somebody else has just started an operation here."), where=candidates[0].descriptor.path
        ) from error
    _write_states(rule, candidates)
    journal.record_many(
        journal.Draft(
            actor,
            f"vm.{rule.name}",
            candidate.descriptor.path,
            candidate.descriptor.pk,
            {"state": candidate.descriptor.state, "operation": summary(operation)},
            operation.pk,
        )
        for candidate, operation in zip(candidates, operations, strict=True)
    )
    wake({candidate.hypervisor for candidate in candidates if candidate.hypervisor})
    return operations


def _write_states(rule: Verb, candidates: Sequence[Candidate]) -> None:
    """Take the first transition of all in memory, then write one UPDATE for each outcome."""
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for candidate in candidates:
        machine, before = candidate.descriptor, candidate.descriptor.state
        rule.begin(machine)
        machine.hypervisor = candidate.hypervisor
        groups[machine.hypervisor_id or 0, machine.state if machine.state != before else ""].append(machine.pk)
    for (hypervisor, state), ids in groups.items():
        changes: dict[str, Any] = {"hypervisor": hypervisor}
        if state:
            changes |= {"state": state, "state_since": timezone.now()}
        for start in range(0, len(ids), CHUNK):
            Descriptor.objects.filter(pk__in=ids[start : start + CHUNK]).update(**changes)


def _operation(
    rule: Verb, candidate: Candidate, actor: User, arguments: dict[str, Any], parent: Operation | None
) -> Operation:
    machine = candidate.descriptor
    return Operation(
        parent=parent,
        node_id=machine.pk,
        path=machine.path,
        verb=rule.name,
        actor=actor,
        arguments=arguments,
        open_for=machine,
        from_state=machine.state,
        hypervisor=candidate.hypervisor,
    )


def wake(hypervisors: Iterable[Hypervisor]) -> None:
    """Tell the workers of these hypervisors, after the commit, that there is something to do."""
    by_queue: dict[str, list[str]] = defaultdict(list)
    for hypervisor in hypervisors:
        by_queue[hypervisor.queue].append(str(hypervisor.pk))
    for name, ids in by_queue.items():
        queue.send_on_commit("descriptors.tasks.perform", ids, queue=name)


def summary(operation: Operation) -> dict[str, Any]:
    """What the journal and the live feed tell about an operation."""
    told: dict[str, Any] = {"id": str(operation.pk), "verb": operation.verb, "status": str(operation.status)}
    if operation.parent_id:
        told["parent"] = str(operation.parent_id)
    if operation.total:
        told["progress"] = {
            name: getattr(operation, name) for name in ("total", "succeeded", "failed", "cancelled", "skipped")
        }
    return told
