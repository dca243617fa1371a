"""Reads of slices: which ones a person sees, each as a graph, and how its machines are doing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import selectors
from descriptors.cascade import Cascade
from descriptors.models import Descriptor, Kind, Nic, Node, Operation
from descriptors.permissions import access_of, visible, within
from descriptors.states import OFF, State
from hypervisors.models import Hypervisor
from olimpus.errors import Invalid, NotFound
from slices import documents
from slices.graph import Graph
from slices.models import Deployment, Draft, NameMapping, Visit
from slices.treeform import Tree, graph_of

#: What a person must be allowed at the folder, for what can be done with a slice.
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "edit": ("edit",),
    "plan": ("create",),
    "deploy": ("create", "start"),
    "undo": ("destroy", "delete"),
    "teardown": ("destroy", "delete"),
}
#: A node's health, the worst first; a slice is as well as the worst of its nodes.
HEALTHS: Final = ("failed", "unknown", "drifted", "busy", "ok")


# -- which -------------------------------------------------------------------------------------------------------------


def every(user: User, *, templates: bool = False) -> QuerySet[Node]:
    """The slices that this person may see, or the templates among them, by path."""
    found = Node.objects.filter(kind=Kind.FOLDER, definition__has_key="slice").exclude(definition__slice=None)
    if templates:
        found = found.filter(definition__slice__template=True)
    return visible(user, found).order_by("path")


def get(user: User, key: int) -> Node:
    """The folder of the slice with this id. NotFound when it is not there, not visible, or no slice."""
    node = selectors.get(user, key)
    if not is_slice(node):
        raise NotFound(_("This is no slice."), where=node.path)
    return node


def hold(folder: Node) -> None:
    """Nobody removes it before this transaction ends. NotFound when somebody has."""
    if not Node.objects.select_for_update().filter(pk=folder.pk).exists():
        raise NotFound(_("It was removed meanwhile."), where=folder.path)


def is_slice(node: Node) -> bool:
    """Whether the folder's own definition says that it is one."""
    return node.is_folder and isinstance(node.definition.get("slice"), dict)


# -- as a graph --------------------------------------------------------------------------------------------------------


def machines(folder: Node) -> QuerySet[Descriptor]:
    """The machines of a slice, in the order of its nodes, with what tells how they are."""
    return Descriptor.objects.filter(parent=folder).select_related("hypervisor", "open_operation").order_by("lft")


def tree(folder: Node) -> Tree:
    """The definitions of a slice, as they are. One query."""
    rows = Node.objects.filter(parent=folder, kind=Kind.DESCRIPTOR).order_by("lft")
    return Tree(folder.definition, dict(rows.values_list("name", "definition")))


def graph(folder: Node) -> Graph:
    """What the tree says. One query."""
    return graph_of(folder.name, tree(folder))


def draft(folder: Node) -> Draft | None:
    """What somebody draws; None when nothing differs from the tree."""
    return Draft.objects.select_related("author").filter(folder=folder.pk).exclude(document=None).first()


def version(folder: Node) -> int:
    """The version that a save of the draft must name."""
    return Draft.objects.filter(folder=folder.pk).values_list("version", flat=True).first() or 0


@dataclass(frozen=True)
class Company:
    """Of one slice: who has it open to edit it (visit → name), and who changed it last, when, to which version."""

    visits: Mapping[int, str]
    version: int = 0
    by: str = ""
    at: datetime | None = None


def company(folders: Collection[int]) -> dict[int, Company]:
    """Folder → who is there, and what was saved last. Two queries for any number."""
    here: defaultdict[int, dict[int, str]] = defaultdict(dict)
    open_now = Visit.objects.filter(folder__in=folders, valid_until__gte=timezone.now()).order_by("pk")
    for pk, folder, name in open_now.values_list("pk", "folder_id", "user__username"):
        here[folder][pk] = name
    saved = Draft.objects.filter(folder__in=folders).values_list("folder_id", "version", "author__username", "saved_at")
    last = {folder: (version, by or "", at) for folder, version, by, at in saved}
    return {folder: Company(here[folder], *last.get(folder, ())) for folder in folders}


