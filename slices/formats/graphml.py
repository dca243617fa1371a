"""GraphML, as the Internet Topology Zoo, yEd and networkx write it; our own files keep everything of a slice.

What JSON says and GraphML has no type for (lists, mappings, null) is JSON text under a key that ends with `.json`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from olimpus.errors import Invalid
from olimpus.words import gettext as _
from slices.formats.base import Format, bounded
from slices.formats.report import Report
from slices.formats.vertices import Drawing, Edge, Said, Vertex, drawing_of, graph_of
from slices.graph import Graph
from slices.layouts import STEP
from slices.naming import spelled

NAME: Final = "graphml"
NAMESPACE: Final = "http://graphml.graphdrawing.org/xmlns"
JSON: Final = ".json"
#: Characters that XML has no place for, not even escaped.
_UNFIT: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGERS: Final = frozenset({"int", "long"})
_REALS: Final = frozenset({"float", "double"})


# Writing --------------------------------------------------------------------------------------------------------------


def write(graph: Graph) -> str:
    """All of the graph."""
    drawing = drawing_of(graph, NAME)
    keys = _Keys()
    lines = [f'  <graph edgedefault="undirected">{keys.data("graph", drawing.said)}']
    for vertex in drawing.vertices:
        lines.append(f"    <node id={quoteattr(vertex.id)}>{keys.data('node', vertex.said)}</node>")
    for edge in drawing.edges:
        ends = f"source={quoteattr(edge.source)} target={quoteattr(edge.target)}"
        lines.append(f"    <edge {ends}>{keys.data('edge', edge.said)}</edge>")
    start = ['<?xml version="1.0" encoding="UTF-8"?>', f'<graphml xmlns="{NAMESPACE}">', *keys.lines]
    return "\n".join([*start, *lines, "  </graph>", "</graphml>", ""])


class _Keys:
    """The keys of a file, declared when something is first said under them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._ids: dict[tuple[str, str, str], str] = {}

    def data(self, domain: str, said: Mapping[str, Any]) -> str:
        return "".join(
            f'<data key="{self._id(domain, name, type_)}">{text}</data>'
            for name, type_, text in (_typed(name, value) for name, value in said.items())
        )

    def _id(self, domain: str, name: str, type_: str) -> str:
        key = (domain, name, type_)
        if key not in self._ids:
            self._ids[key] = f"d{len(self._ids)}"
            said = f'for="{domain}" attr.name={quoteattr(name)} attr.type="{type_}"'
            self.lines.append(f'  <key id="{self._ids[key]}" {said}/>')
        return self._ids[key]


def _typed(name: str, value: Any) -> tuple[str, str, str]:
    """Name, type and text of one thing that is said."""
    if isinstance(value, bool):
        return name, "boolean", "true" if value else "false"
    if isinstance(value, (int, float)):
        return name, "long" if isinstance(value, int) else "double", repr(value)
    if isinstance(value, str) and not _UNFIT.search(value) and "\r" not in value:
        return name, "string", escape(value)
    return f"{name}{JSON}", "string", escape(json.dumps(value))


# Reading --------------------------------------------------------------------------------------------------------------


def read(text: str | bytes) -> tuple[Graph, Report]:
    """The graph of a GraphML file of at most 10 MiB. Entities and document types are refused."""
    report = Report()
    drawing = _parsed(bounded(text), report)
    _foreign_words(drawing, report)
    return graph_of(drawing, report), report


def _parsed(text: str | bytes, report: Report) -> Drawing:
    target = _Target(report)
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    target.line = lambda: parser.parser.CurrentLineNumber
    try:
        parser.feed(text)
        parser.close()
    except DefusedXmlException:
        raise Invalid(
            _("Document types and entities are refused: they can make a small file endless."),
            where=f"{NAME}:{target.line()}",
            hint=_("Remove the <!DOCTYPE …> from the file."),
        ) from None
    except ParseError as error:
        raise Invalid(_("This is no XML: %s.") % error, where=f"{NAME}:{error.position[0]}") from None
    except (ValueError, LookupError) as error:  # an encoding that is unknown, half a character
        raise Invalid(_("This is no XML: %s.") % error, where=NAME) from None
    if not target.seen:
        raise Invalid(_("This is no GraphML: there is no <graph> in it."), where=NAME)
    return target.drawing


