"""The gateway of a cluster as the driver sees it: machines enter and leave their networks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypervisors.drivers.base import VmSpec
from hypervisors.drivers.linux import parcel
from hypervisors.drivers.linux.gateway import program
from hypervisors.drivers.linux.gateway.refusals import in_words
from hypervisors.drivers.linux.gateway.settings import SETTINGS
from hypervisors.drivers.linux.gateway.wishes import enter_request
from hypervisors.drivers.linux.post import Post
from hypervisors.drivers.ways import ssh
from olimpus.errors import HypervisorError

log = logging.getLogger(__name__)

Json = dict[str, Any]
SECONDS: Final = 300.0  # one parcel may carry many requests, and one of them may mend everything
TEND_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Seat:
    """A card as it is in its network: all that its VM's interface, and a guest without DHCP, must be told.

    `tag` is the VLAN (0: untagged), `ip` "" where the gateway gives none; `gateway` "" without a router; `mtu` 0: usual.
    """

    network: str
    tag: int
    mac: str
    ip: str = ""
    cidr: str = ""
    gateway: str = ""
    dns: tuple[str, ...] = ()
    mtu: int = 0


@dataclass(frozen=True)
class Way:
    """A way into a machine. `kind`: forward, floating, jump. `command` is what its owner types, "" when it is no SSH."""

    kind: str
    address: str
    port: int
    target: str
    command: str = ""


@dataclass(frozen=True)
class Entered:
    """The cards of a machine in their order, and its ways in."""

    seats: tuple[Seat, ...]
    ways: tuple[Way, ...]


@dataclass(frozen=True)
class Seen:
    """What there is: networks by key, ways by the machine's uid, tags that only remains of networks have.

    `outside` is the gateway's own address outside, "" when it has no way out.
    """

    networks: Mapping[str, Mapping[str, Any]]
    ways: Mapping[str, tuple[Way, ...]]
    leftovers: tuple[int, ...] = ()
    outside: str = ""


class Gateway:
    """Runs the program on the gateway. Cheap to make, safe from many threads; every call may be repeated.

    `tunnels` end on the gateway, `settings` are those of the record, `where` is its name: that of aliases, too.
    Raises whatever `tunnels` raise (`Unreachable`, `TimedOut`), and what each method says.
    """

    def __init__(self, tunnels: parcel.Runs, settings: Mapping[str, Any], where: str):
        self.tunnels = tunnels
        self.where = where
        self.settings = {one.name: settings.get(one.name, one.default) for one in SETTINGS}
        self.sudo = () if settings.get("headnode_user") == "root" else parcel.SUDO
        self._post: Post[Json, Json] = Post(self._send)
        self._clock = threading.Lock()
        self._tend_at = time.monotonic() + TEND_SECONDS
        self._known_ways: dict[str, tuple[Way, ...]] = {}

    def enter(self, spec: VmSpec) -> Entered:
        """Put a machine into the networks of its cards, and take it out of all others: before it is built or changed.

        A network that is not there yet is made. Addresses, tags, outside ports: what a machine has, it keeps.
        `Rejected`, `CapacityExceeded`, `Transient`: all is as before. Where the connection was lost (`Unreachable`,
        `TimedOut`) it may be done, or half done, and repeating finishes it.
        """
        told = self._ask(enter_request(spec, self.where))
        seats = tuple(Seat(**{**card, "dns": tuple(card["dns"])}) for card in told["cards"])
        ways = self._known_ways[spec.uid] = self._ways(spec.uid, told, told.get("outside", ""))
        return Entered(seats, ways)

    def hold(self, spec: VmSpec) -> str:
        """The floating address of a machine that is not made yet: it is entered and stays so even if making it fails.

        Errors as `enter`; a machine that has a floating address already is not entered anew.
        """
        return str(self._ask({**enter_request(spec, self.where), "command": "hold"})["address"])

    def leave(self, uid: str, *, spare_held: bool = False) -> None:
        """Take a machine out of its networks, with its ways in; networks that nobody is in go, too. Fine when it is out.

        With `spare_held` one that `hold` entered stays. What is in the way of tidying up is tried again by whoever comes
        next.
        """
        self._ask({"command": "leave", "uid": uid, "spare_held": spare_held})
        self._known_ways.pop(uid, None)

    def ways(self, uid: str) -> tuple[Way, ...] | None:
        """A machine's ways in as the gateway told them last, None when it told nothing of it. Asks nobody.

        Each mending tells them anew, so what changed outside of the machine (its cluster's settings, the gateway's
        address, another process of ours) is known a minute after somebody tends.
        """
        return self._known_ways.get(uid)

    def mend(self, *, thorough: bool = True) -> list[str]:
        """Bring everything about again, after a reboot of the gateway or by hands that deleted. Says what could not be.

        Without `thorough` only networks are looked into that lack their namespace or their DHCP server, or were built
        before a reboot: a matter of milliseconds.
        """
        told = self._ask({"command": "mend", "thorough": thorough})
        self._known_ways = self._all_ways(told)
        return [str(in_words(one["refused"], one["told"], one["network"] or self.where)) for one in told["faults"]]

    def tend(self) -> None:
        """Let the gateway be mended in the background, not thoroughly, once a minute at most: call it as often as you like.

        Never raises: what is in the way goes to the log.
        """
        with self._clock:
            if time.monotonic() < self._tend_at:
                return
            self._tend_at = time.monotonic() + TEND_SECONDS
        threading.Thread(target=self._tend, name=f"tend-{self.where}", daemon=True).start()

    def _tend(self) -> None:
        try:
            for fault in self.mend(thorough=False):
                log.warning("%s: a network is not whole: %s", self.where, fault)
        except HypervisorError as error:
            log.warning("%s: the gateway cannot be looked after: %s", self.where, error)

    def look(self, *, thorough: bool = False) -> Seen:
        """What is wished for, with all ways in; `thorough`: and what is there that nobody wishes for."""
        told = self._ask({"command": "look", "thorough": thorough})
        return Seen(told["networks"], self._all_ways(told), tuple(told["leftovers"]), told["outside"])

    # -- asking -----------------------------------------------------------------------------------------------------

    def _ask(self, request: Json) -> Json:
        said = self._post.ask({**request, "settings": self._told_settings()})
        if "refused" in said:
            raise in_words(said["refused"], said["told"], self.where)
        answer: Json = said["answer"]
        return answer

    def _told_settings(self) -> Json:
        values = {name: value for name, value in self.settings.items() if value is not None}
        return {**values, "dns": _listed(values.get("dns")), "home": values["gateway_home"]}

    def _send(self, requests: Sequence[Json]) -> list[Json]:
        return parcel.answers(self.tunnels, self.sudo, program, requests, SECONDS, self.where)

    # -- ways in ----------------------------------------------------------------------------------------------------

    def _all_ways(self, told: Mapping[str, Any]) -> dict[str, tuple[Way, ...]]:
        return {uid: self._ways(uid, one, told["outside"]) for uid, one in told["machines"].items()}

    def _ways(self, uid: str, told: Mapping[str, Any], outside: str) -> tuple[Way, ...]:
        address = str(self.settings["outside_address"] or outside)
        # Without an address of the gateway nobody comes to its ports; a floating one stands for itself.
        ways = [one for one in told["ways"] if address or one["kind"] == "floating"]
        return tuple(self._way(uid, one, str(told["login"]), address) for one in ways)

    def _way(self, uid: str, one: Mapping[str, Any], login: str, address: str) -> Way:
        begin, at = ssh(uid), f"{login}@" if login else ""
        if one["kind"] == "floating":
            return Way("floating", one["outside"], 0, one["inside"], f"{begin} {at}{one['outside']}")
        if one["kind"] == "jump":
            port = int(self.settings["jump_port"] or 22)
            through = f"{self.settings['jump_user']}@{address}" + (f":{port}" if port != 22 else "")
            return Way("jump", address, port, one["inside"], f"{begin} -J {through} {at}{one['outside']}")
        command = f"{begin} -p {one['outside_port']} {at}{address}" if one["inside_port"] == 22 else ""
        target = f"{one['inside']}:{one['inside_port']}/{one['protocol']}"
        return Way("forward", address, one["outside_port"], target, command)


def _listed(value: Any) -> list[str]:
    """Addresses that a person wrote with commas or spaces."""
    parts: Iterable[str] = str(value or "").replace(",", " ").split()
    return list(parts)
