"""Reads containerlab's topologies: bridges are shared networks, published ports forwards of a node's first card."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from olimpus.words import gettext as _
from slices.formats.containerlab_words import BRIDGES, DRAWN, HOSTS, ICON, KIND, NAME, OURS, first_cards
from slices.formats.foreign import Source, join_networks
from slices.formats.report import Report
from slices.formats.vertices import Edge, Said, Vertex
from slices.graph import Graph
from slices.naming import Names

_SIZES: Final = {"cpus": "cpu", "memory_mib": "memory"}
_UNDERSTOOD: Final = frozenset({"kind", "group", "image", "labels", "ports", *_SIZES.values()})
_CABLES: Final = frozenset({"", "veth", "veth-stitch"})
_VARIABLE: Final = re.compile(r"\$\{[^{}:]*(?::?[-=]([^{}]*))?\}")
_PIXELS: Final = re.compile(r"-?[0-9]{1,7}(\.[0-9]{1,20})?(e-[0-9]{1,3})?")
_PORT: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+){3}:)?(?:([0-9]{1,5}):)?([0-9]{1,5})(?:/(tcp|udp))?")


def read(text: str | bytes) -> tuple[Graph, Report]:
    """The graph of a topology: bridges are shared networks, published ports are forwards of a node's first card."""
    source = Source(NAME, text)
    _Reader(source).draw()
    return source.graph()


