"""How a machine is reached from outside, where its hypervisor makes ways in and tells of them."""

from __future__ import annotations

from typing import TypedDict

from descriptors.models import Descriptor
from descriptors.states import State

KINDS = ("forward", "floating", "jump")


class Entrance(TypedDict):
    """A way in. `kind`: forward (a port that leads to it), floating (an address of its own), jump (SSH through a gateway).

    `command` is what its owner types, "" when it is no SSH; `port` 0: all of them.
    """

    kind: str
    address: str
    port: int
    target: str
    command: str


def entrances(machine: Descriptor) -> list[Entrance]:
    """The ways in that were seen last; none of a machine that is not there."""
    if machine.state == State.PROVISIONED:
        return []
    seen = (machine.observed or {}).get("ways") or []
    return [_entrance(way) for way in seen if way.get("kind") in KINDS]


def _entrance(way: dict[str, object]) -> Entrance:
    text = {name: str(way.get(name) or "") for name in ("kind", "address", "target", "command")}
    return Entrance(
        kind=text["kind"],
        address=text["address"],
        port=int(str(way.get("port") or 0)),
        target=text["target"],
        command=text["command"],
    )
