"""Reads: what a person sees of the tree, computed definitions, pending changes, drift, the verbs offered now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from django.db.models import Case, Count, IntegerField, Max, Q, QuerySet, Value, When
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django_fsm import can_proceed

from accounts import journal
from accounts.models import Entry, User
from descriptors.access import Access, Mark, end_of, key_of
from descriptors.cascade import Cascade, Computed, Layer, compute, facts_of
from descriptors.definition import changed, sizing
from descriptors.models import (
    OPEN,
    Descriptor,
    Folder,
    Kind,
    Node,
    NodeGroupObjectPermission,
    NodeUserObjectPermission,
    Operation,
)
from descriptors.names import above
from descriptors.nics import as_given
from descriptors.permissions import PERMISSION_OF, access_of, can, one_of, visible, within
from descriptors.states import CHOICES, EXPECTED_POWER, State
from descriptors.verbs import VERBS, Verb
from olimpus.db import containing
from olimpus.errors import Invalid, NotFound, OlimpusError

#: Parameters whose inherited values lists can be filtered by, beside the state kept in columns.
RELATED = ("folder", "descriptor", "descriptor__hypervisor", "descriptor__open_operation")
#: Attention first: what failed, what moves, what runs, the rest.
URGENCY = Case(
    When(state=State.FAILED, then=Value(0)),
    When(state__in=[State.STARTING, State.STOPPING], then=Value(1)),
    When(state__in=[State.RUNNING, State.PAUSED], then=Value(2)),
    default=Value(3),
    output_field=IntegerField(),
)


# -- nodes -------------------------------------------------------------------------------------------------------------


def nodes(user: User, operation: str = "see", *, below: str = "/", children: bool = False) -> QuerySet[Node]:
    """The nodes this person may see (or may do `operation` on), with their rows joined: no query per row after that."""
    return visible(user, Node.objects.select_related(*RELATED), operation, below=below, children=children)


def get(user: User, path_or_id: str | int) -> Node:
    """The node at a path (`<folder>/common` is the folder) or with an id. NotFound when it is not there or not visible."""
    wanted = Q(pk=path_or_id) if isinstance(path_or_id, int) else Q(path=folder_path(path_or_id))
    node = Node.objects.select_related(*RELATED).filter(wanted).first()
    if node is None or not can(user, "see", node):
        raise NotFound(_("There is no such path, or you may not see it."), where=str(path_or_id))
    return node


def get_many(user: User, refs: Sequence[str | int]) -> list[Node]:
    """The nodes with these ids or paths, each once, in this order; two queries. NotFound naming the first invisible one."""
    wanted = [ref if isinstance(ref, int) else folder_path(ref) for ref in refs]
    paths = {ref for ref in wanted if isinstance(ref, str)}
    rows = Node.objects.filter(Q(pk__in=[ref for ref in wanted if isinstance(ref, int)]) | Q(path__in=paths))
    found: dict[str | int, Node] = {}
    for node in rows:
        if can(user, "see", node):
            found |= {node.pk: node, node.path: node}
    for ref in wanted:
        if ref not in found:
            raise NotFound(_("There is no such path, or you may not see it."), where=str(ref))
    return list({found[ref].pk: found[ref] for ref in wanted}.values())


def folder_path(path: str) -> str:
    """The path in its stored form: one leading slash, none at the end, `<folder>/common` turned into the folder."""
    parts = [part for part in path.strip().split("/") if part]
    if parts and parts[-1] == "common":
        parts.pop()
    return "/" + "/".join(parts)


def listing(
    user: User,
    *,
    path: str = "/",
    recursive: bool = False,
    kind: str = "",
    state: Collection[str] = (),
    hypervisor: str = "",
    q: str = "",
    label: Collection[str] = (),
    custom: Collection[str] = (),
) -> QuerySet[Node]:
    """Nodes below `path` that this person may see.

    `label` and `custom` hold `key=value` (or `key` alone: any value) and match inherited values as well as own ones;
    `hypervisor` matches where the VM is, or where the inherited definition would put it. Raises NotFound for a path that
    is not there, Invalid for a filter that makes no sense.
    """
    folder = Node.objects.filter(path=folder_path(path)).first()
    if folder is None or (folder.path != "/" and not access_of(user).intervals("see", below=folder.path)):
        raise NotFound(_("There is no such path, or you may not see it."), where=path)
    found = nodes(user, below=folder.path, children=not recursive).filter(_below(folder, recursive=recursive))
    if kind:
        found = found.filter(kind=kind)
    if state:
        found = found.filter(descriptor__state__in=_known_states(state))
    if q:
        found = containing(found, ["name"], q)
    if hypervisor:
        inherited = inheriting("hypervisor", hypervisor)
        found = found.filter(
            Q(descriptor__hypervisor__name=hypervisor)
            | Q(kind=Kind.DESCRIPTOR, descriptor__hypervisor=None) & inherited
        )
    for parameter, wanted in (("labels", label), ("custom", custom)):
        for pair in wanted:
            key, _equals, value = pair.partition("=")
            found = found.filter(inheriting(f"{parameter}.{key}", value))
    return found.order_by("-kind", "name") if not recursive else found.order_by("path")


def _below(folder: Node, *, recursive: bool) -> Q:
    if not recursive:
        return Q(parent=folder)
    return inside(folder.path)


def inside(path: str, column: str = "path", *, itself: bool = False) -> Q:
    """A condition: `column` holds a path below `path` (or `path` itself).

    By path and not by position: positions shift when somebody inserts a node between reading a row and using its numbers.
    """
    key = key_of(path)
    below = Q(**{f"{column}__gt": key, f"{column}__lt": end_of(key)})
    return below | Q(**{column: path}) if itself else below


def _known_states(states: Collection[str]) -> Collection[str]:
    known = {value for value, _label in CHOICES}
    for state in states:
        if state not in known:
            raise Invalid(_("There is no such state."), where="state", hint=", ".join(sorted(known)))
    return states


def inheriting(parameter: str, value: str) -> Q:
    """A condition: the nearest layer that sets `parameter` (dotted: "custom.course.code") sets it to `value` ("": any).

    Values that come from a prototype are not searched.
    """
    name, *keys = parameter.split(".")
    setters = Node.objects.filter(definition__has_key=name).order_by()
    folders: dict[str, bool] = {}
    machines: dict[int, bool] = {}
    for pk, path, kind, setting in setters.values_list("pk", "path", "kind", f"definition__{name}"):
        if (says := _says(setting, keys, value)) is not None:
            if kind == Kind.FOLDER:
                folders[path] = says
            else:
                machines[pk] = says
    inherited = _nearest(folders)
    if not machines:
        return inherited
    own = Q(one_of(pk for pk, says in machines.items() if says))
    return own | (inherited & ~Q(one_of(machines)))


def _says(setting: Any, keys: Sequence[str], value: str) -> bool | None:
    """Whether a layer sets what the keys lead to, to this value; None when it says nothing about it."""
    for key in keys:
        if not isinstance(setting, dict):
            return False  # a null, or something else in its place, forgets all that was inherited below it
        if key not in setting:
            return None
        setting = setting[key]
    return setting is not None and value in ("", str(setting).lower() if isinstance(setting, bool) else str(setting))


def _nearest(marks: Mapping[str, bool]) -> Q:
    """Where the nearest mark above is true, by the same walk as rights flags."""
    everywhere = [Mark("/", roles=frozenset({"any"}), rights={"any": {"match": marks.get("/", False)}})]
    others = [Mark(path, rights={"any": {"match": on}}) for path, on in marks.items() if path != "/"]
    return within("path", Access([*everywhere, *others], {}).intervals("match"))


def counts(user: User, folder: Node) -> dict[str, int]:
    """How many machines below the folder are in each state, for what this person may see; one query."""
    rows = visible(user, Descriptor.objects.all(), below=folder.path).filter(_below(folder, recursive=True))
    found = rows.order_by().values_list("state").annotate(n=Count("pk"))
    return {state: 0 for state, _label in CHOICES} | dict(found)


def my_machines(user: User) -> QuerySet[Descriptor]:
    """The machines this person may see, attention first."""
    rows = Descriptor.objects.select_related("hypervisor", "open_operation")
    return visible(user, rows).annotate(urgency=URGENCY).order_by("urgency", "path")


def ancestors(node: Node) -> QuerySet[Node]:
    """From the root down to the parent. Ancestors of what one may see are shown as a path, not as content."""
    return Node.objects.filter(path__in=above(node.path)).order_by("level")


# -- definitions -------------------------------------------------------------------------------------------------------


def chain(node: Node) -> list[Layer]:
    """The layers from the root to the node, in one query."""
    rows = Node.objects.filter(path__in=[*above(node.path), node.path]).order_by("level")
    return [Layer(path, definition) for path, definition in rows.values_list("path", "definition")]


def computed(node: Node) -> Computed:
    """The computed definition of one node with the origin of each value; one query. Invalid when it cannot be computed."""
    facts = None if node.is_folder else facts_of(node.path)
    return compute(chain(node), facts=facts)


def computed_many(items: Iterable[Node]) -> dict[int, Computed | OlimpusError]:
    """Computed definitions of many descriptors, or the error of each that has none; two queries for any number.

    `items` need `path`, `name` and `definition`.
    """
    items = list(items)
    cascade = Cascade(folders_above(items))
    return {node.pk: _computed_or_error(cascade, node) for node in items}


def folders_above(items: Sequence[Node]) -> dict[str, dict[str, Any]]:
    """Definitions by path of all folders above these nodes."""
    paths = {parent for node in items for parent in parents(node.path)}
    found: dict[str, dict[str, Any]] = {}
    wanted = sorted(paths)
    for start in range(0, len(wanted), 10000):  # SQLite takes 32,766 parameters a statement
        rows = Node.objects.filter(path__in=wanted[start : start + 10000]).order_by()
        found.update(rows.values_list("path", "definition"))
    return found


def parents(path: str) -> Iterable[str]:
    """The paths of all folders above, the nearest first."""
    while path not in ("", "/"):
        path = path.rpartition("/")[0] or "/"
        yield path


def _computed_or_error(cascade: Cascade, node: Node) -> Computed | OlimpusError:
    try:
        return cascade.of(node.path.rpartition("/")[0] or "/", node.name, node.definition)
    except Invalid as error:
        return error


def pending(descriptor: Descriptor, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the definition wants and the hypervisor has not been given yet: {parameter: {"applied", "wanted", "kind"}}."""
    if descriptor.applied is None:
        return {}
    values = as_given(values, descriptor.applied)
    differ = changed(descriptor.applied, values)
    return {
        name: {"applied": descriptor.applied.get(name), "wanted": values.get(name), "kind": kind}
        for kind in ("creation", "run")
        for name in sorted(differ[kind])
    }