class _Target:
    """Takes elements as the parser meets them."""

    def __init__(self, report: Report):
        self.drawing = Drawing(NAME)
        self.seen = False
        self.line: Callable[[], int] = lambda: 0
        self._report = report
        self._keys: dict[str, tuple[str, str, bool]] = {}
        self._holders: list[Said] = []  # what the open graph, nodes and edges say
        self._data = ""  # id of the key whose value is being read
        self._text: list[str] = []
        self._label: list[str] | None = None  # of yEd, while it is read
        self._groups: list[Said] = []  # what the open groups of yEd say
        self._hyper: Vertex | None = None
        self._begin = {
            "key": self._start_key,
            "graph": self._start_graph,
            "node": self._start_node,
            "edge": self._start_edge,
            "hyperedge": self._start_hyperedge,
            "endpoint": self._start_endpoint,
            "data": self._start_data,
            "NodeLabel": self._start_label,
            "EdgeLabel": self._start_label,
            "Geometry": self._start_geometry,
        }

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        begin = self._begin.get(tag.rpartition("}")[2])
        if begin:
            begin(attributes)

    def end(self, tag: str) -> None:
        name = tag.rpartition("}")[2]
        if name == "data" and self._data:
            self._say()
        elif self._label is not None and name in ("NodeLabel", "EdgeLabel"):
            self._end_label()
        elif name in ("graph", "node", "edge", "hyperedge") and self._holders:
            said = self._holders.pop()
            if self._groups and self._groups[-1] is said:
                self._groups.pop()

    def data(self, text: str) -> None:
        if self._label is not None:
            self._label.append(text)
        elif self._data:
            self._text.append(text)

    def close(self) -> None:
        """Nothing is left to do."""

    def _start_key(self, given: dict[str, str]) -> None:
        name = given.get("attr.name") or given.get("yfiles.type") or given.get("id", "")
        said = (name.removesuffix(JSON), given.get("attr.type", "string"), name.endswith(JSON))
        self._keys[given.get("id", "")] = said

    def _start_graph(self, _given: dict[str, str]) -> None:
        if self.seen:
            self._report.ignore(_("A graph within or after the graph: its nodes are taken as the others."), self.line())
        self._holders.append({} if self.seen else self.drawing.said)
        self.seen = True

    def _start_node(self, given: dict[str, str]) -> None:
        vertex = Vertex(self._needed(given, "id"), line=self.line())
        self._holders.append(vertex.said)
        if "yfiles.foldertype" in given:
            self._groups.append(vertex.said)
            return
        if group := str(self._groups[-1].get("label", "") if self._groups else ""):
            vertex.said["group"] = group
        self.drawing.vertices.append(vertex)
        self.drawing.bound(vertex.line)

    def _start_edge(self, given: dict[str, str]) -> None:
        edge = Edge(self._needed(given, "source"), self._needed(given, "target"), line=self.line())
        self._holders.append(edge.said)
        self.drawing.edges.append(edge)
        self.drawing.bound(edge.line)

    def _start_hyperedge(self, given: dict[str, str]) -> None:
        number = sum(vertex.said.get("network") is True for vertex in self.drawing.vertices)
        name = given.get("id", f"net{number + 1}")
        self._hyper = Vertex(f"hyperedge {name}", {"network": True}, self.line(), name)
        self._holders.append(self._hyper.said)
        self.drawing.vertices.append(self._hyper)
        self.drawing.bound(self._hyper.line)

    def _start_endpoint(self, given: dict[str, str]) -> None:
        if self._hyper:
            self.drawing.edges.append(Edge(self._hyper.id, self._needed(given, "node"), line=self.line()))
            self.drawing.bound(self.line())

    def _start_data(self, given: dict[str, str]) -> None:
        self._data, self._text = self._needed(given, "key"), []

    def _start_label(self, _given: dict[str, str]) -> None:
        self._label = []

    def _end_label(self) -> None:
        """yEd's label of a node or edge: the first of several."""
        text = " ".join("".join(self._label or ()).split())
        self._label = None
        if text and self._holders:
            self._holders[-1].setdefault("label", text)

    def _start_geometry(self, given: dict[str, str]) -> None:
        """Where yEd draws a node: its middle."""
        try:
            x, y, width, height = (float(given.get(key, 0)) for key in ("x", "y", "width", "height"))
        except ValueError:
            return
        if self._holders:
            self._holders[-1].setdefault("x", round(x + width / 2, 1))
            self._holders[-1].setdefault("y", round(y + height / 2, 1))

    def _say(self) -> None:
        name, type_, is_json = self._keys.get(self._data, (self._data, "string", False))
        text = "".join(self._text)
        self._data = ""
        try:
            value = json.loads(text) if is_json else text if type_ == "string" else _number(type_, text.strip())
        except (ValueError, LookupError, RecursionError):
            message = _("“%(text)s” under “%(name)s” is not of type %(type)s.")
            told = {"text": text[:40], "name": name, "type": "json" if is_json else type_}
            raise Invalid(message % told, where=f"{NAME}:{self.line()}") from None
        if self._holders:
            self._holders[-1][name] = value

    def _needed(self, given: dict[str, str], name: str) -> str:
        if name not in given:
            raise Invalid(_('"%(name)s" is missing') % {"name": name}, where=f"{NAME}:{self.line()}")
        return given[name]


