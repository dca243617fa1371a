"""Plans: what a slice shall become, where each machine lands and why, kept by their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import selectors as nodes
from descriptors.cascade import Cascade, Computed
from descriptors.definition import changed
from descriptors.models import Descriptor, Node
from descriptors.peers import names_in, peers_in
from descriptors.permissions import require
from descriptors.states import State
from hypervisors.models import Claim
from hypervisors.placement import RESOURCES, Reason, Strategy
from olimpus.db import retry_on_deadlock
from olimpus.errors import Invalid, NotFound
from slices import documents, guests, ipam, joins, selectors, sites
from slices.graph import Graph
from slices.models import Draft, Plan
from slices.plan import PINS, Refusal, Row, Running, Site, Wish
from slices.plan import Plan as Planned
from slices.plan import plan as planned
from slices.plan.shape import ADD, ANEW, CHANGE, KEEP
from slices.treeform import Choices, Tree, chosen_in, differences, graph_of, tree_of

Sites = Mapping[str, Site]
#: Plans that are kept of a slice.
KEPT: Final = 20
#: What a plan asks of a definition.
ASKED: Final = ("hypervisor", "hypervisors", "image", "flavor", "host", "availability_zone", "user_data", *RESOURCES)
#: Why a flavor is as it is, when somebody has said so: the plan chooses nothing then.
SAID: Final = frozenset({"flavor_said", "sizes_said", "flavor_default", "flavor_by_hand"})
#: And when it stays what it is.
KEPT_SIZE: Final = frozenset({"flavor_kept", "flavor_larger"})


@dataclass(frozen=True)
class Asked:
    """How to plan. `pins` are places by node; `document` None: what is drawn, or else what is in the tree."""

    strategy: Strategy = Strategy.SPREAD
    optimise: bool = True
    pins: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Standing:
    """A slice's definitions as they are, its machines, and what tells whether all of it is still so."""

    tree: Tree
    machines: Mapping[str, Descriptor]
    draft: Draft | None
    versions: tuple[Any, ...]

    def basis(self, document: object) -> str:
        """The digest of what is, and of what is wanted."""
        said = json.dumps([self.versions, document], sort_keys=True, default=str, separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()


def plan(folder: Node, *, actor: User, asked: Asked | None = None) -> Plan:
    """What the slice would become and where; kept, so that exactly this can be deployed. Nothing else is changed.

    Hypervisors may be asked. Invalid with all faults of the document; what does not fit is in the plan's refusals.
    Forbidden for who may create nothing there: what is free on hypervisors is not his business.
    """
    require(actor, "create", folder)
    asked, standing = asked or Asked(), stand(folder)
    graph = wanted(folder, standing, asked.document)
    resolved = _resolved(folder, graph, standing)
    known = sites.gather(_looked_at(resolved, standing))
    if (whole := _joined(graph, resolved, known)) is not graph:
        graph, resolved = whole, _resolved(folder, whole, standing)
    if asked.pins:
        graph = _pinned(graph, resolved, asked.pins, known)
        resolved = _resolved(folder, graph, standing)
    found = _planned(folder, graph, resolved, standing, known, asked)
    document = documents.write(graph)
    told = _told(graph, resolved)
    rows = tuple(_noted(row, standing, told.get(row.node)) for row in found.rows)
    found = replace(found, basis=standing.basis(document), rows=rows)
    return _kept(folder, found, document, _choices(found, standing, known, told))


def shown(folder: Node, digest: str = "", *, actor: User) -> Plan:
    """The plan of this digest, or the last one. NotFound; Forbidden as with `plan`."""
    require(actor, "create", folder)
    found = Plan.objects.filter(folder=folder.pk).order_by("-shown_at", "-pk")
    plan = (found.filter(digest=digest) if digest else found).first()
    if plan is None:
        raise NotFound(_("There is no such plan."), where="digest", hint=_("Plan it first."))
    return plan


def stand(folder: Node) -> Standing:
    """The slice as it is now. Two queries."""
    rows = list(selectors.machines(folder))
    draft = Draft.objects.filter(folder=folder.pk).first()
    versions = (folder.version, draft.version if draft else 0, [(row.name, row.version) for row in rows])
    tree = Tree(folder.definition, {row.name: row.definition for row in rows})
    return Standing(tree, {row.name: row for row in rows}, draft, versions)


def wanted(folder: Node, standing: Standing, document: object = None) -> Graph:
    """What the slice shall become, with addresses: by this document, else as it is drawn, else as it is. Invalid."""
    if document is None and standing.draft is not None:
        document = standing.draft.document
    graph = graph_of(folder.name, standing.tree) if document is None else documents.read(document)
    graph = ipam.addressed(replace(graph, name=folder.name))
    ipam.check_addresses(graph)
    return graph


# -- asking ------------------------------------------------------------------------------------------------------------


def _planned(folder: Node, graph: Graph, resolved: Graph, standing: Standing, known: Sites, asked: Asked) -> Planned:
    before = graph_of(folder.name, standing.tree)
    difference, running = differences(before, graph), _running(standing, known)
    recreated = dict(_recreated(folder, graph, standing, difference.changed))
    anew = _anew(before, graph, standing, recreated)
    wish = Wish(
        strategy=asked.strategy,
        optimise=asked.optimise,
        running=running,
        changed=frozenset(difference.changed),
        anew=anew,
        networks={link.name: link.cidr for link in before.links if any(name in running for name in link.nodes)},
    )
    found = planned(resolved, known.values(), wish)
    at = {row.node: row.hypervisor for row in found.rows}
    more = [
        *_unchangeable(standing, {name: names for name, names in recreated.items() if name not in anew}),
        *_moved(found.rows, running),
        *sites.unserved(graph, at),
    ]
    return replace(found, refusals=(*found.refusals, *more))


def _looked_at(resolved: Graph, standing: Standing) -> set[str]:
    """Names of the hypervisors that its nodes ask for: those offered here, and those that its machines are on."""
    named = {_hypervisor(node.definition, resolved) for node in resolved.nodes}
    offered = resolved.defaults.get("hypervisors")
    used = {machine.hypervisor.name for machine in standing.machines.values() if machine.hypervisor}
    return named if offered is None else named & {*offered, *used}


def _hypervisor(definition: Mapping[str, Any], graph: Graph) -> str:
    return str(definition.get("hypervisor") or graph.defaults.get("hypervisor") or "")


def _joined(graph: Graph, resolved: Graph, known: Sites) -> Graph:
    """The graph with the gateways that its nodes on these hypervisors need, and their addresses as far as there is room."""
    at = {node.name: _hypervisor(node.definition, resolved) for node in resolved.nodes}
    images = {node.name: str(node.definition.get("image") or "") for node in resolved.nodes}
    found = joins.joined(graph, {node: site for node, site in at.items() if site in known}, images)
    return graph if found is graph else ipam.addressed(found)


def _resolved(folder: Node, graph: Graph, standing: Standing) -> Graph:
    """The graph with definitions as machines will have them, of what a plan asks: folders' and prototypes' included."""
    cascade = _cascade(folder, tree_of(graph, standing.tree))
    above = {folder.path, *nodes.parents(folder.path)}
    inherited = {name: value for name, value in cascade.of_folder(folder.path).values.items() if name in ASKED}
    begun = {name: _begun(machine) for name, machine in standing.machines.items()}
    said = {node.name: {**begun.get(node.name, {}), **node.definition} for node in graph.nodes}
    computed = {name: cascade.of(folder.path, name, own) for name, own in said.items()}
    machines = [replace(node, definition=_own(computed[node.name], above)) for node in graph.nodes]
    return replace(graph, defaults=inherited, nodes=tuple(machines))


def _begun(machine: Descriptor) -> dict[str, str]:
    """What was chosen for a machine that is being made just now: that is where it lands, whatever is planned meanwhile."""
    chosen = chosen_in(machine.definition) if _is_being_made(machine) else {}
    return {name: value for name, value in chosen.items() if name != "user_data"}


def _is_being_made(machine: Descriptor) -> bool:
    return not stands(machine) and nodes.open_operation(machine) is not None


def _cascade(folder: Node, tree: Tree) -> Cascade:
    return Cascade(nodes.folders_above([folder]) | {folder.path: tree.folder})


def _own(computed: Computed, above: set[str]) -> dict[str, Any]:
    """What the machine itself says, or the prototype that it names."""
    values = {name: value for name, value in computed.values.items() if name in ASKED}
    return {name: value for name, value in values.items() if computed.origins.get(name) not in above}


def _pinned(graph: Graph, resolved: Graph, pins: Mapping[str, str], known: Sites) -> Graph:
    """The graph in which the nodes ask for the places that somebody chose by hand."""
    if strangers := sorted(pins.keys() - {node.name for node in graph.nodes}):
        raise Invalid(_("There is no node “%s”.") % strangers[0], where=f"pins.{strangers[0]}")
    found = list(graph.nodes)
    for index, (node, as_made) in enumerate(zip(graph.nodes, resolved.nodes, strict=True)):
        site = known.get(_hypervisor(as_made.definition, resolved))
        parameter = PINS.get(site.kind) if site else None
        if node.name in pins and parameter:
            found[index] = replace(node, definition={**node.definition, parameter: pins[node.name]})
    return replace(graph, nodes=tuple(found))


def _running(standing: Standing, known: Sites) -> dict[str, Running]:
    """The machines that are on a hypervisor, with what they have there."""
    there = {name: machine for name, machine in standing.machines.items() if stands(machine)}
    held = Claim.objects.filter(uid__in=[machine.uid for machine in there.values()])
    hosts = dict(held.values_list("uid", "host"))
    found = {}
    for name, machine in there.items():
        applied, size = machine.applied or {}, nodes.known_size(machine.applied or {})
        on = _on(machine)
        worker = on in known and known[on].kind == "worker"
        place = (hosts.get(machine.uid) or machine.host) if worker else applied.get("availability_zone")
        sizes = {resource: getattr(size, resource) for resource in RESOURCES} if size else {}
        chosen, node = "flavor" in chosen_in(machine.definition), machine.definition.get("node") or {}
        how = {"chosen": chosen, "marked": bool(node.get("critical"))}
        found[name] = Running(on, str(place or ""), str(applied.get("flavor") or ""), **sizes, **how)
    return found


def stands(machine: Descriptor) -> bool:
    """Whether it is on a hypervisor, as far as we know."""
    return machine.state != State.PROVISIONED and bool(machine.vm_ref)


def _on(machine: Descriptor) -> str:
    return machine.hypervisor.name if machine.hypervisor else ""


def _recreated(folder: Node, graph: Graph, standing: Standing, names: Iterable[str]) -> Iterable[tuple[str, list[str]]]:
    """(machine that exists and would have to be made anew, because of these parameters) of these nodes."""
    tree = tree_of(graph, standing.tree)
    before, after = _cascade(folder, standing.tree), _cascade(folder, tree)
    for name in names:
        machine = standing.machines[name]
        if not stands(machine):
            continue
        old = before.of(folder.path, name, standing.tree.machines[name]).values
        creation = changed(old, after.of(folder.path, name, tree.machines[name]).values)["creation"]
        if creation := creation - set(PINS.values()):
            yield name, sorted(creation)


def _unchangeable(standing: Standing, recreated: Mapping[str, list[str]]) -> Iterable[Refusal]:
    """Machines are not made anew: what is on their disks is somebody's."""
    for name, names in recreated.items():
        yield Refusal(name, _on(standing.machines[name]), Reason("recreate", {"names": names}))


def _anew(before: Graph, graph: Graph, standing: Standing, recreated: Mapping[str, list[str]]) -> dict[str, Reason]:
    """Gateways that are made anew, and why: nothing on their disks is anybody's."""
    machines = {name: standing.machines.get(name) for name in joins.gateways(graph)}
    renewed = {name for name, machine in machines.items() if _is_to_come(machine)}
    told = {name: _was_told(machine) for name, machine in machines.items() if machine and stands(machine)}
    found = {name: Reason("gateway_anew", {"names": recreated[name]}) for name in told.keys() & recreated.keys()}
    found |= {name: Reason("tunnels_anew") for name in joins.outdated(graph, told, renewed)}
    return {
        name: replace(reason, params={**reason.params, "links": joins.joined_by(before, name)})
        for name, reason in found.items()
    }


def _was_told(machine: Descriptor) -> joins.Told:
    """What the gateway was told when it was made."""
    made = machine.applied or machine.definition
    names = names_in(str(made.get("user_data") or "")) or peers_in(made)
    floating = (str(nic.get("ip") or "") for nic in made.get("nics") or [] if nic.get("floating"))
    return joins.Told(frozenset(names), frozenset(floating))


def _noted(row: Row, standing: Standing, told: Mapping[str, str] | None) -> Row:
    """With a note for a machine that exists, and would be told other routes if it were made now."""
    if told is None or row.change not in (KEEP, CHANGE) or not stands(standing.machines[row.node]):
        return row
    before = chosen_in(standing.machines[row.node].definition).get("user_data", "")
    ways, leads = guests.lacking(before, told["user_data"])
    note = Reason("leads_not" if leads else "routes_kept", {"ways": ways})
    return replace(row, note=note) if ways or leads else row


def _moved(rows: Iterable[Row], running: Mapping[str, Running]) -> Iterable[Refusal]:
    """Machines that exist do not move."""
    for row in rows:
        here = running.get(row.node)
        if here and row.change in (CHANGE, ANEW) and here.place and row.place and row.place != here.place:
            yield Refusal(row.node, row.hypervisor, Reason("moves", {"here": here.place, "place": row.place}))


def _is_to_come(machine: Descriptor | None) -> bool:
    """Whether it gets an address outside that nobody has been told."""
    return machine is None or (machine.state == State.PROVISIONED and nodes.open_operation(machine) is None)


# -- keeping -----------------------------------------------------------------------------------------------------------


def _told(graph: Graph, resolved: Graph) -> dict[str, dict[str, str]]:
    """Node → the user data that it needs, where nobody has given another one; a gateway does not inherit any."""
    ours = joins.gateways(graph)
    inherited = resolved.defaults.get("user_data")
    said = {n.name for n in resolved.nodes if n.definition.get("user_data") or (inherited and n.name not in ours)}
    return {name: {"user_data": text} for name, text in guests.user_data(graph).items() if name not in said}


def _choices(found: Planned, standing: Standing, known: Sites, told: Mapping[str, Mapping[str, str]]) -> Choices:
    """What the plan chose for machines that are to be made or made anew, and how large those become that change."""
    choices = {}
    for row in found.rows:
        machine = standing.machines.get(row.node)
        before = chosen_in(machine.definition) if machine else {}
        if row.change in (CHANGE, ANEW):
            rest = {name: value for name, value in before.items() if name != "flavor"}
            again = told.get(row.node, {}) if row.change == ANEW else {}
            choices[row.node] = rest | _flavor(row, before) | again
        elif row.change == ADD and not (machine and _is_being_made(machine)):
            choices[row.node] = _flavor(row, {}) | _place(row, known.get(row.hypervisor)) | told.get(row.node, {})
    return choices


def _flavor(row: Row, before: Mapping[str, str]) -> dict[str, str]:
    if row.flavor_reason.code in KEPT_SIZE:
        return {name: value for name, value in before.items() if name == "flavor"}
    return {} if row.flavor_reason.code in SAID or not row.flavor else {"flavor": row.flavor}


def _place(row: Row, site: Site | None) -> dict[str, str]:
    parameter = PINS.get(site.kind) if site else None
    return {parameter: row.place} if parameter and row.place else {}


@retry_on_deadlock
def _kept(folder: Node, found: Planned, document: dict[str, Any], choices: Choices) -> Plan:
    selectors.hold(folder)
    values = {"basis": found.basis, "document": document, "shown": found.to_json(), "choices": choices}
    values["shown_at"] = timezone.now()
    plan, _new = Plan.objects.update_or_create(folder_id=folder.pk, digest=found.digest, defaults=values)
    old = Plan.objects.filter(folder=folder.pk).order_by("-shown_at", "-pk").values_list("pk", flat=True)[KEPT:]
    Plan.objects.filter(pk__in=list(old)).delete()
    return plan