# -- drift -------------------------------------------------------------------------------------------------------------


def drift(descriptor: Descriptor, *, busy: bool | None = None) -> list[dict[str, Any]]:
    """Where the hypervisor differs from what we last applied, field by field. Empty while an operation is open."""
    busy = open_operation(descriptor) is not None if busy is None else busy
    seen = descriptor.observed
    if busy or not seen or not up_to_date(descriptor):
        return []
    expected = expectation(descriptor)
    return [
        {"field": field, "expected": value, "observed": seen.get(field)}
        for field, value in expected.items()
        if seen.get(field) != value
    ]


def up_to_date(descriptor: Descriptor) -> bool:
    """Whether the last observation is newer than the last thing we did to the VM."""
    if descriptor.observed_at is None:
        return False
    return descriptor.observed_at >= max(descriptor.state_since, descriptor.settled_at or descriptor.state_since)


def expectation(descriptor: Descriptor) -> dict[str, Any]:
    """What reconcile should see: the power that the state implies and the sizes and cards that were last applied."""
    if descriptor.state not in EXPECTED_POWER:
        return {}
    expected: dict[str, Any] = {"power": str(EXPECTED_POWER[State(descriptor.state)])}
    if descriptor.applied and descriptor.state != State.PROVISIONED:
        size = sizing(descriptor.applied)
        expected |= {"cpus": size.cpus, "memory_mib": size.memory_mib}
        if macs := [nic["mac"] for nic in descriptor.applied.get("nics") or [] if nic.get("mac")]:
            expected["macs"] = macs
    return expected


