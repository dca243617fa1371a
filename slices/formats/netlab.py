"""netlab's topologies (YAML), read: nodes and links in each of their spellings; what configures routing is left out."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from descriptors.faults import shown
from olimpus.words import gettext as _
from slices.formats.base import Format
from slices.formats.foreign import Source, join_networks
from slices.formats.report import Report
from slices.formats.vertices import Edge, Said, Vertex
from slices.graph import Graph
from slices.naming import Names

NAME: Final = "netlab"
_SIZES: Final = {"cpus": "cpu", "memory_mib": "memory"}
_PROVIDERS: Final = ("clab", "libvirt", "virtualbox")
_NODE: Final = frozenset({"name", "device", "image", "box", "role", *_SIZES.values()})
#: What says what a node is made from.
_IMAGED: Final = frozenset({"image", "box", *_PROVIDERS})
_OF_NODE: Final = _NODE | _IMAGED
_GROUP: Final = _NODE - {"name"} | {"members", "node_data", "_auto_create"}
_LINK: Final = frozenset({"interfaces", "prefix", "type", "name", "mtu", "bridge", "disable"})
_CARD: Final = frozenset({"node", "ipv4", "ipv6", "ifname"})
#: Links that are no cables between machines.
_NO_CABLES: Final = frozenset({"loopback", "tunnel", "vlan_member", "virtual_interface"})
_SHARED: Final = frozenset({"lan", "stub"})
#: How the keys begin that only groups of links and aggregated ones have.
_IN_BUNDLES: Final = re.compile("members|group|lag").match
#: Levels that a key with dots may have.
_DOTS: Final = 8

Path = tuple[str | int, ...]
Card = tuple[str, Said]


def read(text: str | bytes) -> tuple[Graph, Report]:
    """The graph of a topology; a device is the image of its nodes where nothing else is said."""
    source = Source(NAME, text)
    _Reader(source).draw()
    return source.graph()


class _Reader:
    def __init__(self, source: Source):
        self._source = source
        self._drawing = source.drawing
        self._nodes: dict[str, tuple[Said, Path]] = {}
        self._bridges: set[str] = set()
        self._names = Names()  # of networks
        self._links = 0
        self._cards_of: Counter[str] = Counter()  # how many each node has so far
        self._cabled: set[frozenset[str]] = set()

    def draw(self) -> None:
        top = _undotted(self._source.mapping(self._source.data))
        self._source.ignore(sorted(top.keys() - {"name", "nodes", "links", "groups", "defaults", "prefix"}))
        self._defaults = _undotted(self._source.mapping(top.get("defaults"), "defaults"))
        self._source.ignore(sorted(self._defaults.keys() - {"device", "devices"}), "defaults")
        self._makes = ", ".join(key for key in ("plugin", "components") if key in top)
        self._prefixes = self._source.mapping(top.get("prefix"), "prefix")
        self._drawing.said = self._source.name(top.get("name"))
        for node, said, path in self._listed_nodes(top.get("nodes")):
            self._add(node, said, path)
        groups = dict(self._groups(self._source.mapping(top.get("groups"), "groups")))
        for node, (said, path) in self._nodes.items():
            self._node(node, said, next((group for group in groups.items() if node in group[1][0]), None), path)
        for links, links_path in self._lists(top):
            for link, link_path in self._listed_links(links, links_path):
                self._link(link, link_path)
        join_networks(self._drawing, self._source.report)

    # Nodes

    def _listed_nodes(self, nodes: Any) -> Iterator[tuple[str, Any, Path]]:
        if isinstance(nodes, dict):
            yield from ((name, said, ("nodes", name)) for name, said in _undotted(nodes).items())
            return
        listed = (
            re.split(r"[\s,]+", nodes.strip(" ,\n")) if isinstance(nodes, str) else self._source.listed(nodes, "nodes")
        )
        for place, node in enumerate(listed):
            said = node if isinstance(node, dict) else {"name": node}
            yield self._source.text(said.get("name"), "nodes", place), said, ("nodes", place)

    def _add(self, name: str, said: Any, path: Path) -> None:
        if not name:
            raise self._source.refuse(_('"%(name)s" is missing') % {"name": "name"}, *path)
        if name in self._nodes:
            raise self._source.refuse(_("“%s” is given twice.") % name[:80], *path)
        self._nodes[name] = self._source.mapping(said, *path), path

    def _groups(self, groups: Said) -> Iterator[tuple[str, tuple[set[str], Said]]]:
        """Group → its members, and what it says of each of them."""
        for name, given in groups.items():
            if name.startswith("_"):  # what is true of all groups
                continue
            path: Path = ("groups", name)
            said = {"members": given} if isinstance(given, list) else self._source.mapping(given, *path)
            self._source.ignore(sorted(said.keys() - _GROUP), *path)
            data = self._source.mapping(said.get("node_data"), *path, "node_data")
            self._source.ignore(sorted(data.keys() - _NODE), *path, "node_data")
            members = said.get("members")
            if isinstance(members, str):
                members = [members]
            listed = members if isinstance(members, dict) else self._source.listed(members, *path, "members")
            names = [self._source.text(one, *path, "members") for one in listed]
            names += [node for name in names if "*" in name for node in fnmatch.filter(self._nodes, name)]
            if said.get("_auto_create", groups.get("_auto_create")) is True:
                for node in names:
                    if node not in self._nodes and "*" not in node:
                        self._add(node, listed[node] if isinstance(listed, dict) else {}, (*path, "members"))
            yield name, (_members(names, groups), {**data, **said})

    def _node(self, name: str, given: Said, group: tuple[str, tuple[set[str], Said]] | None, path: Path) -> None:
        self._source.ignore(sorted(given.keys() - _OF_NODE), *path)
        said = {**(group[1][1] if group else {}), **given}
        device, role = self._source.texts({"device": self._defaults.get("device"), **said}, ("device", "role"), path)
        if role == "bridge":
            self._bridges.add(name)
            self._drawing.vertices.append(Vertex(name, {"network": True, "name": self._names.take(name)}, path))
            return
        vertex = Vertex(name, self._source.sized(said, _SIZES, *path), path)
        vertex.said["role"] = role or ("host" if device in ("linux", "none") else "router")
        image = self._image(said, device, path)
        vertex.said |= ({"image": image} if image else {}) | ({"group": group[0]} if group else {})
        self._drawing.vertices.append(vertex)

    def _image(self, said: Said, device: str, path: Path) -> str:
        """What the node is made from, and otherwise what its device is."""
        devices = self._source.mapping(self._defaults.get("devices"), "defaults", "devices")
        of_device = devices.get(device)
        for place in (said, of_device):
            if isinstance(place, dict) and not _IMAGED.isdisjoint(place) and (image := _image_in(place)):
                return self._source.text(image, *path)
        return "" if device == "none" else device

    # Links

    def _lists(self, top: Said) -> Iterator[tuple[Any, Path]]:
        """All lists of links: VLANs and VRFs have theirs, too."""
        yield top.get("links"), ("links",)
        for part in ("vlans", "vrfs"):
            holders = top.get(part)
            for name, holder in holders.items() if isinstance(holders, dict) else ():
                if isinstance(holder, dict) and "links" in holder:
                    yield holder["links"], (part, name, "links")

    def _listed_links(self, links: Any, path_of_all: Path) -> Iterator[tuple[Any, Path]]:
        """Each link, also of groups of them."""
        if isinstance(links, dict):
            lists: list[tuple[Any, Path]] = [(listed, (*path_of_all, name)) for name, listed in links.items()]
        else:
            lists = [(links, path_of_all)]
        for listed, path in lists:
            if isinstance(listed, str):
                yield listed, path
                continue
            for place, link in enumerate(self._source.listed(listed, *path)):
                here = (*path, place)
                bundle = _undotted(link) if isinstance(link, dict) and any(map(_IN_BUNDLES, link)) else {}
                lag = bundle.get("lag")
                if "members" in bundle and "group" in bundle:
                    yield from self._members(link, bundle["members"], here)
                elif isinstance(lag, dict) and "members" in lag:
                    yield from self._members(link, lag["members"], here)
                else:
                    yield link, here

    def _members(self, bundle: Said, members: Any, path: Path) -> Iterator[tuple[Any, Path]]:
        """Links that have something in common, or are cables of one aggregated link."""
        self._source.ignore(sorted(bundle.keys() - {"group", "members", "lag.members"}), *path)
        for number, member in enumerate(self._source.listed(members, *path, "members")):
            yield member, (*path, "members", number)

    def _link(self, link: Any, path: Path) -> None:
        said = link if isinstance(link, dict) else {}
        cards = self._cards(link, path)
        for name, _card in cards:
            if name not in self._nodes:
                raise self._source.refuse(_("There is no node “%s”.") % name[:80], *path, hint=self._hint())
        if left := [key for key in said if key not in _LINK and key not in self._nodes]:
            self._source.ignore(sorted(left), *path)
        kind = self._source.text(said["type"], *path, "type") if "type" in said else ""
        if kind in _NO_CABLES or said.get("disable") is True:
            self._source.unmap(_("A link of the type “%s” is no cable: left out.") % (kind or "disable"), *path)
            return
        more = {"mtu": said["mtu"]} if said.get("mtu") is not None else {}
        told = [card for _node, card in cards if card]
        if told or "prefix" in said:
            more |= self._range(said.get("prefix"), told, path)
        for card in told:
            self._number(card, more, path)
        for node, _card in cards:
            self._cards_of[node] += 1
        if len(cards) == 2 and kind not in _SHARED:
            self._cable(cards, said, more, path)
        elif cards:
            self._shared(cards, said, more, path)

    def _hint(self) -> str:
        """What to do about nodes that netlab itself would make."""
        makes = self._makes and _("Give the file that netlab makes of it (netlab create): it adds nodes (%s).")
        return makes % self._makes if makes else ""

    def _cards(self, link: Any, path: Path) -> list[Card]:
        if isinstance(link, str):
            return [(name.strip(), {}) for name in link.split("--" if "--" in link else "-")]
        if isinstance(link, list):
            return [self._card(one, path) for one in link]
        said = self._source.mapping(link, *path)
        if "interfaces" in said:
            return [self._card(one, path) for one in self._source.listed(said["interfaces"], *path, "interfaces")]
        return [
            (name, {}) if card is None else self._card({"node": name, **self._source.mapping(card, *path, name)}, path)
            for name, card in said.items()
            if name in self._nodes
        ]

    def _card(self, given: Any, path: Path) -> Card:
        """The node, and what is said of its card."""
        if not isinstance(given, dict):
            return self._source.text(given, *path), {}
        self._source.ignore(sorted(given.keys() - _CARD), *path)
        name = self._source.text(given.get("ifname"), *path)
        said = {key: given[key] for key in ("ipv4", "ipv6") if key in given}
        return self._source.text(given.get("node"), *path), said | ({"name": name} if name else {})

    def _cable(self, cards: list[Card], said: Said, more: Said, path: Path) -> None:
        (source, of_source), (target, of_target) = cards
        pair = frozenset((source, target))
        if pair in self._cabled:  # one more cable has cards of its own: netlab numbers them
            for node, card in cards:
                card.setdefault("name", f"eth{self._cards_of[node]}")
        self._cabled.add(pair)
        if of_source or of_target:
            more |= {f"source_{key}": value for key, value in of_source.items()}
            more |= {f"target_{key}": value for key, value in of_target.items()}
        if "name" in said and (text := self._source.text(said["name"], *path, "name")):
            more["description"] = text
        self._drawing.edges.append(Edge(source, target, more, path))

    def _shared(self, cards: list[Card], said: Said, more: Said, path: Path) -> None:
        self._links += 1
        name = next((self._source.text(said[key], *path, key) for key in ("bridge", "name") if said.get(key)), "lan")
        vertex = Vertex(f"link {self._links}", {"network": True, "name": self._names.take(name, "lan"), **more}, path)
        self._drawing.vertices.append(vertex)
        for node, card in cards:
            self._drawing.edges.append(
                Edge(vertex.id, node, {f"target_{key}": value for key, value in card.items()}, path)
            )

    # Addresses

    def _range(self, prefix: Any, cards: list[Said], path: Path) -> Said:
        """The range of a link: the first that is said, of the link or of its cards."""
        if isinstance(prefix, str) and prefix in self._prefixes:
            prefix = self._prefixes[prefix]
        said = prefix if isinstance(prefix, dict) else {"ipv4": prefix}
        given = [said[family] for family in ("ipv4", "ipv6") if isinstance(said.get(family), str)]
        of_cards = [card[family] for family in ("ipv4", "ipv6") for card in cards if _long(card.get(family))]
        if len(given) > 1:
            self._source.unmap(
                _("A network has one range: %(cidr)s is not %(other)s.") % {"cidr": given[1], "other": given[0]}, *path
            )
        if prefix not in (None, False) and not given:
            self._source.unmap(_("%s is no range of addresses.") % shown(prefix), *path)
        for text in (*given, *of_cards):
            if cidr := self._network(text, path):
                return {"cidr": cidr}
        return {}

    def _network(self, text: str, path: Path) -> str:
        try:
            network = ipaddress.ip_interface(text).network
        except ValueError:
            self._source.unmap(_("%s is no range of addresses.") % shown(text), *path)
            return ""
        if network.num_addresses <= 2:
            self._source.unmap(_("%s has no room for machines: other addresses will be given.") % text[:60], *path)
            return ""
        return str(network)

    def _number(self, card: Said, more: Said, path: Path) -> None:
        """Make one address of what a card says of its addresses, in the range of its link."""
        given = [card.pop(family) for family in ("ipv4", "ipv6") if family in card]
        network = ipaddress.ip_network(more["cidr"]) if "cidr" in more else None
        for said in given:
            address = _address(said, network)
            if address and "ip" not in card:
                card["ip"] = address
            elif said is not None and not isinstance(said, bool):
                self._source.unmap(_("%s is no address of a card in its network.") % shown(said), *path)


def _image_in(place: Said) -> Any:
    """The first that is said there, of all nodes or of those of a provider."""
    providers = (place.get(provider) for provider in _PROVIDERS)
    holders = [place, *(said for said in providers if isinstance(said, dict))]
    return next(filter(None, (holder.get(key) for holder in holders for key in ("image", "box"))), None)


def _address(said: Any, network: Any) -> str:
    """The address in the network, which may be said by its number."""
    if network is None or isinstance(said, bool):
        return ""
    try:
        if isinstance(said, int):
            return str(network[said]) if 0 < said < network.num_addresses - 1 else ""
        address = ipaddress.ip_interface(said).ip if isinstance(said, str) else None
        return str(address) if address and address in network else ""
    except (ValueError, TypeError):
        return ""


def _long(said: Any) -> bool:
    """Whether it says its range, too."""
    return isinstance(said, str) and "/" in said


def _members(names: list[str], groups: Said) -> set[str]:
    """Those that are in it, and in the groups that are in it."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        group = groups.get(name)
        members = group.get("members") if isinstance(group, dict) else group
        waiting += [one for one in members if isinstance(one, str)] if isinstance(members, (list, dict)) else []
    return found


