"""Floating addresses of machines: Neutron's floating IPs, whose description says whose they are.

All of a machine carry its name (`memory.tag_of`) from the moment they are made, so that whoever comes after a killed
attempt finds them. Those that `outside` reserved say so, too: peers know them, and they stay when making the machine fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from hypervisors.drivers.locks import one_at_a_time
from hypervisors.drivers.openstack import memory
from hypervisors.drivers.openstack.errors import Clash
from hypervisors.drivers.openstack.networks import INTERFACES, NetworkService, age
from hypervisors.drivers.openstack.rest import Json, at, log_left
from olimpus.errors import CapacityExceeded, Rejected
from olimpus.words import gettext as _

HELD: Final = " reserved"
PATH: Final = "/floatingips"


@dataclass(frozen=True)
class Outlet:
    """A port that shall have a floating address: of which external network, and to which address of the port it leads."""

    port: Json
    external: str

    def is_led_to_by(self, item: Json) -> bool:
        return item["port_id"] == self.port["id"] and item["floating_network_id"] == self.external


class FloatingIPs(NetworkService):
    """`project` is a name, "" the account's own."""

    def external_of(self, network: Json) -> str:
        """The id of the external network that floating addresses for a network are of: its router leads there.

        `Rejected` when no router does.
        """
        ports = list(self._each("ports", network_id=network["id"], device_owner=INTERFACES))
        for port in sorted(ports, key=age):
            router = self._item("routers", port["device_id"])
            if leads := ((router or {}).get("external_gateway_info") or {}).get("network_id"):
                return str(leads)
        message = _("No router leads from the network “%(name)s” outside: it can have no floating addresses.")
        hint = _("Give it the type “nat” before it is made, or let a router there lead from it to an external network.")
        raise Rejected(message % {"name": network["name"]}, where="nics", hint=hint)

    def of_uid(self, uid: str) -> list[Json]:
        """Those of a machine, the oldest first."""
        mine = memory.tag_of(uid)
        return sorted(self._each("floatingips", description=[mine, mine + HELD]), key=age)

    def outside(self, uid: str, mac: str, external: str, project: str) -> str:
        """The address that leads, or will lead, to the card with this MAC: the first that floats. It is held from now on."""
        with self._alone(uid):
            item = self._first(uid, mac, external) or self._made(uid, external, project)
            if not item["description"].endswith(HELD):
                body = {"floatingip": {"description": memory.tag_of(uid) + HELD}}
                self.rest.put("network", at(PATH, item["id"]), body)
        return str(item["floating_ip_address"])

    @contextmanager
    def ready(self, uid: str, externals: Sequence[str], project: str) -> Iterator[None]:
        """Have an address of each of these external networks; what was made is given back when what is done inside fails.

        `CapacityExceeded`.
        """
        with ExitStack() as undo:
            with self._alone(uid):
                there = [item["floating_network_id"] for item in self.of_uid(uid)] if externals else []
                for external in externals:
                    if external in there:
                        there.remove(external)
                    else:
                        made = self._made(uid, external, project)
                        undo.callback(log_left, self.where, self._discard, made["id"])
            yield
            undo.pop_all()

    def lead(self, uid: str, outlets: Sequence[Outlet], project: str) -> set[str]:
        """Have an address lead to each of these ports of a machine, and say them; others that it has go."""
        led: set[str] = set()
        with self._alone(uid):
            left = self.of_uid(uid)
            for outlet in outlets:
                item = _fitting(left, outlet, outlets) or self._made(uid, outlet.external, project)
                left = [one for one in left if one["id"] != item["id"]]
                self._point(item, outlet.port)
                led.add(str(item["floating_ip_address"]))
            for item in left:
                self._discard(item["id"])
        return led

    def remove(self, uid: str, *, spare_held: bool = False) -> None:
        """Give a machine's addresses back; with `spare_held` all but those that others may know already."""
        for item in self.of_uid(uid):
            if not (spare_held and item["description"].endswith(HELD)):
                self._discard(item["id"])

    # -- inside -----------------------------------------------------------------------------------------------------

    def _alone(self, uid: str) -> AbstractContextManager[None]:
        return one_at_a_time(self.session.home, self.where, "floating", uid)

    def _first(self, uid: str, mac: str, external: str) -> Json | None:
        """What leads to the card, else the oldest one that leads nowhere yet: `lead` gives that to the first card."""
        known = [item for item in self.of_uid(uid) if item["floating_network_id"] == external]
        if not known:
            return None
        ports = {port["id"] for port in self._each("ports", name=memory.tag_of(uid), mac_address=mac)}
        return next(
            (item for item in known if item["port_id"] in ports),
            next((item for item in known if not item["port_id"]), None),
        )

    def _made(self, uid: str, external: str, project: str) -> Json:
        body = {"floating_network_id": external, "description": memory.tag_of(uid)}
        try:
            return self._new("floatingip", body, project)
        except Clash as error:  # “No more IP addresses available on network …”
            message = _("The external network has no floating address left: %(text)s") % {"text": error.message}
            raise CapacityExceeded(message, where=self.where, hint=_("Free some, or have its range widened.")) from None

    def _point(self, item: Json, port: Json) -> None:
        """Let an address lead to a port, unless it does, and to an address that the port has."""
        ips = [fixed["ip_address"] for fixed in port["fixed_ips"]]
        if item["port_id"] == port["id"] and item["fixed_ip_address"] in ips:
            return
        inside = next((ip for ip in ips if ":" not in ip), "")
        body = {"port_id": port["id"]} | ({"fixed_ip_address": inside} if inside else {})
        self.rest.put("network", at(PATH, item["id"]), {"floatingip": body})

    def _discard(self, item: str) -> None:
        self.rest.delete("network", at(PATH, item))


def _fitting(items: Sequence[Json], outlet: Outlet, outlets: Sequence[Outlet]) -> Json | None:
    """What leads to the port already, else the oldest of its external network that no other port has."""
    of_others = {one.port["id"] for one in outlets}
    free = (
        item for item in items if item["floating_network_id"] == outlet.external and item["port_id"] not in of_others
    )
    return next((item for item in items if outlet.is_led_to_by(item)), next(free, None))
