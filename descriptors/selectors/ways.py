"""The way from the root to a node: what is set on it decides about rights at the node, whoever asks."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q
from django.db.models.fields.json import KeyTransform

from descriptors.access import Access, Mark
from descriptors.models import Node
from descriptors.names import above
from descriptors.permissions import DEFAULTS


@dataclass(frozen=True)
class Way:
    """The paths from the root to a node; the flags of rights set on them; the nearest that stops inheritance of grants."""

    paths: list[str]
    access: Access
    stop: str

    @property
    def held(self) -> list[str]:
        """The paths whose grants hold at the node."""
        return [path for path in self.paths if len(path) >= len(self.stop)]


def way_to(node: Node) -> Way:
    """The way to the node; one query."""
    paths = [*above(node.path), node.path]
    rows = Node.objects.filter(Q(has_rights=True) | Q(folder__inherit_grants=False), path__in=paths)
    found = rows.annotate(flags=KeyTransform("rights", "definition")).order_by("level")
    marks: list[Mark] = []
    stop = ""
    for path, flags, inherits in found.values_list("path", "flags", "folder__inherit_grants"):
        marks += [Mark(path, rights=flags)] if flags else []
        stop = path if inherits is False else stop
    return Way(paths, Access(marks, DEFAULTS), stop)
