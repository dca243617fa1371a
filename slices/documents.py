"""The own document of a slice (plain data, as JSON and YAML say it) ↔ its graph.

Point-to-point links are its `links`, shared networks its `networks`: a graph that is read has the shared ones last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, Final, TypeVar

from descriptors.definition import PARAMETERS, nearest, validate
from descriptors.faults import Path, shown, unknown_parameter
from descriptors.parameters import NETWORK, NIC
from olimpus.errors import Invalid
from olimpus.words import gettext as _
from slices.fields import Fields
from slices.graph import MOST_CARDS, MOST_LINKS, MOST_NODES, End, Graph, Link, Node, check
from slices.parameters import asked

VERSION: Final = "slice/1"
#: Characters of a link's name: the hypervisors' own ending has to fit in, too.
LINK_NAME: Final = 100

LISTS: Final = ("nodes", "links", "networks")
FIELDS: Final = frozenset({"olimpus", "name", "description", "defaults", "routed", "parameters", *LISTS})
WORDS: Final = ("role", "group", "apart")
NODE_FIELDS: Final = frozenset({"name", *WORDS, "critical", "x", "y", "networks"})
#: What the graph says of a machine or of the folder, so that no definition in a document does.
SAID_ELSEWHERE: Final = frozenset({"nics", "networks", "node", "slice"})
DEFINED: Final = frozenset(PARAMETERS) - SAID_ELSEWHERE
CARD: Final = frozenset(NIC["properties"]) - {"network", "ip"}
END_FIELDS: Final = CARD | {"node", "ip", "name"}
OPTIONS: Final = frozenset(NETWORK["properties"]) - {"cidr", "own"}
#: Words of the body that makes a slice.
_OURS: Final = {"network_type": "type"}
LINK_FIELDS: Final = OPTIONS | {"name", "ends", "cidr", "network_type"}
#: Shared networks are drawn as nodes are.
NETWORK_FIELDS: Final = LINK_FIELDS | {"x", "y"}
#: What nearly all ends and links say at most: it is read without looking for the rest.
_BARE_END: Final = frozenset({"node", "ip", "name"})
_BARE_LINK: Final = frozenset({"name", "ends", "cidr"})


def read(document: object, *, where: str = "") -> Graph:
    """The graph that a document says, `check`ed, with definitions and options in their normal form.

    A network without `ends` joins the nodes that name it under their `networks`; one that nobody names joins all nodes
    without `networks` of their own. Invalid with all faults at once (`nodes[3].role`), nothing else whatever is given.
    """
    return _Reader(Fields(where)).graph(document)


def write(graph: Graph) -> dict[str, Any]:
    """The document of a graph: every network with its `ends`, and without what goes without saying."""
    said = {
        "olimpus": VERSION,
        "name": graph.name,
        "description": graph.description,
        "defaults": dict(graph.defaults),
        "routed": graph.routed,
        "parameters": {name: dict(said) for name, said in graph.parameters.items()},
        "nodes": [_written_node(node) for node in graph.nodes],
        "links": [_written_link(link) for link in graph.links if not link.shared],
        "networks": [_written_network(link) for link in graph.links if link.shared],
    }
    return {key: value for key, value in said.items() if value}


def usual_name(first: str, second: str) -> str:
    """What a link between two nodes is called when nobody says."""
    name = f"{first}-{second}"
    return name if len(name) <= LINK_NAME else f"{first[:47]}-{second[:47]}"


def free_name(name: str, taken: Collection[str], tried: Counter[str] | None = None) -> str:
    """The name, or the first of name-2, name-3… that is free.

    Who asks thousands of times hands over the numbers `tried` so far, as they need not be tried again.
    """
    if name not in taken:
        return name
    number, found = (tried[name] if tried else 0) or 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    if tried is not None:
        tried[name] = number
    return found


# Writing --------------------------------------------------------------------------------------------------------------


def _written_node(node: Node) -> dict[str, Any]:
    fields = {name: getattr(node, name) for name in ("name", *WORDS, "critical") if getattr(node, name)}
    return {**fields, **_place(node), **node.definition}


def _place(drawn: Node | Link) -> dict[str, float]:
    return {name: getattr(drawn, name) for name in ("x", "y") if getattr(drawn, name) is not None}


def _written_link(link: Link) -> list[Any] | dict[str, Any]:
    ends = [_written_end(end) for end in link.ends]
    rest = _given(cidr=link.cidr) | dict(link.options)
    if len(ends) != 2 or link.name != usual_name(*link.nodes):
        return {"name": link.name, "ends": ends, **rest}
    return {"ends": ends, **rest} if rest else ends


def _written_network(link: Link) -> dict[str, Any]:
    options = {("network_type" if name == "type" else name): value for name, value in link.options.items()}
    said = {"name": link.name, **_place(link), **_given(cidr=link.cidr), **options}
    return said | {"ends": [_written_end(end) for end in link.ends]}


def _written_end(end: End) -> str | dict[str, Any]:
    said = _given(ip=end.ip, name=end.name) | dict(end.card)
    return {"node": end.node, **said} if said else end.node


def _given(**values: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


# Reading --------------------------------------------------------------------------------------------------------------

Part = TypeVar("Part")
Made = TypeVar("Made")


@dataclass(slots=True)
class _Said:
    """What a document says of one link, and where; a link between nodes that has no name there gets one."""

    entries: dict[Any, Any]
    path: Path
    shared: bool
    name: object = "?"


class _Reader:
    """Reads one document; whatever is wrong becomes a fault, and something harmless stands in its place."""

    def __init__(self, fields: Fields):
        self.fields = fields
        self._judged: dict[str, dict[str, Any]] = {}  # definitions that are valid, by what they say

    def graph(self, document: object) -> Graph:
        top = self.fields.mapping(document, ())
        self.fields.known(top, FIELDS, ())
        if top.get("olimpus", VERSION) != VERSION:
            message, told = _("%(value)s is not %(known)s"), {"value": shown(top["olimpus"]), "known": VERSION}
            self.fields.add(("olimpus",), message % told)
        nodes, links, networks = (self.fields.listed(top.get(key, []), (key,)) for key in LISTS)
        self._bounds(len(nodes), len(links) + len(networks))
        said = self._named([*self._links(links), *self._networks(networks, nodes)])
        self._bound_ends(said)
        graph = Graph(
            name=self.fields.name(top["name"], ("name",)) if top.get("name") else "",
            description=self.fields.text(top.get("description", ""), ("description",)),
            defaults=self._definition(top.get("defaults", {}), ("defaults",)),
            nodes=self._all(self._made_nodes, list(enumerate(nodes))),
            links=self._all(self._made_links, said),
            routed=self.fields.flag(top.get("routed", False), ("routed",)),
            parameters=asked(top.get("parameters", {}), ("parameters",), self.fields),
        )
        return self._checked(graph, said)

    def _bounds(self, nodes: int, links: int) -> None:
        """Stops at once: what is too large is not worth reading."""
        for name, number, most in (("nodes", nodes, MOST_NODES), ("links", links, MOST_LINKS)):
            if number > most:
                message = _("A slice has at most %(most)d of these; there are %(number)d.")
                self.fields.add((name,), message % {"most": most, "number": number})
                self.fields.raise_if_any()

    def _checked(self, graph: Graph, said: list[_Said]) -> Graph:
        """The graph as it is. Whether its parts fit together is asked only when each is right."""
        self.fields.raise_if_any()
        try:
            check(graph)
        except Invalid as error:
            places: dict[str, Path] = {f"nodes.{node.name}": ("nodes", i) for i, node in enumerate(graph.nodes)}
            places |= {f"links.{link.name}": one.path for link, one in zip(graph.links, said, strict=True)}
            for fault in error.errors:
                self.fields.add(places.get(fault["where"], ()), fault["message"], fault["hint"])
            self.fields.raise_if_any()
        return graph

    def _all(self, read: Callable[[Sequence[Part]], list[Made]], parts: Sequence[Part]) -> tuple[Made, ...]:
        """What `read` makes of all the parts at once; one by one if it finds faults, so that they are told in order."""
        known = len(self.fields.found)
        made = read(parts)
        if len(self.fields.found) > known and len(parts) > 1:
            del self.fields.found[known:]
            made = [one for part in parts for one in read([part])]
        return tuple(made)

    # Nodes

    def _made_nodes(self, given: Sequence[tuple[int, object]]) -> list[Node]:
        """Nodes, each with its number."""
        paths: list[Path] = [("nodes", number) for number, _said in given]
        said = self.fields.mappings([one for _number, one in given], paths)
        self.fields.needed("name", said, paths)
        names = self.fields.names(_column(said, "name", "node"), _at(paths, "name"))
        definitions = list(map(partial(self._definition, beside=NODE_FIELDS), said, paths))
        critical = self.fields.flags(_column(said, "critical", False), _at(paths, "critical"))
        x, y = self._drawn(said, paths)
        role, group, apart = (self.fields.words(_column(said, word), _at(paths, word)) for word in WORDS)
        return list(map(Node, names, definitions, role, group, apart, critical, x, y))

    def _drawn(self, said: list[dict[Any, Any]], paths: list[Path]) -> Iterator[list[float | None]]:
        return (self.fields.places(_column(said, key, None), _at(paths, key)) for key in ("x", "y"))

    def _definition(self, given: object, path: Path, beside: Collection[str] = ()) -> dict[str, Any]:
        """The definition in what is given, which says other things `beside` it."""
        said = {key: value for key, value in self.fields.mapping(given, path).items() if key not in beside}
        for key in () if said.keys() <= DEFINED else [key for key in said if key not in DEFINED]:
            told = str(key)[:128]
            hint = nearest(told, DEFINED.union(beside))
            self.fields.add((*path, told), unknown_parameter(told), hint)
            del said[key]
        return self._valid(said, path)

    def _valid(self, definition: dict[str, Any], path: Path, skip: int = 0) -> dict[str, Any]:
        """The definition in its normal form, judged once for all that say the same.

        The first `skip` keys of a fault's path are not in the document.
        """
        if not definition:
            return {}
        try:
            same = repr(definition)
            if same not in self._judged:
                self._judged[same] = validate(definition)
            return dict(self._judged[same])
        except RecursionError:
            self.fields.add(path, _("nested too deep"))
        except Invalid as error:
            for fault in error.errors:
                self.fields.add((*path, *fault["path"][skip:]), fault["message"], fault["hint"])
        return {}

    # Links

    def _links(self, given: list[Any]) -> Iterator[_Said]:
        for index, link in enumerate(given):
            entries = {"ends": link} if isinstance(link, list) else self.fields.mapping(link, ("links", index))
            yield _Said(entries, ("links", index), shared=False)

    def _networks(self, given: list[Any], nodes: list[Any]) -> Iterator[_Said]:
        networks = [dict(self.fields.mapping(one, ("networks", index))) for index, one in enumerate(given)]
        joined = self._joined(networks, nodes)
        everybody = [_name(node) for node in nodes if isinstance(node, dict) and "networks" not in node]
        for index, network in enumerate(networks):
            named = joined.get(_name(network), [])
            if "ends" not in network:
                network["ends"] = named or [name for name in everybody if name]
            elif isinstance(network["ends"], list):
                there = set(map(_node_of, network["ends"]))
                network["ends"] = [*network["ends"], *(name for name in named if name not in there)]
            yield _Said(network, ("networks", index), shared=True)

    def _joined(self, networks: list[dict[Any, Any]], nodes: list[Any]) -> dict[str, list[str]]:
        """Network → names of the nodes that name it."""
        found: dict[str, list[str]] = {_name(network): [] for network in networks if _name(network)}
        for index, node in enumerate(nodes):
            path: Path = ("nodes", index, "networks")
            names = node.get("networks", []) if isinstance(node, dict) else []
            for place, name in enumerate(self.fields.listed(names, path)):
                if isinstance(name, str) and name in found:
                    found[name].append(_name(node))
                else:
                    message = _("There is no network %s here.") % shown(name)
                    self.fields.add((*path, place), message, nearest(str(name), found))
        return found

    def _named(self, links: list[_Said]) -> list[_Said]:
        """All of them; those between nodes have a name."""
        taken, tried = {_name(link.entries) for link in links}, Counter[str]()
        for link in links:
            if "name" in link.entries:
                link.name = link.entries["name"]
            elif not link.shared:
                ends = link.entries.get("ends")
                pair = [_node_of(end) for end in ends] if isinstance(ends, list) else []
                link.name = name = free_name(usual_name(*pair) if len(pair) == 2 else "link", taken, tried)
                taken.add(name)
        return links

    def _bound_ends(self, links: list[_Said]) -> None:
        """Stops at once, as `_bounds` does."""
        number = 0
        for link in links:
            ends = link.entries.get("ends")
            number += len(ends) if isinstance(ends, list) else 0
            if number > MOST_NODES * MOST_CARDS:
                message = _("The machines of a slice have at most %(most)d cards together.")
                self.fields.add((*link.path, "ends"), message % {"most": MOST_NODES * MOST_CARDS})
                self.fields.raise_if_any()

    def _made_links(self, links: Sequence[_Said]) -> list[Link]:
        said, paths, shared = ([getattr(link, name) for link in links] for name in ("entries", "path", "shared"))
        for link in links:
            if link.shared and "name" not in link.entries:
                self.fields.missing(link.path, "name")
        self.fields.needed("ends", said, paths)
        names = self._link_names([link.name for link in links], paths)
        ends = self._ends(links)
        cidrs = self.fields.cidrs(_column(said, "cidr"), _at(paths, "cidr"))
        if _BARE_LINK.issuperset(chain.from_iterable(said)):
            return list(map(Link, names, ends, shared, cidrs))
        for link in links:
            self.fields.known(link.entries, NETWORK_FIELDS if link.shared else LINK_FIELDS, link.path)
        x, y = self._drawn([link.entries if link.shared else {} for link in links], paths)
        options = list(map(self._options, said, paths))
        return list(map(Link, names, ends, shared, cidrs, options, x, y))

    def _link_names(self, values: list[Any], paths: list[Path]) -> list[str]:
        names = self.fields.words(values, _at(paths, "name"))
        for value, name, path in zip(values, names, paths, strict=True):
            if isinstance(value, str) and (not name or name != name.strip() or len(name) > LINK_NAME):
                message = _("%(value)s is not a name of 1 to %(most)d characters without spaces around it")
                self.fields.add((*path, "name"), message % {"value": shown(value), "most": LINK_NAME})
        return names

    def _options(self, said: dict[Any, Any], path: Path) -> dict[str, Any]:
        """What is said besides, of what a definition may say of a network."""
        given = {_OURS.get(name, name): value for name, value in said.items() if _OURS.get(name, name) in OPTIONS}
        judged = self._valid({"networks": {"": given}}, path, skip=2) if given else {}
        return dict(judged["networks"][""]) if judged else {}

    def _ends(self, links: Sequence[_Said]) -> list[tuple[End, ...]]:
        """The ends of each link."""
        given = self.fields.lists(
            [link.entries.get("ends", []) for link in links], _at([link.path for link in links], "ends")
        )
        parts = [(link, *one) for link, ends in zip(links, given, strict=True) for one in enumerate(ends)]
        made = iter(self._all(self._made_ends, parts))
        return [tuple(islice(made, len(ends))) for ends in given]

    def _made_ends(self, ends: Sequence[tuple[_Said, int, object]]) -> list[End]:
        """Ends, each with its link and its place there."""

        def paths() -> Iterator[Path]:
            return ((*link.path, "ends", place) for link, place, _end in ends)

        said = [end if isinstance(end, dict) else {"node": end} for _link, _place, end in ends]
        self.fields.needed("node", said, paths())
        bare = _BARE_END.issuperset(chain.from_iterable(said))
        cards = [{} for _end in ends] if bare else list(map(self._card, said, paths()))
        nodes = self.fields.words(
            _column(said, "node"),
            ((*path, "node") if isinstance(end[-1], dict) else path for path, end in zip(paths(), ends, strict=True)),
        )
        ips = self.fields.ips(_column(said, "ip"), _at(paths(), "ip"))
        names = self.fields.words(_column(said, "name"), _at(paths(), "name"))
        return list(map(End, nodes, ips, names, cards))

    def _card(self, said: dict[Any, Any], path: Path) -> dict[str, Any]:
        """What is said besides, of what a definition may say of a card."""
        self.fields.known(said, END_FIELDS, path)
        given = {key: value for key, value in said.items() if key in CARD}
        judged = self._valid({"nics": [given]}, path, skip=2) if given else {}
        return dict(judged["nics"][0]) if judged else {}


def _column(said: list[dict[Any, Any]], name: str, otherwise: object = "") -> list[Any]:
    """What each of them says under the name."""
    return [one.get(name, otherwise) for one in said]


def _at(paths: Iterable[Path], name: str) -> Iterator[Path]:
    """Where each of them says it."""
    return ((*path, name) for path in paths)


def _name(said: Mapping[Any, Any]) -> str:
    """The name, as far as it is a text."""
    name = said.get("name", "")
    return name if isinstance(name, str) else ""


def _node_of(end: object) -> str:
    """The node of an end, as far as it is a text."""
    node = end.get("node") if isinstance(end, dict) else end
    return node if isinstance(node, str) else ""
