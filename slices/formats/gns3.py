"""GNS3's projects (`.gns3`, of GNS3 2.0 and newer), read: switches and hubs are shared networks, clouds lead out."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from olimpus.words import gettext as _
from slices.formats.base import Format
from slices.formats.foreign import Source, join_networks
from slices.formats.report import Report
from slices.formats.vertices import Edge, Said, Vertex
from slices.graph import Graph
from slices.naming import Names

NAME: Final = "gns3"
#: Of GNS3 2.0: before, files looked different.
_FIRST: Final = 5
_SWITCHES: Final = frozenset({"ethernet_switch", "ethernet_hub", "frame_relay_switch", "atm_switch"})
_CLOUDS: Final = frozenset({"cloud", "nat"})
_NETWORKS: Final = _SWITCHES | _CLOUDS
_SIZES: Final = {"cpus": "cpus", "memory_mib": "ram"}
#: Where the kinds of nodes say what they are made from.
_IMAGES: Final = ("hda_disk_image", "image", "path", "vmname", "vmx_path")
_MACHINE: Final = frozenset({*_IMAGES, *_SIZES.values()})
_PARTS: Final = frozenset({"name", "topology", "project_id", "revision", "type", "version"})
_NODE: Final = frozenset({"node_id", "name", "node_type", "properties", "x", "y"})
#: How GNS3 draws a node and reaches it on its own machine.
_LOOKS: Final = re.compile(
    "compute_id|template_id|label|symbol|z|width|height|locked|status|console(_.*)?|aux(_.*)?|command_line|ports|"
    "node_directory|first_port_name|port_name_format|port_segment_size|custom_adapters"
)
_ROLES: Final = (("router", "router"), ("switch", "switch"), ("firewall", "firewall"), ("server", "server"))
_HOSTS: Final = re.compile("computer|guest|laptop|pc")


def read(text: str | bytes) -> tuple[Graph, Report]:
    """The graph of a project; what GNS3 says of its own servers, windows and drawings is left out."""
    source = Source(NAME, text)
    _Reader(source).draw()
    return source.graph()


class _Reader:
    def __init__(self, source: Source):
        self._source = source
        self._drawing = source.drawing
        self._names = Names()  # of networks
        self._known: set[str] = set()  # ids of nodes

    def draw(self) -> None:
        top = self._source.mapping(self._source.data)
        revision = top.get("revision")
        if isinstance(revision, int) and revision < _FIRST:
            message = _("This is a project of GNS3 1: open it in GNS3 2 and save it there.")
            raise self._source.refuse(message, "revision")
        topology = self._source.mapping(top.get("topology"), "topology")
        self._drawing.said = self._source.name(top.get("name"))
        self._source.ignore([key for key in sorted(top.keys() - _PARTS) if top[key]])
        left = [key for key in sorted(topology.keys() - {"nodes", "links"}) if topology[key]]
        self._source.ignore(left, "topology")
        for place, node in enumerate(self._source.listed(topology.get("nodes"), "topology", "nodes")):
            self._node(self._source.mapping(node, "topology", "nodes", place), ("topology", "nodes", place))
        for place, link in enumerate(self._source.listed(topology.get("links"), "topology", "links")):
            self._link(self._source.mapping(link, "topology", "links", place), ("topology", "links", place))
        join_networks(self._drawing, self._source.report)

    def _node(self, said: Said, path: tuple[str | int, ...]) -> None:
        id_, label, kind = self._source.texts(said, ("node_id", "name", "node_type"), path)
        if not id_:
            raise self._source.refuse(_('"%(name)s" is missing') % {"name": "node_id"}, *path)
        if id_ in self._known:
            raise self._source.refuse(_("“%s” is given twice.") % id_[:80], *path, "node_id")
        self._known.add(id_)
        properties = self._source.mapping(said.get("properties"), *path, "properties")
        place = {key: said[key] for key in ("x", "y") if said.get(key) is not None}
        if kind in _NETWORKS:
            self._drawing.vertices.append(self._network(id_, label or kind, kind, place, path))
            self._tell_vlans(properties, label, path)
            return
        vertex = Vertex(id_, self._machine(kind, properties, path) | place, path, label)
        role = _role(self._source.text(said.get("symbol"), *path, "symbol"))
        vertex.said |= {"role": role} if role else {}
        unknown = {f"properties.{key}": value for key, value in properties.items() if value and key not in _MACHINE}
        unknown |= {f"node.{key}": said[key] for key in said.keys() - _NODE if not _is_look(key)}
        vertex.said |= unknown
        self._drawing.vertices.append(vertex)

    def _machine(self, kind: str, properties: Said, path: tuple[str | int, ...]) -> Said:
        here = (*path, "properties")
        texts = self._source.texts(properties, _IMAGES, here)
        paths = (text.replace("\\", "/").rstrip("/") for text in texts)
        image = next((there.rpartition("/")[2] for there in paths if there), kind)
        return ({"image": image} if image else {}) | self._source.sized(properties, _SIZES, *here)

    def _network(self, id_: str, label: str, kind: str, place: Said, path: tuple[str | int, ...]) -> Vertex:
        type_ = {"network_type": "nat"} if kind in _CLOUDS else {}
        return Vertex(id_, {"network": True, "name": self._names.take(label, kind), **type_, **place}, path)

    def _tell_vlans(self, properties: Said, label: str, path: tuple[str | int, ...]) -> None:
        ports = properties.get("ports_mapping")
        said = [port for port in ports if isinstance(port, dict)] if isinstance(ports, list) else []
        if any(port.get("vlan", 1) not in (1, "1") or port.get("type", "access") == "dot1q" for port in said):
            message = _("“%s” has VLANs: all of its ports are in one network here.") % label[:80]
            self._source.unmap(message, *path, "properties", "ports_mapping")

    # Links

    def _link(self, said: Said, path: tuple[str | int, ...]) -> None:
        ends = self._source.listed(said.get("nodes"), *path, "nodes")
        if len(ends) != 2:
            raise self._source.refuse(_("A point-to-point link has two ends, not %d.") % len(ends), *path)
        self._source.ignore([key for key in ("filters", "suspend") if said.get(key)], *path)
        source, source_name = self._end(ends[0], (*path, "nodes", 0))
        target, target_name = self._end(ends[1], (*path, "nodes", 1))
        names = {key: name for key, name in (("source_name", source_name), ("target_name", target_name)) if name}
        self._drawing.edges.append(Edge(source, target, names, path))

    def _end(self, end: Any, path: tuple[str | int, ...]) -> tuple[str, str]:
        """The node, and what the card is called."""
        said = self._source.mapping(end, *path)
        node, adapter, port = self._source.texts(said, ("node_id", "adapter_number", "port_number"), path)
        if node not in self._known:
            raise self._source.refuse(_("There is no node “%s”.") % node[:80], *path)
        label = said.get("label")
        text = label.get("text") if isinstance(label, dict) else ""
        name = text.strip() if isinstance(text, str) else ""
        return node, name or "/".join(filter(None, (adapter, port)))


@lru_cache(256)
def _is_look(key: str) -> bool:
    return bool(_LOOKS.fullmatch(key))


@lru_cache(256)
def _role(symbol: str) -> str:
    """What the node's picture shows."""
    picture = symbol.rpartition("/")[2].lower()
    found = next((role for word, role in _ROLES if word in picture), "")
    return found or ("host" if _HOSTS.search(picture) else "")


def _known(head: str) -> bool:
    """By its nodes, or by what comes before them: drawings may be large."""
    words = set(re.findall(r'"(topology|node_type|project_id|nodes?|node_id|computes)"\s*:', head))
    return head.startswith("{") and bool(words & {"topology", "node_type", "project_id"}) and len(words) > 1


FORMAT: Final = Format(NAME, "GNS3", (".gns3",), _known, read)
