"""The run parameters of a machine that is off: its size, its network cards, its extra disks, its description."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from hypervisors.drivers.base import POWER_WORDS, Power, VmSpec
from hypervisors.drivers.openstack import memory
from hypervisors.drivers.openstack.disks import Disks
from hypervisors.drivers.openstack.plan import Planner, description_of, refuse_what_cannot_be
from hypervisors.drivers.openstack.ports import Plan, Plug, Ports, project_of
from hypervisors.drivers.openstack.rest import at, log_left, wait_for
from hypervisors.drivers.openstack.servers import Servers
from hypervisors.drivers.openstack.view import addresses_of, nics_of, power_of, task_of
from olimpus.errors import CapacityExceeded, HypervisorError, Rejected, TimedOut, VMNotFound
from olimpus.words import gettext as _

Json = dict[str, Any]

RESIZE_SECONDS: Final = 580.0
PORT_SECONDS: Final = 120.0
SHOWN_SECONDS: Final = 20.0
#: What the machine remembers of its run parameters; the rest of its metadata stays.
WRITTEN: Final = (memory.SIZE, memory.NIC, memory.DISK, memory.LOGIN)


@dataclass(frozen=True)
class Cards:
    """What is to be done with the cards: Neutron's ports in their order, of which the first ones stay."""

    plan: Plan
    stay: Sequence[Json]
    go: Sequence[Json]
    come: Plan
    move: Sequence[tuple[Json, str]]  # a port and its new address


@dataclass(frozen=True)
class Shown:
    """What Nova shall show of the cards, and what no more, before they count as written."""

    ips: set[str]
    gone_ips: set[str]
    gone_macs: set[str]


