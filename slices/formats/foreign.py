"""What readers of other programs' files have in common: values with their lines, sizes, and networks that are one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import networkx as nx

from descriptors.documents import load_with_lines
from descriptors.faults import shown
from olimpus.errors import Invalid
from olimpus.words import gettext as _
from slices.formats.report import Note, Report
from slices.formats.vertices import Drawing, Edge, Vertex, graph_of
from slices.graph import Graph
from slices.naming import spelled

_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_MIB: Final = {"": 2**-20, "k": 2**-10, "m": 1, "g": 2**10, "t": 2**20}
#: Bounds of a definition's memory and CPUs.
_MEMORY: Final = (16, 4_194_304)
_CPUS: Final = (1, 512)


class Source:
    """A file of another program, in JSON or YAML, the drawing that is made of it, and what is told meanwhile."""

    def __init__(self, name: str, text: str | bytes):
        self.data, self._positions = load_with_lines(text, name=name, bare_keys=True)
        self.report = Report()
        self.drawing = Drawing(name, positions=self._positions)

    def graph(self) -> tuple[Graph, Report]:
        """The graph of what was drawn. Invalid with the line of every fault."""
        return graph_of(self.drawing, self.report), self.report

    def name(self, value: Any) -> dict[str, str]:
        """The slice's name, as the tree spells names; none where none is said."""
        given = self.text(value, "name")
        name = spelled(given, "")
        if name != given:
            told = {"label": given[:80], "name": name}
            self.unmap(_("“%(label)s” is called “%(name)s” here.") % told, "name")
        return {"name": name} if name else {}

    def mapping(self, value: Any, *path: str | int) -> dict[str, Any]:
        """The mapping itself; none is an empty one. Invalid for anything else."""
        if isinstance(value, dict):
            return value
        if value is None:
            return {}
        raise self._unlike(_("a mapping"), value, *path)

    def listed(self, value: Any, *path: str | int) -> list[Any]:
        """The list itself; none is an empty one. Invalid for anything else."""
        if isinstance(value, list):
            return value
        if value is None:
            return []
        raise self._unlike(_("a list"), value, *path)

    def text(self, value: Any, *path: str | int) -> str:
        """The text itself; numbers are texts, and none is "". Invalid for anything else."""
        text = _text(value)
        if text is None:
            raise self._unlike(_("a text"), value, *path)
        return text

    def texts(self, said: dict[str, Any], keys: tuple[str, ...], path: Sequence[str | int]) -> list[Any]:
        """What the mapping there says under each of the keys, as a `text`."""
        found = [_text(said.get(key)) for key in keys]
        if None in found:
            key = keys[found.index(None)]
            raise self._unlike(_("a text"), said[key], *path, key)
        return found

    def refuse(self, message: str, *path: str | int, hint: str = "") -> Invalid:
        """The error about this place."""
        return Invalid(message, where=self._positions.where(path), hint=hint)

    def ignore(self, names: Iterable[str], *path: str | int) -> None:
        """Tell of each of these entries that it is left out."""
        for name in names:
            self.report.ignore_what(partial(self._left_out, (*path, name)))

    def unmap(self, what: str, *path: str | int) -> None:
        """Tell what could not be kept as it was."""
        self.report.unmap(what, self.line(*path))

    def line(self, *path: str | int) -> int:
        """The line of what stands there."""
        return self._positions.lookup(path)[0]

    def sized(self, said: dict[str, Any], names: dict[str, str], *path: str | int) -> dict[str, int]:
        """The sizes of a machine: `names` says what its CPUs and its memory are called in the file."""
        if said.keys().isdisjoint(names.values()):
            return {}
        found = {"cpus": _cpus(said.get(names["cpus"])), "memory_mib": _mib(said.get(names["memory_mib"]))}
        for ours, theirs in names.items():
            if said.get(theirs) is not None and found[ours] is None:
                told = {"name": theirs, "value": shown(said[theirs])}
                self.unmap(_("%(value)s is no “%(name)s” of a machine.") % told, *path, theirs)
        return {ours: size for ours, size in found.items() if size is not None}

    def _left_out(self, path: Sequence[str | int]) -> Note:
        place = ".".join(map(str, path))
        return Note(_("“%(name)s” is left out.") % {"name": place[:120]}, self.line(*path))

    def _unlike(self, wanted: str, value: Any, *path: str | int) -> Invalid:
        return self.refuse(_("give %(wanted)s, not %(value)s") % {"wanted": wanted, "value": shown(value)}, *path)


def _text(value: Any) -> str | None:
    """The text that is said; None for what is no text."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _cpus(value: Any) -> int | None:
    """CPUs in whole ones; None for what is no number of CPUs."""
    number = _number(value)
    return math.ceil(number) if number is not None and _CPUS[0] <= math.ceil(number) <= _CPUS[1] else None


def _mib(value: Any) -> int | None:
    """Memory in MiB: a number is one of MiB, a text has its unit, as Docker writes it ("2Gb", "512m")."""
    number = _number(value)
    if number is None and isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
        number = float(found[1]) * _MIB[found[2].lower()]
    return math.ceil(number) if number is not None and _MEMORY[0] <= math.ceil(number) <= _MEMORY[1] else None


def _number(value: Any) -> float | None:
    """The number that is said; None for none, and for those that are no sizes."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value.strip()):
        value = float(value)
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
    return float(value) if usable else None


# Networks that are one ------------------------------------------------------------------------------------------------


def join_networks(drawing: Drawing, report: Report) -> None:
    """Make one network of those between which there is a cable: switches that are linked are one layer 2."""
    networks = {vertex.id: vertex for vertex in drawing.vertices if vertex.said.get("network") is True}
    cables = [edge for edge in drawing.edges if edge.source in networks and edge.target in networks] if networks else []
    if not cables:
        return
    stands_for = _first_of_each([(edge.source, edge.target) for edge in cables], list(networks))
    for edge in cables:
        if edge.source != edge.target:
            told = {"one": _called(networks[edge.source]), "other": _called(networks[edge.target])}
            message = _("“%(one)s” and “%(other)s” are linked, and so one network here.") % told
            report.unmap(message, drawing.line(edge.line))
    for name, first in stands_for.items():
        if networks[name].said.get("network_type") and name != first:
            networks[first].said.setdefault("network_type", networks[name].said["network_type"])
    drawing.vertices = [vertex for vertex in drawing.vertices if stands_for.get(vertex.id, vertex.id) == vertex.id]
    gone = {id(edge) for edge in cables}
    drawing.edges = [
        Edge(*(stands_for.get(name, name) for name in (edge.source, edge.target)), edge.said, edge.line)
        for edge in drawing.edges
        if id(edge) not in gone
    ]


def _first_of_each(pairs: list[tuple[str, str]], order: list[str]) -> dict[str, str]:
    """Each of those in pairs → the first in the order that it hangs together with."""
    places = {name: place for place, name in enumerate(order)}
    groups = nx.connected_components(nx.Graph(pairs))
    return {name: min(group, key=places.__getitem__) for group in groups for name in group}


def _called(vertex: Vertex) -> str:
    return str(vertex.said.get("name") or vertex.label or vertex.id)[:80]
