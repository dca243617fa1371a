"""What is wished for on the gateway: the networks and the machines in them, kept in one file.

The file is written whole and renamed into place, under a lock that all programs take: whoever is killed leaves the old
wish or the new one, never half of one.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from hypervisors.drivers.linux.faults import Refused

LOCK_SECONDS = 30.0
#: Types of networks whose machines get out through the gateway.
OUTWARD = frozenset({"nat", "public"})


@dataclass
class Network:
    """A network as its definition wants it, with the tag and the address that it was given here."""

    name: str
    cidr: str = ""
    type: str = "private"
    gateway: str = ""  # as the definition says
    dns: list[str] = field(default_factory=list)
    dhcp: bool = True
    mtu: int = 0
    vlan: int = 0  # as the definition says
    pool: list[str] = field(default_factory=list)  # first and last address that Olimpus gives
    reaches: list[str] = field(default_factory=list)  # keys
    tag: int = 0
    service: str = ""  # the gateway's own address in it

    @property
    def served(self) -> bool:
        """Whether the gateway takes part in it; other networks are layer 2 only, or somebody else's."""
        return bool(self.cidr) and self.type != "provider"

    @property
    def around(self) -> ipaddress.IPv4Network:
        """Its range, as large as it takes for the gateway's own address to be in it."""
        network = ipaddress.IPv4Network(self.cidr)
        return network if ipaddress.IPv4Address(self.service) in network else network.supernet()

    @property
    def routed(self) -> bool:
        """Whether the gateway is the router of its machines."""
        return self.served and (self.type in OUTWARD or bool(self.reaches))

    @property
    def router(self) -> str:
        """The address of the router that machines are told, or ""."""
        return self.service if self.routed else self.gateway


@dataclass
class Forward:
    """A port of the gateway (`outside`, 0: any that is free) that leads to a port of a card."""

    port: int
    protocol: str = "tcp"
    outside: int = 0


@dataclass
class Card:
    """A machine's card in a network. `floating` is the outside address that leads to it, or "" ."""

    network: str
    mac: str
    ip: str = ""
    dhcp: bool = True
    forwards: list[Forward] = field(default_factory=list)
    floating: str = ""


@dataclass
class Machine:
    """A machine: who may jump to it (`keys`), and the address (`jump`) by which the gateway itself reaches it.

    `held`: others were told its floating address, so that it stays entered even when making it fails.
    """

    name: str
    login: str = ""
    keys: list[str] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    jump: str = ""
    held: bool = False

    @property
    def floating(self) -> str:
        """The floating address of its first card that has one, or ""."""
        return next((card.floating for card in self.cards if card.floating), "")


@dataclass
class State:
    """Everything wished for: networks by key, machines by uid."""

    networks: dict[str, Network] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)

    def cards(self) -> Iterator[tuple[str, Card]]:
        """All cards, each with the uid of its machine."""
        for uid, machine in self.machines.items():
            for card in machine.cards:
                yield uid, card

    def cards_of(self, key: str) -> list[tuple[Machine, Card]]:
        """The cards in one network."""
        return [(machine, card) for machine in self.machines.values() for card in machine.cards if card.network == key]


def network_from(data: Mapping[str, Any]) -> Network:
    """A network of JSON; unknown members are left out, as a newer program may have written them."""
    return Network(**_known(Network, data))


def card_from(data: Mapping[str, Any]) -> Card:
    """A card of JSON."""
    forwards = [Forward(**_known(Forward, one)) for one in data.get("forwards") or []]
    return Card(**{**_known(Card, data), "forwards": forwards})


def machine_from(data: Mapping[str, Any]) -> Machine:
    """A machine of JSON."""
    return Machine(**{**_known(Machine, data), "cards": [card_from(one) for one in data.get("cards") or []]})


def state_from(data: Mapping[str, Any]) -> State:
    """A state of JSON."""
    return State(
        {key: network_from(one) for key, one in (data.get("networks") or {}).items()},
        {uid: machine_from(one) for uid, one in (data.get("machines") or {}).items()},
    )


def _known(kind: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in data.items() if name in names}


# -- the file ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Alone with the state, and with what is made of it, in this home folder. `Refused` when others take too long."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Refused("busy") from None
                time.sleep(0.005)
        yield


def load(home: Path) -> State:
    """The wish as it was written last; an empty one at first. `Refused` when the file is none of ours."""
    try:
        return state_from(json.loads((home / "state.json").read_text()))
    except FileNotFoundError:
        return State()
    except (ValueError, TypeError, AttributeError) as error:
        raise Refused("state", file=str(home / "state.json"), error=str(error)) from None


def save(home: Path, state: State) -> None:
    """Write the wish, whole or not at all."""
    write(home / "state.json", json.dumps(asdict(state), indent=1, sort_keys=True) + "\n", mode=0o600, sync=True)


def write(path: Path, text: str, mode: int = 0o644, *, sync: bool = False) -> bool:
    """Put a text into a file, whole or not at all; whether it was another one before. `sync`: it outlives a power cut."""
    with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
        if path.read_text() == text:
            return False
    draft = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
    return True