class _Reader:
    def __init__(self, source: Source):
        self._source = source
        self._drawing = source.drawing
        self._bridges: dict[str, Vertex] = {}
        self._names = Names()  # of networks
        self._cards: dict[str, dict[str, str]] = {}  # node → interface → what we call the card
        self._ports: dict[str, list[Said]] = {}
        self._used: set[tuple[str, str]] = set()  # node and interface

    def draw(self) -> None:
        top = self._source.mapping(self._source.data)
        self._source.ignore(sorted(top.keys() - {"name", "topology"}))
        self._topology = self._source.mapping(top.get("topology"), "topology")
        self._source.ignore(
            sorted(self._topology.keys() - {"nodes", "kinds", "groups", "defaults", "links"}), "topology"
        )
        self._parts = {part: self._part(part) for part in ("nodes", "kinds", "groups", "defaults")}
        self._whole(top.get("name"))
        for name, said in self._parts["nodes"].items():
            self._node(name, self._source.mapping(said, "topology", "nodes", name))
        for index, link in enumerate(self._source.listed(self._topology.get("links"), "topology", "links")):
            self._link(self._source.mapping(link, "topology", "links", index), ("topology", "links", index))
        self._forward()
        join_networks(self._drawing, self._source.report)

    def _part(self, part: str) -> Said:
        return self._source.mapping(self._topology.get(part), "topology", part)

    def _whole(self, name: Any) -> None:
        """What is true of all nodes, and of the slice."""
        path = ("topology", "groups", OURS)
        ours = self._source.mapping(self._parts["groups"].pop(OURS, None), *path)
        said = self._labels(ours, *path)[1]
        defaults = self._defaults() | self._source.mapping(said.get("defaults"), *path)
        self._drawing.said = self._source.name(name) | said | ({"defaults": defaults} if defaults else {})
        for part in ("kinds", "groups"):
            for key, value in self._parts[part].items():
                of_all = self._source.mapping(value, "topology", part, key)
                self._source.ignore(sorted(of_all.keys() - _UNDERSTOOD), "topology", part, key)

    def _defaults(self) -> Said:
        said, path = self._parts["defaults"], ("topology", "defaults")
        self._source.ignore(sorted(said.keys() - _UNDERSTOOD), *path)
        self._source.ignore(["ports"] if said.get("ports") else [], *path)
        labels = self._labels(said, *path)[0]
        return self._definition(said, *path) | ({"labels": labels} if labels else {})

    def _node(self, name: str, said: Said) -> None:
        path = ("topology", "nodes", name)
        self._source.ignore(sorted(said.keys() - _UNDERSTOOD), *path)
        kind, group, inherited = self._inherited(said, path)
        labels, ours = self._labels(said, *path)
        if kind in BRIDGES:
            self._bridge(name, self._drawn(labels, path, network=True) | ours, path)
            return
        labels = self._labels(inherited, *path)[0] | labels
        drawn = self._drawn(labels, path)
        labels |= {KIND: kind} if kind not in ("", "linux") else {}
        self._ports[name] = list(self._forwards((inherited | said).get("ports"), path))
        self._cards[name] = _called(ours.pop("cards", None))
        vertex = Vertex(name, self._definition(inherited | said, *path), path, str(ours.pop("name", "")))
        vertex.said |= drawn | ({"labels": labels} if labels else {}) | ({"group": group} if group else {}) | ours
        self._drawing.vertices.append(vertex)

    def _inherited(self, said: Said, path: tuple[str | int, ...]) -> tuple[str, str, Said]:
        """The node's kind, its group, and what both say of it: the group more than the kind."""
        defaults = self._parts["defaults"]
        group = said.get("group", defaults.get("group"))
        of_group = self._said_of("groups", group)
        kind = said.get("kind", of_group.get("kind", defaults.get("kind")))
        of_kind = self._said_of("kinds", kind)
        labels = self._source.mapping(of_kind.get("labels"), *path) | self._source.mapping(
            of_group.get("labels"), *path
        )
        inherited = {**of_kind, **of_group} | ({"labels": labels} if labels else {})
        return self._source.text(kind, *path, "kind"), self._source.text(group, *path, "group"), inherited

    def _said_of(self, part: str, name: Any) -> Said:
        found = self._parts[part].get(name) if isinstance(name, str) else None
        return self._source.mapping(found, "topology", part, str(name))

    def _definition(self, said: Said, *path: str | int) -> Said:
        image = self._expanded(self._source.text(said.get("image"), *path, "image"), *path, "image")
        return ({"image": image} if image else {}) | self._source.sized(said, _SIZES, *path)

    def _expanded(self, text: str, *path: str | int) -> str:
        """The text with the defaults of its environment variables."""
        found = _VARIABLE.sub(lambda match: match[1] or match[0], text)
        if "${" in found:
            self._source.unmap(_("“%s” waits for variables that nobody has set.") % text[:80], *path)
            return ""
        return found

    def _labels(self, said: Said, *path: str | int) -> tuple[Said, Said]:
        """Labels, and what ours among them say."""
        labels, ours = {}, {}
        for key, value in self._source.mapping(said.get("labels"), *path, "labels").items():
            if key.startswith(f"{OURS}-"):
                ours |= self._our(key.removeprefix(f"{OURS}-"), value, *path, "labels", key)
            elif value is None or isinstance(value, (dict, list)):
                self._source.ignore([key], *path, "labels")
            else:
                labels[key] = value
        return labels, ours

    def _our(self, key: str, value: Any, *path: str | int) -> Said:
        if not key.endswith(".json"):
            return {key: value}
        try:
            return {key.removesuffix(".json"): json.loads(self._source.text(value, *path))}
        except (ValueError, RecursionError):
            raise self._source.refuse(_("This is no JSON."), *path) from None

    def _drawn(self, labels: Said, path: tuple[str | int, ...], *, network: bool = False) -> Said:
        """Where the node stands and what it is, taken out of its labels. A network has no role."""
        found: Said = {}
        for key, label in DRAWN.items():
            text = self._source.text(labels.pop(label, None), *path, "labels", label)
            if _PIXELS.fullmatch(text):
                found[key] = float(text) if set(text) & set(".e") else int(text)
            elif text:
                self._source.unmap(_("“%s” is no place on the drawing.") % text[:40], *path, "labels", label)
        icon = self._source.text(labels.pop(ICON, None), *path, "labels", ICON)
        return found | ({"role": icon} if icon and not network else {})

    def _bridge(self, name: str, said: Said, path: tuple[str | int, ...]) -> None:
        called = said["name"] if "name" in said else self._names.take(name)
        vertex = Vertex(name, {"network": True, "name": called, **said}, path)
        self._bridges[name] = vertex
        self._drawing.vertices.append(vertex)

    # Links

    def _link(self, said: Said, path: tuple[str | int, ...]) -> None:
        kind = self._source.text(said.get("type"), *path, "type")
        if kind not in _CABLES or "endpoint" in said:
            told = {"kind": kind[:40] or "endpoint"}
            self._source.unmap(_("A link of the type “%(kind)s” leads out of the slice: left out.") % told, *path)
            return
        ends = self._source.listed(said.get("endpoints"), *path, "endpoints")
        if len(ends) != 2:
            raise self._source.refuse(_("A point-to-point link has two ends, not %d.") % len(ends), *path, "endpoints")
        self._source.ignore(sorted(said.keys() - {"type", "endpoints", "mtu", "labels", "ipv4", "ipv6"}), *path)
        read_ends = [self._end(end, said, place, path) for place, end in enumerate(ends)]
        outside = next((node for node, _name, _said in read_ends if self._leads_out(node)), None)
        if outside is not None:
            told = {"kind": outside}
            self._source.unmap(_("A link of the type “%(kind)s” leads out of the slice: left out.") % told, *path)
        elif not self._twice(read_ends, path):
            self._draw_link(said, read_ends, path)

    def _twice(self, ends: list[tuple[str, str, Said]], path: tuple[str | int, ...]) -> bool:
        """Whether one of the interfaces has its cable already."""
        cards = [(node, name) for node, name, _said in ends if name and node not in self._bridges]
        used = next((card for card in cards if card in self._used), None)
        self._used.update(cards)
        if used:
            message = _("“%s” has its link already: this one is left out.") % ":".join(used)[:80]
            self._source.report.ignore(message, self._source.line(*path))
        return used is not None

    def _draw_link(self, said: Said, ends: list[tuple[str, str, Said]], path: tuple[str | int, ...]) -> None:
        if ends[1][0] in self._bridges and ends[0][0] not in self._bridges:
            ends.reverse()
        labels, ours = self._labels(said, *path)
        self._source.ignore(sorted(labels), *path, "labels")
        edge = Edge(ends[0][0], ends[1][0], {}, path)
        cidrs: list[str] = []
        for side, (node, name, given) in zip(("source", "target"), ends, strict=True):
            cidrs += [given.pop("cidr")] if "cidr" in given else []
            name = self._cards.get(node, {}).get(name, name)
            edge.said |= {f"{side}_{key}": value for key, value in given.items()}
            edge.said |= {f"{side}_name": name} if name else {}
        holder = self._bridges[edge.source].said if edge.source in self._bridges else edge.said
        if said.get("mtu") is not None:
            holder["mtu"] = said["mtu"]
        self._range(holder, cidrs, path)
        edge.said |= ours
        self._drawing.edges.append(edge)

    def _range(self, holder: Said, cidrs: list[str], path: tuple[str | int, ...]) -> None:
        """One range for all addresses of a link."""
        for cidr in cidrs:
            if holder.setdefault("cidr", cidr) != cidr:
                told = {"cidr": cidr, "other": str(holder["cidr"])[:60]}
                self._source.unmap(_("A network has one range: %(cidr)s is not %(other)s.") % told, *path)

    def _leads_out(self, node: str) -> bool:
        return node in HOSTS and node not in self._parts["nodes"]

    def _end(self, end: Any, link: Said, place: int, path: tuple[str | int, ...]) -> tuple[str, str, Said]:
        """Node, interface, and what else is said of the card."""
        here = (*path, "endpoints", place)
        if isinstance(end, dict):
            node, name = (self._source.text(end.get(key), *here, key) for key in ("node", "interface"))
            self._source.ignore(sorted(end.keys() - {"node", "interface", "mac", "ipv4", "ipv6"}), *here)
        else:
            node, _colon, name = self._source.text(end, *here).partition(":")
            end = {}
        given: Said = {"mac": end["mac"]} if end.get("mac") else {}
        for family in ("ipv6", "ipv4"):
            of_link = self._source.listed(link.get(family), *path, family)
            text = end.get(family) or (of_link[place] if place < len(of_link) else "")
            given |= self._addressed(self._source.text(text, *here), here)
        return node, name, given

    def _addressed(self, text: str, path: tuple[str | int, ...]) -> Said:
        if not text:
            return {}
        try:
            address = ipaddress.ip_interface(text)
        except ValueError:
            raise self._source.refuse(_("“%s” is not an address with its prefix length.") % text[:60], *path) from None
        if address.network.num_addresses == 2:
            self._source.unmap(_("%s has no room for machines: other addresses will be given.") % text[:60], *path)
            return {}
        return {"ip": str(address.ip)} | ({"cidr": str(address.network)} if "/" in text else {})

    # Ports

    def _forwards(self, ports: Any, path: tuple[str | int, ...]) -> Iterator[Said]:
        for index, port in enumerate(self._source.listed(ports, *path, "ports")):
            here = (*path, "ports", index)
            text = self._source.text(port, *here)
            found = _PORT.fullmatch(text)
            if found is None or not all(0 < int(number) < 65536 for number in found.group(1, 2) if number):
                self._source.unmap(_("“%s” is no port that can be forwarded.") % text[:60], *here)
                continue
            outside, inside, protocol = found.groups()
            more = ({"protocol": protocol} if protocol else {}) | ({"outside": int(outside)} if outside else {})
            yield {"port": int(inside)} | more

    def _forward(self) -> None:
        """Give each node's forwards to its first card."""
        first = first_cards(self._drawing.edges, self._bridges.keys())
        for name, forwards in self._ports.items():
            if forwards and name in first:
                edge, side = first[name]
                edge.said[f"{side}_forwards"] = forwards + list(edge.said.get(f"{side}_forwards", []))
            elif forwards:
                message = _("“%s” has no card to which ports could be forwarded.") % name[:80]
                self._source.unmap(message, "topology", "nodes", name, "ports")


def _called(cards: Any) -> dict[str, str]:
    """Interface → what we call the card, as far as it says so."""
    return {name: str(card) for name, card in cards.items()} if isinstance(cards, dict) else {}