class Reconfigurer:
    """Writes run parameters. What cannot be is refused before anything changes; what is as wanted is left alone."""

    def __init__(self, servers: Servers, ports: Ports, disks: Disks, planner: Planner):
        self.servers = servers
        self.ports = ports
        self.disks = disks
        self.planner = planner
        self.rest = servers.rest

    def write(self, ref: str, spec: VmSpec) -> Json:
        server = self.settled(self.servers.get(ref))
        _require_off(server, self.servers.where)
        refuse_what_cannot_be(spec)
        flavor = self._flavor(server, spec)
        plan = self.ports.plan(spec)
        cards = self._cards(server, plan)
        known = self._disks_in(server, spec)
        _refuse_shrinking(known, spec, self.servers.where)
        with self.ports.floating.ready(spec.uid, plan.externals, project_of(spec)):
            if flavor["name"] != server["flavor"]["original_name"]:
                self._resize(server, flavor)
        self._wait_until_shown(ref, self._write_cards(ref, spec, cards))
        disks = self._write_disks(ref, spec, known)
        before = {card.label for card in memory.cards_in(server["metadata"])}
        for left in before - {
            card.label for card in plan.cards
        }:  # before we forget them: whoever dies here, tries again
            log_left(self.servers.where, lambda name: self.ports.leave(name, project_of(spec)), left)
        self._remember(server, spec, flavor, plan, disks)
        return self.servers.get(ref)

    def settled(self, server: Json) -> Json:
        """The machine, whose resize is confirmed if somebody died before doing so."""
        return self._confirm(server["id"]) if server["status"] == "VERIFY_RESIZE" else server

    # -- size -------------------------------------------------------------------------------------------------------

    def _flavor(self, server: Json, spec: VmSpec) -> Json:
        """The flavor for the wanted size; the system disk is not a run parameter and stays as it is."""
        disk = int(server["flavor"]["disk"])
        volume = not server.get("image")
        return self.planner.sizes.choose(replace(spec, disk_gib=disk), volume=volume, least_disk=disk)

    def _resize(self, server: Json, flavor: Json) -> None:
        ref, before = server["id"], server["flavor"]["original_name"]
        self.servers.act(ref, "resize", {"flavorRef": flavor["id"]})

        def look() -> bool | None:
            now = self.servers.get(ref)
            if now["status"] == "VERIFY_RESIZE":
                return True
            if now["status"] == "ERROR" or (not task_of(now) and now["status"] == "SHUTOFF"):
                raise self._not_resized(now, before)
            return None

        wait_for(look, _("The change of size"), self.servers.where, RESIZE_SECONDS)
        self._confirm(ref)

    def _confirm(self, ref: str) -> Json:
        self.servers.act(ref, "confirmResize")

        def look() -> Json | None:
            now = self.servers.get(ref)
            return now if now["status"] != "VERIFY_RESIZE" and not task_of(now) else None

        return wait_for(look, _("The change of size"), self.servers.where, RESIZE_SECONDS)

    def _not_resized(self, server: Json, before: str) -> HypervisorError:
        told = {"name": server["name"], "flavor": before, "fault": (server.get("fault") or {}).get("message", "")}
        message = _("No host has room for the new size of “%(name)s”; it keeps the flavor %(flavor)s. %(fault)s") % told
        return CapacityExceeded(message.strip(), where=self.servers.where, hint=_("Ask for less."))

    # -- cards ------------------------------------------------------------------------------------------------------

    def _cards(self, server: Json, plan: Plan) -> Cards:
        """Cards that are there in the wanted order stay, as Nova only adds behind the last one."""
        now = _in_order(self.ports.of_server(server["id"]), memory.cards_in(server["metadata"]))
        same = 0
        while same < min(len(now), len(plan.plugs)) and _is(now[same], plan.plugs[same]):
            same += 1
        move = [(port, card.nic.ip) for port, card in zip(now, plan.cards, strict=False) if _moves(port, card)]
        come = Plan(plan.plugs[same:])
        return Cards(plan, now[:same], now[same:], come, [(port, ip) for port, ip in move if port in now[:same]])

    def _write_cards(self, ref: str, spec: VmSpec, cards: Cards) -> Shown:
        for port in cards.go:
            self.rest.delete("compute", f"{at('/servers', ref)}/os-interface{at('', port['id'])}")
        if cards.go:
            self._wait_until_free(ref, {port["id"] for port in cards.go})
            self.ports.remove(cards.go)
        moved = {port["id"]: self.ports.move(port, ip) for port, ip in cards.move}
        if cards.come.cards:  # an attempt that died may have left ports that hold the MACs
            self.ports.remove([port for port in self.ports.of_uid(spec.uid) if not port["device_id"]])
        left = made = self.ports.make(spec.uid, cards.come, project_of(spec))
        while left:
            try:
                self._plug(ref, left[0])
            except HypervisorError:
                self.ports.remove(left)
                raise
            left = left[1:]
        come, gone = self._write_floating(spec, cards, [*(moved.get(one["id"], one) for one in cards.stay), *made])
        macs = {port["mac_address"] for port in cards.go} - {card.nic.mac for card in cards.come.cards}
        return Shown({ip for _port, ip in cards.move} | come, gone, macs)

    def _write_floating(self, spec: VmSpec, cards: Cards, ports: Sequence[Json]) -> tuple[set[str], set[str]]:
        """What the ports let through, and the addresses that lead to them; says which come and which go."""
        project, before = project_of(spec), self.ports.floating.of_uid(spec.uid)
        for port, plug in zip(cards.stay, cards.plan.plugs, strict=False):
            self.ports.adapt(port, plug, project, floated=bool(before))
        if not before and not cards.plan.externals:
            return set(), set()
        led = self.ports.lead_to(spec.uid, cards.plan, ports, project)
        known = {str(item["floating_ip_address"]) for item in before if item["port_id"]}
        return led - known, known - led

    def _plug(self, ref: str, port: Json) -> None:
        body = {"interfaceAttachment": {"port_id": port["id"]}}
        self.rest.post("compute", f"{at('/servers', ref)}/os-interface", body, missing=VMNotFound)

    def _wait_until_free(self, ref: str, ports: set[str]) -> None:
        def look() -> bool | None:
            return None if ports & {port["id"] for port in self.ports.of_server(ref)} else True

        wait_for(look, _("The change of network cards"), self.servers.where, PORT_SECONDS)

    def _wait_until_shown(self, ref: str, shown: Shown) -> None:
        """Neutron tells Nova of cards and addresses, which takes a moment; else Nova finds out by itself later."""

        def look() -> bool | None:
            server = self.servers.get(ref)
            ips, macs = addresses_of(server), {nic.mac for nic in nics_of(server)}
            return True if shown.ips <= ips and not shown.gone_ips & ips and not shown.gone_macs & macs else None

        if shown.ips or shown.gone_ips or shown.gone_macs:
            with suppress(TimedOut):
                wait_for(look, _("The change of network cards"), self.servers.where, SHOWN_SECONDS)

    # -- disks and the rest -----------------------------------------------------------------------------------------

    def _disks_in(self, server: Json, spec: VmSpec) -> list[memory.Disk]:
        """The extra disks that are really there; what the machine remembers of them, where it does."""
        remembered = {disk.volume: disk for disk in memory.disks_in(server["metadata"])}
        if not remembered and not spec.disks:
            return []
        there = self.disks.attached(server["id"], spec.uid, project_of(spec))
        return [remembered.get(disk.volume, disk) for disk in there]

    def _write_disks(self, ref: str, spec: VmSpec, known: Sequence[memory.Disk]) -> list[memory.Disk]:
        names = {str(disk["name"]) for disk in spec.disks}
        self.disks.take_off(ref, [disk.volume for disk in known if disk.name not in names])
        there = {disk.name: disk for disk in known}
        new = [disk for disk in spec.disks if disk["name"] not in there]
        for made in self.disks.make(spec.uid, spec.name, new, project_of(spec)):
            self.disks.attach(ref, made)
            there[made.name] = made
        found = []
        for disk in spec.disks:
            one = there[str(disk["name"])]
            if one.size_gib < disk["size_gib"]:
                self.disks.grow(one.volume, disk["size_gib"])
            found.append(replace(one, size_gib=disk["size_gib"]))
        return found

    def _remember(self, server: Json, spec: VmSpec, flavor: Json, plan: Plan, disks: Sequence[memory.Disk]) -> None:
        """Write down what was asked for, if that is not what is written there."""
        disk_gib = (memory.size_in(server["metadata"]) or spec).disk_gib
        size = memory.Size(spec.cpus, spec.memory_mib, disk_gib, flavor["name"])
        kept = {key: text for key, text in server["metadata"].items() if not key.startswith(WRITTEN)}
        wanted = kept | memory.of_size(size) | memory.of_cards(plan.cards) | memory.of_disks(disks)
        wanted |= memory.of_login(spec)
        if wanted != server["metadata"]:
            path = at("/servers", server["id"]) + "/metadata"
            self.rest.put("compute", path, {"metadata": wanted}, missing=VMNotFound)
        described = description_of(spec)
        if described and described != server.get("description"):
            self.rest.put("compute", at("/servers", server["id"]), {"server": {"description": described}})


