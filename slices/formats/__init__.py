"""Formats of topologies. A new one is a module beside these with its `FORMAT`, and its line in the registry."""

from __future__ import annotations

from typing import Any, Final

from descriptors.faults import nearest
from olimpus.errors import Invalid
from olimpus.words import gettext as _
from slices import joins
from slices.formats import containerlab, gns3, graphml, heat, netlab, nodelink, own, terraform
from slices.formats.base import MOST_BYTES, Format, bounded, head, uncollected
from slices.formats.report import Report
from slices.graph import Graph

__all__ = ["FORMATS", "MOST_BYTES", "Format", "Report", "described", "read", "sniffed", "write"]

#: By name, in the order in which a text is tried for them.
FORMATS: Final[dict[str, Format]] = {
    known.name: known
    for known in (
        graphml.FORMAT,
        nodelink.FORMAT,
        gns3.FORMAT,
        containerlab.FORMAT,
        netlab.FORMAT,
        own.JSON,
        own.YAML,
        heat.FORMAT,
        terraform.FORMAT,
    )
}


def read(text: str | bytes, format_name: str = "") -> tuple[Graph, Report]:
    """The graph that a text describes, and what the import has to tell; without a name the text says its format.

    Invalid (TooLarge for more than 10 MiB), and nothing else whatever is given, with the line where it is known.
    """
    bounded(text)
    known = _known(format_name) if format_name else sniffed(text)
    if known.read is None:
        raise Invalid(_("Slices are not read from %s.") % known.title, where="format", hint=_readable())
    with uncollected():
        return known.read(text)


def write(graph: Graph, format_name: str) -> str:
    """The graph as a text of this format, gateways between hypervisors in our own one only. Invalid for one not written."""
    known = _known(format_name)
    if known.write is None:
        hint = nearest(format_name, [name for name, one in FORMATS.items() if one.write])
        raise Invalid(_("Slices are not written as %s.") % known.title, where="format", hint=hint)
    return known.write(graph if known in (own.JSON, own.YAML) else joins.apart(graph))


def sniffed(text: str | bytes) -> Format:
    """The format that a text is written in. Invalid where it is none of ours."""
    start = head(text)
    found = next((known for known in FORMATS.values() if known.read and known.known(start)), None)
    if found is None:
        raise Invalid(_("The file is of no format that can be read."), where="format", hint=_readable())
    return found


def described() -> list[dict[str, Any]]:
    """Every format in the reader's words: name, title, endings of its files, whether it is read and written."""
    return [
        {
            "name": known.name,
            "title": known.title,
            "endings": list(known.endings),
            "reads": known.read is not None,
            "writes": known.write is not None,
        }
        for known in FORMATS.values()
    ]


def _known(name: str) -> Format:
    if name not in FORMATS:
        raise Invalid(_("There is no format “%s”.") % name[:80], where="format", hint=nearest(name, FORMATS))
    return FORMATS[name]


def _readable() -> str:
    return _("These are read: %s.") % ", ".join(known.title for known in FORMATS.values() if known.read)