def _undotted(said: Said) -> Said:
    """`a.b: c` as netlab means it: b: c in a."""
    found: Said = {}
    for key, value in said.items():
        first, *rest = key.split(".", _DOTS)
        for part in reversed(rest):
            value = {part: value}
        found[first] = _merged(found.get(first), value)
    return found


def _merged(one: Any, other: Any) -> Any:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return one | {key: _merged(one.get(key), value) for key, value in other.items()}


#: Nodes as a text, as a list of names, or as a mapping: ours are a list of mappings.
_BARE: Final = re.compile(
    r"""^nodes\s*:\s*(?:["'\w]|\[\s*["'\w]|(?:\#.*)?\n(?:\s*\#.*\n|\s*\n)*(?:\s*-\s*["'\w][^:\n]*$|[ \t]+[\w.]+\s*:))""",
    re.MULTILINE,
)
_PARTS: Final = re.compile(
    r"^(?:module|provider|addressing|plugin|vlans|vrfs|groups|validate|defaults\.\w.*)\s*:", re.MULTILINE
)
_DEVICE: Final = re.compile(r"^[\s-]*(?:[\w.]+\.)?device\s*:|[{,]\s*device\s*:", re.MULTILINE)
_NODES: Final = re.compile(r"^(?:nodes|groups|links)\s*:", re.MULTILINE)


def _known(head: str) -> bool:
    """Nodes as ours are netlab's only when it says something that we have no word for."""
    if head.startswith(("{", "<")) or not _NODES.search(head) or re.search(r"^olimpus\s*:", head, re.MULTILINE):
        return False
    return any(sign.search(head) for sign in (_PARTS, _DEVICE, _BARE))


FORMAT: Final = Format(NAME, "netlab", (".yml", ".yaml"), _known, read)