def _number(type_: str, text: str) -> Any:
    if type_ == "boolean":
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()] if text else False
    if type_ in _INTEGERS:
        return int(text)
    return float(text) if type_ in _REALS else text


# Words of others ------------------------------------------------------------------------------------------------------

_LABELS: Final = ("label", "name")
_SPEED: Final = ("LinkSpeed", "LinkSpeedUnits", "LinkSpeedRaw")
_LINK_TEXTS: Final = ("label", "LinkLabel", "LinkType", "LinkNote")


def _foreign_words(drawing: Drawing, report: Report) -> None:
    """The Internet Topology Zoo's words in ours: labels, countries, speeds, and where on earth a node stands."""
    if "olimpus" in drawing.said:
        return
    if "Network" in drawing.said:
        drawing.said.setdefault("name", spelled(str(drawing.said.pop("Network")), ""))
    located = []
    for vertex in drawing.vertices:
        label = next((vertex.said.pop(key) for key in _LABELS if isinstance(vertex.said.get(key), str)), "")
        vertex.label = vertex.label or label.strip()
        if isinstance(country := vertex.said.pop("Country", None), str) and country:
            vertex.said.setdefault("group", country)
        if (place := _on_earth(vertex.said)) and "x" not in vertex.said:
            located.append((vertex, *place))
    for edge in drawing.edges:
        text = _link_text(edge.said)
        if text and not edge.said.get("description"):
            edge.said["description"] = text
        edge.said.pop("id", None)
    _spread(located)
    if located:
        report.understand(_("Places on earth became places on the drawing: %d.") % len(located))


def _on_earth(said: Said) -> tuple[float, float] | None:
    """Longitude and latitude, taken out of what is said."""
    try:
        longitude, latitude = float(said.pop("Longitude")), float(said.pop("Latitude"))
    except (KeyError, TypeError, ValueError):
        return None
    return (longitude, latitude) if abs(longitude) <= 360 and abs(latitude) <= 90 else None


def _link_text(said: Said) -> str:
    """What the file says of a cable, in one line."""
    texts = [str(said.pop(name, "")).strip() for name in _LINK_TEXTS]
    speed, units, raw = (str(said.pop(name, "")).strip() for name in _SPEED)
    texts.append(f"{speed} {units}bit/s" if speed else raw and f"{raw} bit/s")
    return ", ".join(dict.fromkeys(filter(None, texts)))


def _spread(located: list[tuple[Vertex, float, float]]) -> None:
    """Onto a drawing on which each node has about its room."""
    if not located:
        return
    middle = math.cos(math.radians(sum(latitude for _v, _long, latitude in located) / len(located)))
    width = (max(long for _v, long, _lat in located) - min(long for _v, long, _lat in located)) * middle
    height = max(lat for _v, _long, lat in located) - min(lat for _v, _long, lat in located)
    scale = STEP * math.sqrt(len(located)) / (max(width, height) or 1)
    west, north = min(long for _v, long, _lat in located), max(lat for _v, _long, lat in located)
    for vertex, longitude, latitude in located:
        vertex.said["x"] = round((longitude - west) * middle * scale, 1)
        vertex.said["y"] = round((north - latitude) * scale, 1)


FORMAT: Final = Format(
    NAME,
    "GraphML",
    (".graphml", ".xml"),
    lambda head: head.startswith("<") and "graphml" in head,
    read,
    write,
)
