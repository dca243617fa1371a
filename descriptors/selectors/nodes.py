"""Nodes that a person may see: one, many, lists with filters, counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors.access import Access, Mark, end_of, key_of
from descriptors.models import Descriptor, Kind, Node
from descriptors.names import above
from descriptors.permissions import access_of, can, one_of, visible, within
from descriptors.states import CHOICES, State
from olimpus.db import containing
from olimpus.errors import Invalid, NotFound

#: What a row of a list shows beside the node itself.
RELATED = ("folder", "descriptor", "descriptor__hypervisor", "descriptor__open_operation")
#: Attention first: what failed, what moves, what runs, the rest.
URGENCY = Case(
    When(state=State.FAILED, then=Value(0)),
    When(state__in=[State.STARTING, State.STOPPING], then=Value(1)),
    When(state__in=[State.RUNNING, State.PAUSED], then=Value(2)),
    default=Value(3),
    output_field=IntegerField(),
)


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
    found = filtered(found, kind=kind, state=state, hypervisor=hypervisor, q=q, label=label, custom=custom)
    return found.order_by("-kind", "name") if not recursive else found.order_by("path")


def filtered(
    found: QuerySet[Node],
    *,
    kind: str = "",
    state: Collection[str] = (),
    hypervisor: str = "",
    q: str = "",
    label: Collection[str] = (),
    custom: Collection[str] = (),
) -> QuerySet[Node]:
    """Of these nodes those that the filters of `listing` let through. Invalid for a filter that makes no sense."""
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
    return found


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
