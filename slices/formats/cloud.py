"""What an OpenStack makes of a slice: networks, cards and servers, each with an id that its templates can use."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from slices.documents import free_name
from slices.graph import End, Graph, Link, Node
from slices.ipam import Network, addressed, gateway_of

#: Networks of these types are there already.
_THERE: Final = frozenset({"public", "provider"})
_QUESTIONS: Final = {
    "image": {"type": "string", "description": "Image of the servers that name none."},
    "flavor": {"type": "string", "description": "Flavor of the servers that name none."},
    "external_network": {"type": "string", "description": "Network that leads out.", "default": "public"},
}


@dataclass(frozen=True)
class Net:
    """A link's network. `range` is None for one that is there already, whose name is the link's or its first alias."""

    id: str
    link: Link
    range: Network | None
    gateway: str = ""

    @property
    def name(self) -> str:
        """What the cloud calls it."""
        aliases = self.link.options.get("aliases") or {}
        return str(next(iter(aliases.values()), self.link.name)) if self.range is None else self.link.name

    @property
    def leads_out(self) -> bool:
        """Whether a router connects it with the outside."""
        return self.range is not None and self.link.options.get("type") == "nat"


@dataclass(frozen=True)
class Card:
    """A machine's card; `ip` is "" where the cloud gives one."""

    id: str
    net: Net
    end: End
    ip: str


@dataclass(frozen=True)
class Server:
    """A machine with its whole definition, in which its own name is said."""

    id: str
    node: Node
    definition: Mapping[str, Any]
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True)
class Cloud:
    """All of a slice."""

    name: str
    description: str
    nets: tuple[Net, ...] = ()
    servers: tuple[Server, ...] = field(default=())

    @property
    def cards(self) -> list[tuple[Server, Card]]:
        """All cards, each with its server."""
        return [(server, card) for server in self.servers for card in server.cards]

    @property
    def led_out(self) -> tuple[Net, ...]:
        """The networks that the router connects."""
        return tuple(net for net in self.nets if net.leads_out)

    @property
    def needs_outside(self) -> bool:
        """Whether somebody must say what the network outside is called."""
        return bool(self.led_out) or any(card.end.card.get("floating") for _server, card in self.cards)


def cloud_of(graph: Graph) -> Cloud:
    """The slice with a range for each network. CapacityExceeded when there are no more."""
    graph = addressed(replace(graph, links=tuple(map(_with_way_out, graph.links))))
    ids = _Ids()
    nets = {link.name: _net(link, ids) for link in graph.links}
    cards = graph.cards()
    servers = []
    for node in graph.nodes:
        id_ = ids.take(node.name)
        own = tuple(
            Card(ids.take(f"{id_}_{number}"), nets[link.name], end, _fixed(end, nets[link.name]))
            for number, (link, end) in enumerate(cards[node.name])
        )
        servers.append(Server(id_, node, _said({**graph.defaults, **node.definition}, node.name), own))
    return Cloud(graph.name or "slice", graph.description, tuple(nets.values()), tuple(servers))


def _with_way_out(link: Link) -> Link:
    """The link; a floating address needs a router that leads to it."""
    floating = any(end.card.get("floating") for end in link.ends)
    return replace(link, options={**link.options, "type": "nat"}) if floating and not _is_there(link) else link


def _is_there(link: Link) -> bool:
    return link.options.get("type") in _THERE or bool(link.options.get("aliases"))


def _net(link: Link, ids: _Ids) -> Net:
    there = not link.cidr or _is_there(link)
    range_ = None if there else ipaddress.ip_network(link.cidr)
    return Net(ids.take(link.name), link, range_, gateway_of(link, range_) if range_ else "")


def _fixed(end: End, net: Net) -> str:
    inside = net.range is None or (bool(end.ip) and ipaddress.ip_address(end.ip) in net.range)
    return end.ip if inside else ""


def _said(definition: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Texts with the machine's own name in them, and without what only our own references need."""
    return {
        key: value.replace("$${", "\0").replace("${name}", name).replace("\0", "${")
        if isinstance(value, str)
        else value
        for key, value in definition.items()
        if value is not None
    }


class _Ids:
    """Gives ids of letters, digits, _ and -, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        text = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
        found = free_name(text if text[:1].isalpha() else f"x_{text}", self._taken)
        self._taken.add(found)
        return found


def questions(cloud: Cloud) -> dict[str, dict[str, str]]:
    """What somebody has to say before it can be made: name → type, description and default, as both templates ask."""
    wanted = {name for name in ("image", "flavor") if any(name not in server.definition for server in cloud.servers)}
    wanted |= {"external_network"} if cloud.needs_outside else set()
    return {name: dict(said) for name, said in _QUESTIONS.items() if name in wanted}