# -- what is offered ---------------------------------------------------------------------------------------------------


def open_operation(descriptor: Descriptor) -> Operation | None:
    """The operation that holds the descriptor now."""
    try:
        return descriptor.open_operation
    except Operation.DoesNotExist:
        return None


def available(descriptor: Descriptor, user: User) -> list[dict[str, Any]]:
    """Every verb this person may ever use here, in the table's order: {"verb", "enabled", "why"}; no query."""
    operation, access = open_operation(descriptor), access_of(user)
    stand = access.stand(descriptor.path)
    return [
        {"verb": verb, "enabled": not why, "why": why}
        for verb in VERBS.values()
        if access.everything or access.allows(stand, verb.permission)
        for why in [_why_not(verb, descriptor, operation)]
    ]


def _why_not(verb: Verb, descriptor: Descriptor, operation: Operation | None) -> str:
    if operation is not None:
        return _("“%(verb)s” is in progress.") % {"verb": VERBS[operation.verb].label}
    if not allowed_from(verb, descriptor):
        return not_from_here(verb, descriptor)
    hypervisor = descriptor.hypervisor
    if hypervisor is not None and hypervisor.maintenance:
        return _("%(hypervisor)s is in maintenance.") % {"hypervisor": hypervisor.name}
    return ""


def allowed_from(verb: Verb, descriptor: Descriptor) -> bool:
    """Whether the state machine lets the verb begin in the descriptor's state."""
    return can_proceed(verb.begin.__get__(descriptor, type(descriptor)))


