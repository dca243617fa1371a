"""Making a machine: once, however often and by however many it is asked for, and whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from hypervisors.drivers.base import Power, VmSpec
from hypervisors.drivers.locks import one_at_a_time
from hypervisors.drivers.openstack import memory
from hypervisors.drivers.openstack.disks import Disks
from hypervisors.drivers.openstack.errors import Clash, of_status
from hypervisors.drivers.openstack.plan import Blueprint, Planner
from hypervisors.drivers.openstack.ports import SECURITY, Plug, Ports, project_of
from hypervisors.drivers.openstack.rest import log_left, when
from hypervisors.drivers.openstack.servers import Servers
from hypervisors.drivers.openstack.view import power_of
from hypervisors.drivers.ways import floats
from olimpus.errors import HypervisorError, Missing, Rejected, Transient, VMNotFound
from olimpus.words import gettext as _

Json = dict[str, Any]

CREATE_SECONDS: Final = 580.0  # a little less than the gateway waits
STOP_SECONDS: Final = 120.0
DELETE_SECONDS: Final = 120.0
CLAIM_SECONDS: Final = 120.0  # after which whoever made the ports and no server is taken for dead
IN_FLIGHT_SECONDS: Final = 30.0  # in which Nova may still be at what somebody asked for just before he died
CLAIM_PAUSE: Final = 0.5
ORPHAN_AGE: Final = timedelta(minutes=10)


class Creator:
    """Creates and destroys whole machines: server, ports, floating addresses, extra volumes."""

    def __init__(self, servers: Servers, ports: Ports, disks: Disks, planner: Planner, created_power: str):
        self.servers = servers
        self.ports = ports
        self.disks = disks
        self.planner = planner
        self.created_power = created_power
        #: Of machines that Nova may still be at: when the answer to our request was lost.
        self._lost: dict[str, float] = {}

    # -- making -----------------------------------------------------------------------------------------------------

    def create(self, spec: VmSpec) -> Json:
        """The server with this uid, made if there is none; one that died as it was built is made anew.

        Threads, and processes with the same home folder, take turns; others meet at the claim on its ports.
        """
        with one_at_a_time(self.servers.session.home, self.servers.where, "create", spec.uid):
            server = self._found_or_made(spec)
            self._lost.pop(spec.uid, None)
            return server

    def outside(self, spec: VmSpec) -> str:
        """The floating address that the machine has or will have. (Not alone: making the machine takes minutes.)"""
        try:
            return self.ports.outside(spec)
        except Missing:
            self.planner.forget()
            return self.ports.outside(spec)

    def _found_or_made(self, spec: VmSpec) -> Json:
        there = self.servers.by_uid(spec.uid)
        if there and there["status"] == "ERROR":
            self._clear(there["id"], spec)
            there = None
        if there:
            return self._finished(there, spec)
        try:
            return self._made(spec)
        except Missing:  # what was looked up a while ago is gone: a branch's network goes with its last machine
            self.planner.forget()
            return self._made(spec)

    def _made(self, spec: VmSpec) -> Json:
        blueprint = self.planner.plan(spec)
        claim = self._claim(blueprint)
        if isinstance(claim, dict):
            return self._finished(claim, spec)
        return self._build(blueprint, claim)

    def _build(self, blueprint: Blueprint, claim: Sequence[Json]) -> Json:
        spec, ports = blueprint.spec, [port["id"] for port in claim]
        try:
            if blueprint.ports.externals:
                self.ports.lead_to(spec.uid, blueprint.ports, claim, blueprint.project)
            disks = self.disks.make(spec.uid, spec.name, spec.disks, blueprint.project)
        except HypervisorError:
            self._clear("", spec)
            raise
        server = self._ready(self._ask(blueprint.body(ports, disks), blueprint), spec)
        return server if any(nic.mac for nic in spec.nics) else self._only_one(server, spec)

    def _ask(self, body: Json, blueprint: Blueprint) -> str:
        """Nova's id of the new server.

        An answer that was lost may have been a yes, which the tag tells, or become one: Nova does not stop because we do
        not wait. So what was made for the server stays for the next attempt; ports without a MAC would not be found.
        """
        spec = blueprint.spec
        try:
            return str(self.servers.rest.post("compute", "/servers", body, project=blueprint.project)["server"]["id"])
        except HypervisorError as error:
            if not error.retry or not all(nic.mac for nic in spec.nics):
                self._clear("", spec)
                raise
            self._lost[spec.uid] = time.monotonic()
            there = self.servers.by_uid(spec.uid)
            if not there:
                raise
            return str(there["id"])

    def _ready(self, ref: str, spec: VmSpec) -> Json:
        """The server once it is built, and off when new machines shall be off; a failed one leaves nothing."""
        try:
            if self.created_power == "on" or spec.start:
                self.servers.watcher.until(ref, CREATE_SECONDS, "ACTIVE")
                return self.servers.settled(ref, "ACTIVE")
            # Somebody else who makes the same machine may have switched it off before we see it on.
            self.servers.watcher.until(ref, CREATE_SECONDS, "ACTIVE", "SHUTOFF")
            return self.servers.bring(ref, "os-stop", "SHUTOFF", STOP_SECONDS)
        except VMNotFound:
            self._clear("", spec)
            message = _("“%(name)s” was deleted on the cloud while it was made.") % {"name": spec.name}
            raise VMNotFound(message, where=self.servers.where) from None
        except (Transient, Rejected):
            server = self.servers.get(ref)
            if server["status"] != "ERROR":
                raise
            self._clear(ref, spec)
            raise _why(server, self.servers.where) from None

    def _finished(self, server: Json, spec: VmSpec) -> Json:
        """What an earlier attempt, or another one just now, has made: waited for, and stopped if nobody did so yet."""
        if server["status"] == "BUILD":
            return self._ready(server["id"], spec)
        wanted_off = self.created_power == "off" and not spec.start
        started = wanted_off and power_of(server) is Power.ON and memory.SIZE in server["metadata"]
        if started and {action["action"] for action in self.servers.actions(server["id"])} <= {"create"}:
            return self._ready(server["id"], spec)
        return server

    def _only_one(self, server: Json, spec: VmSpec) -> Json:
        """Without a MAC no port held the claim: of two machines that were made at once the older one stays."""
        oldest = self.servers.all_by_uid(spec.uid)[0]
        if oldest["id"] == server["id"]:
            return server
        self._clear(server["id"], spec)
        return self._finished(oldest, spec)

    # -- the claim --------------------------------------------------------------------------------------------------

    def _claim(self, blueprint: Blueprint) -> list[Json] | Json:
        """The machine's ports, which nobody else has; or the server that somebody else made meanwhile."""
        uid, begun = blueprint.spec.uid, time.monotonic()
        while True:
            try:
                return self.ports.make(uid, blueprint.ports, blueprint.project)
            except (Clash, Transient):  # a MAC or an address is taken: by ourselves, or by somebody else
                there = self.ports.of_uid(uid)
                late = time.monotonic() - begun > CLAIM_SECONDS
                if late or (not there and self.ports.holder(blueprint.ports)):
                    raise
            if not there:  # Neutron is about to give it to the other attempt, whose ports are not there yet
                time.sleep(CLAIM_PAUSE)
                continue
            if server := self._wait_for_other(uid, there):
                return server
            if found := self._take_over(blueprint):
                return found

    def _take_over(self, blueprint: Blueprint) -> list[Json]:
        """The ports of an attempt that died, if they are as planned; others are removed, to be made anew."""
        there = sorted(self.ports.of_uid(blueprint.spec.uid), key=lambda port: port["id"])
        if not there or not self.ports.take(there[0]):
            return []
        found = _as_planned(there, blueprint)
        if not found:
            self.ports.remove(there)
        return found

    def _wait_for_other(self, uid: str, ports: Sequence[Json]) -> Json | None:
        """The server of whoever holds the claim; None when he gave up, or seems to have died."""
        dead = all(port["description"].startswith(self.ports.maker) for port in ports)  # as it is our turn
        begun = self._lost.pop(uid, time.monotonic())
        deadline = begun + (IN_FLIGHT_SECONDS if dead else CLAIM_SECONDS)
        while True:
            if server := self.servers.by_uid(uid):
                return server
            if time.monotonic() > deadline or not self.ports.of_uid(uid):
                return None
            time.sleep(CLAIM_PAUSE)

    # -- removing ---------------------------------------------------------------------------------------------------

    def destroy(self, ref: str, *, spare_held: bool = False) -> None:
        """Remove the machine with its ports, addresses and volumes; what is gone already is fine."""
        ports = [port for port in self.ports.of_server(ref) if port["name"].startswith(memory.TAG)]
        for name in {port["name"] for port in ports}:  # first, as who is killed now finds the ports again
            self.ports.floating.remove(name.removeprefix(memory.TAG), spare_held=spare_held)
        if self.servers.delete(ref, DELETE_SECONDS):
            self.ports.remove(ports)
        else:
            self._sweep()

    def tidy(self, spec: VmSpec, *, spare_held: bool = False) -> None:
        """Take away what a machine left whose server somebody deleted on the cloud; nothing while there is one."""
        with one_at_a_time(self.servers.session.home, self.servers.where, "create", spec.uid):
            floating = self.ports.floating.of_uid(spec.uid)
            left = any(not port["device_id"] for port in self.ports.of_uid(spec.uid)) or floating or spec.disks
            if left and not self.servers.by_uid(spec.uid):
                self._clear("", spec)
                self.ports.floating.remove(spec.uid, spare_held=spare_held)

    def _sweep(self) -> None:
        """Remove ports that a destroy which died left without their server; those of machines in the making stay."""
        for port in self.ports.unbound():
            age = datetime.now(UTC) - (when(port["updated_at"]) or datetime.now(UTC))  # somebody may have taken it over
            if age > ORPHAN_AGE and not self.servers.by_uid(port["name"].removeprefix(memory.TAG)):
                self.ports.remove([port])

    def _clear(self, ref: str, spec: VmSpec) -> None:
        """Take away what an attempt has made; what another attempt uses stays. Says in the log what it could not."""
        where = self.servers.where
        self._lost.pop(spec.uid, None)
        if ref:
            log_left(where, partial(self.servers.delete, seconds=DELETE_SECONDS), ref)
        if floats(spec):
            log_left(where, partial(self.ports.floating.remove, spare_held=True), spec.uid)
        log_left(where, partial(self._clear_ports, ref), spec.uid)
        if spec.disks:
            log_left(where, partial(self._clear_disks, project_of(spec)), spec.uid)

    def _clear_ports(self, ref: str, uid: str) -> None:
        self.ports.remove([port for port in self.ports.of_uid(uid) if port["device_id"] in ("", ref)])

    def _clear_disks(self, project: str, uid: str) -> None:
        free = [one for one in self.disks.of_uid(uid, project) if one["status"] in ("available", "error")]
        self.disks.remove([volume["id"] for volume in free])


def _as_planned(ports: Sequence[Json], blueprint: Blueprint) -> list[Json]:
    """The ports in the order of the cards when each card has one, else nothing."""
    by_place = {(port["network_id"], port["mac_address"]): port for port in ports}
    plugs = blueprint.ports.plugs
    found = [(plug, by_place.get((plug.network, plug.card.nic.mac))) for plug in plugs]
    fitting = [port for plug, port in found if port and _fits(port, plug)]
    return fitting if len(fitting) == len(plugs) == len(ports) else []


def _fits(port: Json, plug: Plug) -> bool:
    ips = ("", "auto", *(fixed["ip_address"] for fixed in port["fixed_ips"]))
    return plug.card.nic.ip in ips and port.get(SECURITY, True) == plug.secure


def _why(server: Json, where: str) -> HypervisorError:
    """Why Nova could not build it, which it has tried on several hosts by then."""
    fault = server.get("fault") or {}
    text = str(fault.get("message") or _("Nova gives no reason."))
    error = of_status(int(fault.get("code") or 500), text, where)
    if isinstance(error, Transient):
        return HypervisorError(_("The machine could not be built: %(text)s") % {"text": text}, where=where)
    return error
