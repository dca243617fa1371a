"""What containerlab calls things, and what stands in for what it has no word for.

That is in labels that begin with `olimpus-`: texts as they are, all else as JSON under a name that ends with `.json`. What
is said of the whole slice are labels of the group `olimpus`, which no node is in.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from slices.formats.vertices import Edge

NAME: Final = "containerlab"
#: Of our labels, and of the group that says what is true of the whole.
OURS: Final = "olimpus"
KIND: Final = "containerlab-kind"
DRAWN: Final = {"x": "graph-posX", "y": "graph-posY"}
ICON: Final = "graph-icon"
BRIDGES: Final = frozenset({"bridge", "ovs-bridge"})
#: What stands in a node's place in the brief form of a link, and is none.
HOSTS: Final = frozenset({"host", "mgmt-net", "macvlan", "vxlan", "vxlan-stitch", "dummy"})


def first_cards(edges: list[Edge], networks: Collection[str]) -> dict[str, tuple[Edge, str]]:
    """Node → its first card, as (edge, side): those of links come before those of networks."""
    found: dict[str, tuple[Edge, str]] = {}
    for edge in sorted(edges, key=lambda edge: edge.source in networks):
        for side, node in (("source", edge.source), ("target", edge.target)):
            if node not in networks and edge.source != edge.target:
                found.setdefault(node, (edge, side))
    return found
