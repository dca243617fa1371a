"""Which flavor suits, and where machines go, with the reason for each: pure rules for zones, workers and hosts alike.

Nothing here asks anybody: what is on offer is given, and the same input has the same answer. Reasons are codes with
parameters; `hypervisors.phrases` puts them into words. Memory is MiB, disks are GiB.
"""

from __future__ import annotations

from hypervisors.placement.advice import Recommendation, Shortage, recommend
from hypervisors.placement.choosing import suggest
from hypervisors.placement.places import (
    TOPOLOGIES,
    Node,
    Place,
    Placement,
    Room,
    Strategy,
    free_of,
    links_of,
    place_of,
    place_of_host,
)
from hypervisors.placement.sizes import PRICES, RESOURCES, Named, Reason, Size, Sized, asked, cost, fits, found

__all__ = [
    "PRICES",
    "RESOURCES",
    "TOPOLOGIES",
    "Named",
    "Node",
    "Place",
    "Placement",
    "Reason",
    "Recommendation",
    "Room",
    "Shortage",
    "Size",
    "Sized",
    "Strategy",
    "asked",
    "cost",
    "fits",
    "found",
    "free_of",
    "links_of",
    "place_of",
    "place_of_host",
    "recommend",
    "suggest",
]
