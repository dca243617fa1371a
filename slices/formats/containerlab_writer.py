"""Writes containerlab's topologies: shared networks are bridges, and cards without a name get one (`eth1`)."""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter, defaultdict
from typing import Final

from descriptors.documents import dump_yaml
from slices.documents import free_name
from slices.formats.containerlab_words import BRIDGES, DRAWN, HOSTS, ICON, KIND, NAME, OURS, first_cards
from slices.formats.vertices import Said, Vertex, drawing_of
from slices.graph import Graph
from slices.naming import spelled

_WORD: Final = re.compile(r"[a-z][a-z0-9_-]*")
_INTERFACE: Final = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,63}")


def write(graph: Graph) -> str:
    """All of the graph; shared networks are bridges, and cards without a name get one (`eth1`)."""
    return dump_yaml(_Writer(graph).data())


class _Writer:
    def __init__(self, graph: Graph):
        self._drawing = drawing_of(graph, NAME)
        self._networks = {vertex.id: vertex for vertex in self._drawing.vertices if vertex.said.get("network") is True}
        self._names = _legal_names([vertex.id for vertex in self._drawing.vertices])
        self._ports = self._forwarded()
        self._interfaces, self._cards = self._named()

    def data(self) -> Said:
        said = dict(self._drawing.said)
        said.pop("olimpus", None)
        name = str(said.pop("name", ""))
        legal = _legal(name) or "slice"
        defaults, rest = _native(said.pop("defaults", {}))
        labels = _ours(said | ({"name": name} if name != legal else {}) | ({"defaults": rest} if rest else {}))
        topology: Said = {"defaults": {"kind": "linux", **defaults}}
        topology |= {"groups": {OURS: {"labels": labels}}} if labels else {}
        topology["nodes"] = dict(self._node(vertex) for vertex in self._drawing.vertices)
        topology["links"] = [self._link(number) for number in range(len(self._drawing.edges))]
        return {"name": legal, "topology": {part: value for part, value in topology.items() if value}}

    def _forwarded(self) -> dict[str, list[str]]:
        """Node → ports of its first card, taken out of what its edge says."""
        found = {}
        for node, (edge, side) in first_cards(self._drawing.edges, self._networks).items():
            if forwards := edge.said.get(f"{side}_forwards"):
                del edge.said[f"{side}_forwards"]
                found[node] = [_published(**forward) for forward in forwards]
        return found

    def _named(self) -> tuple[dict[tuple[int, str], str], dict[str, dict[str, str]]]:
        """(number of an edge, side) → interface, and for each node what we call those that have another name."""
        found: dict[tuple[int, str], str] = {}
        cards: defaultdict[str, dict[str, str]] = defaultdict(dict)
        taken: defaultdict[str, set[str]] = defaultdict(set)
        waiting = []
        for number, edge in enumerate(self._drawing.edges):
            for side, node in (("source", edge.source), ("target", edge.target)):
                name = str(edge.said.pop(f"{side}_name", ""))
                if node in self._networks:
                    found[number, side] = f"v{number + 1}"
                elif _INTERFACE.fullmatch(name) and name not in taken[node]:
                    found[number, side] = name
                    taken[node].add(name)
                else:
                    waiting.append((number, side, node, name))
        counts: Counter[str] = Counter()
        for number, side, node, name in waiting:
            counts[node] += 1
            while f"eth{counts[node]}" in taken[node]:
                counts[node] += 1
            found[number, side] = f"eth{counts[node]}"
            cards[node][found[number, side]] = name
        return found, cards

    def _node(self, vertex: Vertex) -> tuple[str, Said]:
        said, name = dict(vertex.said), self._names[vertex.id]
        if vertex.id in self._networks:
            del said["network"]
            if said["name"] == name == spelled(name):
                del said["name"]
            labels = _placed(said) | _ours(said)
            return name, {"kind": "bridge"} | ({"labels": labels} if labels else {})
        if name != vertex.id:
            said["name"] = vertex.id
        if vertex.id in self._cards:
            said["cards"] = self._cards[vertex.id]
        native, rest = _native(said)
        labels, rest = _labelled(rest)
        kind = {"kind": labels.pop(KIND)} if KIND in labels else {}
        labels |= _ours(rest)
        ports = self._ports.get(vertex.id)
        return name, kind | native | ({"ports": ports} if ports else {}) | ({"labels": labels} if labels else {})

    def _link(self, number: int) -> Said:
        edge = self._drawing.edges[number]
        said = dict(edge.said)
        cidr = said.get("cidr") or self._networks.get(edge.source, Vertex("")).said.get("cidr", "")
        ends = [self._end(number, side, said, str(cidr)) for side in ("source", "target")]
        if any("ipv4" in end or "ipv6" in end for end in ends):
            said.pop("cidr", None)
        mtu = {"mtu": said.pop("mtu")} if said.get("mtu") else {}
        if not said and all(len(end) == 2 for end in ends):
            return {"endpoints": [f"{end['node']}:{end['interface']}" for end in ends], **mtu}
        return {"type": "veth", "endpoints": ends, **mtu, **({"labels": _ours(said)} if said else {})}

    def _end(self, number: int, side: str, said: Said, cidr: str) -> Said:
        edge = self._drawing.edges[number]
        node = edge.source if side == "source" else edge.target
        end: Said = {"node": self._names[node], "interface": self._interfaces[number, side]}
        if mac := said.pop(f"{side}_mac", ""):
            end["mac"] = mac
        if ip := _with_prefix(str(said.get(f"{side}_ip", "")), cidr):
            del said[f"{side}_ip"]
            end["ipv6" if ":" in ip else "ipv4"] = ip
        return end


