"""What a plan is made of and what it says: plain, frozen data that goes to JSON and comes back the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final

from hypervisors.flavors import PREDEFINED
from hypervisors.placement import Named, Place, Reason, Strategy

Json = dict[str, Any]
#: Kind of a site's places → the parameter of a definition that pins a machine to one.
PINS: Final = {"worker": "host", "zone": "availability_zone"}
ADD, REMOVE, CHANGE, ANEW, KEEP = "add", "remove", "change", "anew", "keep"


# -- what is given -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """A hypervisor as a place for nodes.

    `places` are its zones or workers, as `kind` says; None: it has none to choose from. `images` None: nobody knows them,
    and each counts as there. `quota` is what is left of instances, cores, ram (MiB), networks, subnets and ports; what is
    missing or None is unlimited. It `floats` where machines get addresses by which others outside find them.
    """

    name: str
    kind: str = ""
    places: Sequence[Place] | None = None
    flavors: Collection[Named] = tuple(PREDEFINED.values())
    images: Collection[str] | None = None
    quota: Mapping[str, float | None] = field(default_factory=dict)
    floats: bool = False


@dataclass(frozen=True)
class Running:
    """A machine of the slice as it is on its hypervisor. Sizes count as used there: a site's free room is without them.

    `chosen`: a plan gave it its flavor; `marked`: somebody had marked it as critical then.
    """

    hypervisor: str
    place: str = ""
    flavor: str = ""
    cpus: float = 0
    memory_mib: float = 0
    disk_gib: float = 0
    room: str = ""
    chosen: bool = False
    marked: bool = False


@dataclass(frozen=True)
class Wish:
    """How it is to be planned.

    `pins` (node → place) and `flavors` (node → flavor) are set by hand and win over all else. `shown` is a plan whose
    nodes go where it says, or are refused. `running` machines and `networks` (name → range) are there already;
    `changed` are those whose definition or cards are no longer what they run with; those in `anew` are destroyed and
    made again where they are, and why. `basis` names the state of the tree that the plan was made of, and goes into its
    digest.
    """

    strategy: Strategy = Strategy.SPREAD
    optimise: bool = False
    pins: Mapping[str, str] = field(default_factory=dict)
    flavors: Mapping[str, str] = field(default_factory=dict)
    shown: Plan | None = None
    running: Mapping[str, Running] = field(default_factory=dict)
    changed: Collection[str] = frozenset()
    anew: Mapping[str, Reason] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    basis: str = ""


# -- what is said ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One node: what becomes of it, where, how large, and why. `place` "" of one that goes nowhere: `reason` refuses it.

    `room` is the host of a zone that it was reckoned to be on; the hypervisor may choose another.
    """

    node: str
    change: str
    hypervisor: str
    place: str
    room: str
    flavor: str
    cpus: float
    memory_mib: float
    disk_gib: float
    reason: Reason
    flavor_reason: Reason
    #: What whoever deploys it ought to know besides.
    note: Reason | None = None


@dataclass(frozen=True)
class Refusal:
    """What does not fit: a node, or, where `node` is "", the slice as a whole on this hypervisor."""

    node: str
    hypervisor: str
    reason: Reason


@dataclass(frozen=True)
class Net:
    """A network: what becomes of it, and its range."""

    name: str
    change: str
    cidr: str


@dataclass(frozen=True)
class Total:
    """What a place has of the slice when all is done."""

    hypervisor: str
    place: str
    nodes: int
    cpus: float
    memory_mib: float
    disk_gib: float


@dataclass(frozen=True)
class Tunnel:
    """A link with nodes on several hypervisors, and the nodes that lead it from one to the other."""

    link: str
    hypervisors: tuple[str, ...]
    gateways: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Where a slice lands. It can be deployed when it `fits`."""

    rows: tuple[Row, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    networks: tuple[Net, ...] = ()
    totals: tuple[Total, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    basis: str = ""

    @property
    def fits(self) -> bool:
        """Whether nothing is refused."""
        return not self.refusals

    @cached_property
    def digest(self) -> str:
        """The same for two plans that would deploy the same: who goes where in which size, networks and tunnels."""
        rows = [
            (r.node, r.change, r.hypervisor, r.place, r.flavor, r.cpus, r.memory_mib, r.disk_gib) for r in self.rows
        ]
        nets = [(net.name, net.change, net.cidr) for net in self.networks]
        tunnels = [(tunnel.link, tunnel.hypervisors, tunnel.gateways) for tunnel in self.tunnels]
        said = json.dumps([self.basis, self.fits, rows, nets, tunnels], separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()

    def to_json(self) -> Json:
        """All of it as plain JSON types; `from_json` makes the same plan of it."""
        return {**json.loads(json.dumps(asdict(self))), "fits": self.fits, "digest": self.digest}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` said."""
        return cls(
            tuple(Row(**row | _reasons(row)) for row in said["rows"]),
            tuple(Refusal(**refusal | _reasons(refusal)) for refusal in said["refusals"]),
            tuple(Net(**net) for net in said["networks"]),
            tuple(Total(**total) for total in said["totals"]),
            tuple(_tunnel(**tunnel) for tunnel in said["tunnels"]),
            said["basis"],
        )


def _tunnel(link: str, hypervisors: Sequence[str], gateways: Sequence[str] = ()) -> Tunnel:
    return Tunnel(link, tuple(hypervisors), tuple(gateways))


def _reasons(row: Mapping[str, Any]) -> dict[str, Reason]:
    return {name: Reason(**row[name]) for name in ("reason", "flavor_reason", "note") if row.get(name)}
