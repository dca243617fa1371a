"""The ways into machines: what arrives at the gateway, and for which machine. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypervisors.drivers.linux.gateway.program.state import Card, Machine, Network, State

SSH = 22


@dataclass(frozen=True)
class WayIn:
    """What arrives for `outside` (and its port) goes to `inside`. Kinds: forward, floating, jump.

    A forward's outside is any address of the gateway; a jump's is known to the gateway alone.
    """

    kind: str
    outside: str
    inside: str
    protocol: str = ""
    outside_port: int = 0
    inside_port: int = 0


def ways_into(state: State, key: str) -> list[WayIn]:
    """All ways into the machines of one network."""
    return [way for machine, card in state.cards_of(key) for way in _of_card(state, machine, card)]


def ways_of(state: State, machine: Machine) -> list[WayIn]:
    """All ways into one machine."""
    return [way for card in machine.cards for way in _of_card(state, machine, card)]


def _of_card(state: State, machine: Machine, card: Card) -> Iterator[WayIn]:
    for one in card.forwards:
        yield WayIn("forward", "", card.ip, one.protocol, one.outside, one.port)
    if card.floating:
        yield WayIn("floating", card.floating, card.ip)
    if machine.jump and card is jump_card(state, machine):
        yield WayIn("jump", machine.jump, card.ip, "tcp", SSH, SSH)


def jump_card(state: State, machine: Machine) -> Card | None:
    """The card that a jump leads to: the first with an address in a network that the gateway serves."""
    return next((card for card in machine.cards if card.ip and state.networks[card.network].served), None)


def routes_out(network: Network) -> bool:
    """Whether its machines get outside."""
    return network.served and network.type in ("nat", "public")


def leads_out(state: State, key: str) -> bool:
    """Whether anything leads from a network to the gateway itself, or back."""
    return routes_out(state.networks[key]) or bool(ways_into(state, key))
