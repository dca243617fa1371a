"""The own document as JSON and as YAML; each reads both, as YAML contains JSON."""

from __future__ import annotations

import re
from typing import Final

from descriptors.documents import dump_json, dump_yaml, load_with_lines, locate
from olimpus.errors import Invalid
from slices.documents import read as graph_in
from slices.documents import write as document_of
from slices.formats.base import Format
from slices.formats.report import Report
from slices.formats.vertices import tell_sizes
from slices.graph import Graph

_VERSION: Final = re.compile(r"""["']?olimpus["']?\s*:\s*["']?slice/""")
_NODES: Final = re.compile(r"""^(?:nodes|links|networks|defaults)\s*:""", re.MULTILINE)
_JSON_NODES: Final = re.compile(r'"nodes"\s*:\s*\[\s*\{\s*"name"\s*:')


def read(text: str | bytes) -> tuple[Graph, Report]:
    """The graph of a document. Invalid with the line of every fault ("slice:12:5: nodes[3].role")."""
    data, positions = load_with_lines(text, name="slice")
    try:
        graph = graph_in(data)
    except Invalid as error:
        raise locate(error, positions) from None
    report = Report()
    tell_sizes(graph, report)
    return graph, report


def _is_json(head: str) -> bool:
    return head.startswith("{") and bool(_VERSION.search(head) or _JSON_NODES.search(head))


def _is_yaml(head: str) -> bool:
    return not head.startswith(("{", "<")) and bool(_VERSION.search(head) or _NODES.search(head))


JSON: Final = Format(
    "own",
    "Olimpus (JSON)",
    (".json",),
    _is_json,
    read,
    lambda graph: dump_json(document_of(graph)),
)
YAML: Final = Format(
    "yaml",
    "Olimpus (YAML)",
    (".yaml", ".yml"),
    _is_yaml,
    read,
    lambda graph: dump_yaml(document_of(graph)),
)