def _require_off(server: Json, where: str) -> None:
    power = power_of(server)
    if power is not Power.OFF:
        told = {"name": server["name"], "power": _(POWER_WORDS[power]), "wanted": _(POWER_WORDS[Power.OFF])}
        raise Rejected(_("“%(name)s” is %(power)s; it must be %(wanted)s.") % told, where=where)


def _refuse_shrinking(known: Sequence[memory.Disk], spec: VmSpec, where: str) -> None:
    sizes = {disk.name: disk.size_gib for disk in known}
    for disk in spec.disks:
        if disk["size_gib"] < sizes.get(str(disk["name"]), 0):
            told = {"name": disk["name"], "now": sizes[str(disk["name"])], "wanted": disk["size_gib"]}
            message = _("The disk “%(name)s” has %(now)g GiB and cannot shrink to %(wanted)g.")
            raise Rejected(message % told, where="disks")


def _in_order(ports: Sequence[Json], cards: Sequence[memory.Card]) -> list[Json]:
    """Ports as the cards that they are; strangers last, the oldest first."""
    places = {card.nic.mac: place for place, card in enumerate(cards)}
    return sorted(
        ports, key=lambda port: (places.get(port["mac_address"], len(places)), port["created_at"], port["id"])
    )


def _is(port: Json, plug: Plug) -> bool:
    return port["network_id"] == plug.network and plug.card.nic.mac in ("", port["mac_address"])


def _moves(port: Json, card: memory.Card) -> bool:
    return card.nic.ip not in ("", "auto", *(fixed["ip_address"] for fixed in port["fixed_ips"]))