def not_from_here(verb: Verb, descriptor: Descriptor) -> str:
    """Why the state does not allow the verb, in words."""
    return _not_from(verb.name, descriptor.state, get_language())


@cache
def _not_from(verb: str, state: str, _language: str | None) -> str:
    """Lists ask for the same few sentences again and again; the language is part of the question."""
    names = dict(CHOICES)
    return _("It is %(state)s; “%(verb)s” needs: %(states)s.") % {
        "state": _(names[state]).lower(),
        "verb": VERBS[verb].label,
        "states": ", ".join(_(names[state]).lower() for state in sources(VERBS[verb])),
    }


def sources(verb: Verb) -> list[str]:
    """The states from which the verb may begin, in the order of life."""
    transitions = verb.begin._django_fsm.transitions  # type: ignore[attr-defined]
    return [value for value, _label in CHOICES if value in transitions or "*" in transitions]


# -- grants, operations, history ---------------------------------------------------------------------------------------


def grants_of(node: Node) -> list[dict[str, Any]]:
    """Grants that hold at the node, nearest first: {"id", "role", "user" | "group", "from", "inherited"}; three queries.

    What is given above a folder that stops inheritance does not hold, so it is not listed.
    """
    way = [*above(node.path), node.path]
    stop = Folder.objects.filter(inherit_grants=False, path__in=way).aggregate(level=Max("level"))["level"] or 0
    on_the_way = {"content_object__path__in": way, "content_object__level__gte": stop}
    rows: list[dict[str, Any]] = []
    for model, holder in ((NodeUserObjectPermission, "user"), (NodeGroupObjectPermission, "group")):
        name = "user__username" if holder == "user" else "group__name"
        found = model.objects.filter(**on_the_way).values_list(
            "pk", "permission__codename", f"{holder}_id", name, "content_object__path"
        )
        rows += [
            {
                "id": f"{holder}-{pk}",
                "role": next(role for role, code in PERMISSION_OF.items() if code == codename),
                holder: holder_name,
                f"{holder}_id": holder_id,
                "from": path,
                "inherited": path != node.path,
            }
            for pk, codename, holder_id, holder_name, path in found
        ]
    return sorted(rows, key=lambda row: (-len(row["from"]), row["role"], str(row.get("user") or row.get("group"))))


def operations(user: User) -> QuerySet[Operation]:
    """Operations on what this person may see, and his own; newest first."""
    rows = Operation.objects.select_related("actor", "hypervisor")
    if access_of(user).everything:
        return rows
    return rows.filter(Q(actor=user) | Q(pk__in=visible(user, Operation.objects.order_by(), path="path").values("pk")))


def results(operation: Operation, user: User) -> QuerySet[Operation]:
    """The per-VM operations of a verb on a folder: all for who asked for it, for others those they may see."""
    rows = operation.children.select_related("node").order_by("path")
    return rows if operation.actor_id == user.pk else visible(user, rows)


def outcome(operation: Operation, user: User) -> dict[str, Any] | None:
    """What came of an operation. Of the machines that were left out, only those are named that this person may see."""
    if not operation.result or "skipped" not in operation.result or operation.actor_id == user.pk:
        return operation.result
    groups = [
        {**group, "paths": [path for path in group["paths"] if can(user, "see", path)]}
        for group in operation.result["skipped"]
    ]
    return {**operation.result, "skipped": groups}


def open_operations(user: User) -> QuerySet[Operation]:
    """What is going on now, parents and single ones."""
    return operations(user).filter(status__in=OPEN, parent=None)


def history(user: User, node: Node) -> QuerySet[Entry]:
    """What happened to this node, newest first."""
    return journal.visible_to(user).filter(node_id=node.pk).order_by("-id")