def _legal(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name).strip("-.")


def _legal_names(names: list[str]) -> dict[str, str]:
    """Each name → one of its own that containerlab takes."""
    taken = set(HOSTS)
    found = {}
    for name in names:
        found[name] = free_name(_legal(name) or "node", taken)
        taken.add(found[name])
    return found


def _native(said: Said) -> tuple[Said, Said]:
    """What containerlab has words for, in them, and the rest."""
    rest, found = dict(said), {}
    for key in ("group", "image"):
        text = rest.get(key)
        if isinstance(text, str) and text and text == text.strip() and "${" not in text and text != OURS:
            found[key] = rest.pop(key)
    if isinstance(rest.get("cpus"), int):
        found["cpu"] = rest.pop("cpus")
    if isinstance(rest.get("memory_mib"), int):
        found["memory"] = f"{rest.pop('memory_mib')}MiB"
    return found, rest


def _labelled(said: Said) -> tuple[Said, Said]:
    """The labels of a node, with its place and its role, and the rest."""
    rest = dict(said)
    labels = rest.get("labels") or {}
    reserved = {*DRAWN.values(), ICON}
    kind = labels.get(KIND, "x")
    fits = isinstance(kind, str) and _WORD.fullmatch(kind) and kind not in BRIDGES | {"linux"}
    found = {}
    if labels and fits and not any(key in reserved or key.startswith(f"{OURS}-") for key in labels):
        found = dict(rest.pop("labels"))
    found |= _placed(rest)
    if (role := rest.get("role", "")) and role == role.strip():
        found[ICON] = rest.pop("role")
    return found, rest


def _placed(said: Said) -> Said:
    """The labels of the place, which is taken out of what is said."""
    return {label: repr(said.pop(key)) for key, label in DRAWN.items() if key in said}


def _ours(said: Said) -> Said:
    """What is said in labels of ours."""
    return dict(
        (f"{OURS}-{key}", value) if isinstance(value, str) else (f"{OURS}-{key}.json", json.dumps(value))
        for key, value in said.items()
    )


def _with_prefix(ip: str, cidr: str) -> str:
    """The address with the prefix length of its range; "" where it is not in it."""
    try:
        network = ipaddress.ip_network(cidr)
        return f"{ip}/{network.prefixlen}" if ipaddress.ip_address(ip) in network else ""
    except ValueError:
        return ""


def _published(port: int, outside: int | None = None, protocol: str = "") -> str:
    """A forward as Docker writes it."""
    return (f"{outside}:" if outside else "") + str(port) + (f"/{protocol}" if protocol else "")