def last_deployment(folder: Node) -> Deployment | None:
    """The last change that can be undone."""
    return Deployment.objects.filter(folder=folder.pk, kind="deploy", undone=False).order_by("-created_at").first()


def hypervisor(user: User, name: str) -> Hypervisor:
    """The hypervisor of this name. NotFound, as if there were none, for who is not in charge of it and may create machines
    in no folder that offers it.
    """
    found = Hypervisor.objects.filter(name=name).first()
    if found is None or not (found.managed_by(user) or _is_offered(user, name)):
        raise NotFound(_("There is no hypervisor “%s”.") % name, where="hypervisor")
    return found


def _is_offered(user: User, name: str) -> bool:
    """Whether it is in the inherited list `hypervisors` of a folder in which this person may create; without one all are."""
    mine = visible(user, Node.objects.filter(kind=Kind.FOLDER), "create")
    outermost = Q(parent=None) | ~within("parent__path", access_of(user).intervals("create"))
    folders = list(mine.filter(outermost | Q(definition__has_key="hypervisors")))
    return any(offered is None or name in offered for offered in _inherited(folders, "hypervisors"))


def remembered(user: User, hypervisor: str) -> dict[str, dict[str, str]]:
    """Kind → foreign name → ours, as this person said last for this hypervisor, or else whoever said it last."""
    found: dict[str, dict[str, str]] = {}
    rows = NameMapping.objects.filter(hypervisor__name=hypervisor).order_by("saved_at")
    for row in sorted(rows, key=lambda row: row.author_id == user.pk):
        found.setdefault(row.kind, {})[row.foreign] = row.ours
    return found


# -- how it is ---------------------------------------------------------------------------------------------------------


def allowed(user: User, folder: Node) -> list[str]:
    """What this person may do with it now."""
    access = access_of(user)
    found = [what for what, needs in NEEDS.items() if all(access.can(need, folder.path) for need in needs)]
    return [what for what in found if what != "undo" or last_deployment(folder)]


def status(user: User, folder: Node) -> dict[str, Any]:
    """How each node is, and all of them together. A fixed number of queries, whatever the size."""
    found = [machine for machine in machines(folder) if access_of(user).can("see", machine.path)]
    cards: dict[int, list[str]] = {}
    held = Nic.objects.filter(descriptor__parent=folder, ip__isnull=False).order_by("position")
    for pk, ip in held.values_list("descriptor_id", "ip"):
        cards.setdefault(pk, []).append(ip)
    rows = [_row(user, machine, cards.get(machine.pk, [])) for machine in found]
    verbs = Counter(str(row["stage"]["verb"]) for row in rows if row["stage"])
    states = Counter(row["state"] for row in rows)
    return {
        "status": verdict(states, verbs),
        "health": next((health for health in HEALTHS if any(row["health"] == health for row in rows)), "ok"),
        "progress": progress(states, verbs),
        "nodes": rows,
    }


def verdict(states: Mapping[str, int], verbs: Mapping[str, int]) -> str:
    """One word for all of them: states → number, verbs that are under way → number."""
    total = sum(states.values())
    if not total:
        return "empty"
    if verbs:
        return "tearing_down" if "destroy" in verbs else "deploying"
    failed, running = states.get(State.FAILED, 0), states.get(State.RUNNING, 0)
    if failed:
        return "failed" if failed == total else "degraded"
    if running == total:
        return "running"
    if states.get(State.PROVISIONED) == total:
        return "defined"
    return "stopped" if sum(states.get(state, 0) for state in OFF) == total else "partial"


def progress(states: Mapping[str, int], verbs: Mapping[str, int]) -> dict[str, int]:
    """How far they are."""
    off = sum(states.get(state, 0) for state in OFF)
    return {
        "total": sum(states.values()),
        "running": states.get(State.RUNNING, 0),
        "failed": states.get(State.FAILED, 0),
        "stopped": off,
        "defined": states.get(State.PROVISIONED, 0),
        "busy": sum(verbs.values()),
    }


def _row(user: User, machine: Descriptor, cards: Sequence[str]) -> dict[str, Any]:
    operation = selectors.open_operation(machine)
    return {
        "name": machine.name,
        "id": machine.pk,
        "path": machine.path,
        "state": machine.state,
        "health": _health(machine, operation),
        "error": machine.reason or _told(operation),
        "stage": _stage(operation),
        "ips": list(dict.fromkeys([*cards, *((machine.observed or {}).get("addresses") or [])])),
        "hypervisor": machine.hypervisor.name if machine.hypervisor else "",
        "host": machine.host,
        "ways": _ways(user, machine),
    }


def _health(machine: Descriptor, operation: Operation | None) -> str:
    if machine.state == State.FAILED:
        return "failed"
    if machine.silent:
        return "unknown"
    if operation is not None:
        return "busy"
    return "drifted" if machine.drifted else "ok"


def _told(operation: Operation | None) -> str:
    """Why the last attempt of what is under way did not succeed."""
    return str((operation.error or {}).get("message") or "") if operation else ""


def _stage(operation: Operation | None) -> dict[str, Any] | None:
    if operation is None:
        return None
    return {
        "operation": str(operation.pk),
        "verb": operation.verb,
        "status": str(operation.status),
        "attempts": operation.attempts,
        "since": operation.started_at or operation.created_at,
    }


def _ways(user: User, machine: Descriptor) -> list[dict[str, Any]]:
    """How its owner comes to it: its console, and what its hypervisor makes."""
    ways: list[dict[str, Any]] = [dict(way) for way in selectors.entrances(machine)]
    if machine.state != State.PROVISIONED and selectors.may_have_console(machine, user):
        command = f"olimpus console {machine.path}"
        ways.insert(0, {"kind": "console", "address": "", "port": 0, "target": machine.path, "command": command})
    return ways


# -- lists -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tallied:
    """A slice's machines, counted."""

    states: Counter[str]
    verbs: Counter[str]
    hypervisors: set[str]


def rows(folders: Sequence[Node]) -> list[dict[str, Any]]:
    """Slices as lists show them; three queries for any number."""
    tallied, names = _tallied(folders), _named(folders)
    return [_listed(folder, tallied[folder.pk], names[folder.pk]) for folder in folders]


def _listed(folder: Node, tally: Tallied, hypervisor: str) -> dict[str, Any]:
    said = folder.definition["slice"]
    return {
        "id": folder.pk,
        "path": folder.path,
        "name": folder.name,
        "description": said.get("description") or "",
        "template": bool(said.get("template")),
        "parameters": said.get("parameters") or {},
        "status": verdict(tally.states, tally.verbs),
        "counts": dict(tally.states),
        "nodes": sum(tally.states.values()),
        "links": len(folder.definition.get("networks") or {}),
        "hypervisors": sorted(tally.hypervisors or ({hypervisor} if hypervisor else set())),
    }


def _tallied(folders: Iterable[Node]) -> dict[int, Tallied]:
    found = {folder.pk: Tallied(Counter(), Counter(), set()) for folder in folders}
    rows = Descriptor.objects.filter(parent__in=list(found)).order_by()
    columns = ("parent_id", "state", "open_operation__verb", "hypervisor__name", "definition__hypervisor")
    for pk, state, verb, on, wanted, number in rows.values_list(*columns).annotate(n=Count("pk")):
        found[pk].states[state] += number
        found[pk].verbs.update({verb: number} if verb else {})
        found[pk].hypervisors.update({on or wanted} - {None, ""})
    return found


def _named(folders: Sequence[Node]) -> dict[int, str]:
    """The hypervisor that each folder's definition comes to."""
    named = _inherited(folders, "hypervisor", otherwise="")
    return {folder.pk: str(name or "") for folder, name in zip(folders, named, strict=True)}


def _inherited(folders: Sequence[Node], parameter: str, *, otherwise: object = ()) -> Iterator[Any]:
    """What each folder's definition comes to, as far as this parameter goes; `otherwise` where it is contradictory."""
    cascade = Cascade(selectors.folders_above(folders) | {folder.path: folder.definition for folder in folders})
    for folder in folders:
        try:
            yield cascade.of_folder(folder.path).values.get(parameter)
        except Invalid:
            yield otherwise


def document(folder: Node) -> dict[str, Any]:
    """The tree as the own document. One query."""
    return documents.write(graph(folder))
