"""Networks that a definition describes and the cloud lacks: made once, whoever comes first, and removed when unused.

Neutron has no unique names, so that two who look and find nothing both make one. Here they take turns: by a lock when
they share a home folder. Processes on several machines cannot; they settle it afterwards: who has built looks again, and
gives up what it built when there is an older one (`created_at`, then id). Only a network that has won bears the tag
`olimpus-ready`, and only such a one is handed out. Whatever died on the way is found by its description, and finished.

Addresses. Cards get theirs from Olimpus, from the definition's pool or from below; Neutron (its DHCP server, cards without
an address) gives others: `addresses.spare`. A gateway that nobody names is the last address, for the same reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

from hypervisors.drivers.cloud import Router
from hypervisors.drivers.locks import one_at_a_time
from hypervisors.drivers.openstack.addresses import check_within, last_host, parse_range, spare
from hypervisors.drivers.openstack.errors import Clash
from hypervisors.drivers.openstack.networks import INTERFACES, OWN_PORTS, NetworkService, age
from hypervisors.drivers.openstack.rest import Json, at, log_left
from hypervisors.drivers.openstack.session import Session
from olimpus.errors import Missing, Rejected
from olimpus.words import gettext as _

log = logging.getLogger(__name__)

#: What the description of our networks and routers begins with: who looks at the cloud understands it, too.
MADE: Final = "Made by Olimpus"
READY: Final = "olimpus-ready"
ROUTED: Final = frozenset({"nat", "public"})
#: How often somebody else's older network may win before this is given up; each time one of the makers is done.
TRIES: Final = 5
PAUSE: Final = 0.5


def ensure_network(session: Session, name: str, definition: Mapping[str, Any], *, project: str = "") -> str:
    """The id of the network of this name for machines of a project, made from its definition when there is none.

    `definition` is one entry of a branch's `networks`: cidr, type, gateway, dns, dhcp, mtu, pool; without `cidr` nothing
    is made. Types nat and public get a router to the external network of the settings (or the only one there is).
    May be repeated and called by many threads and processes at once: all get the same network. One that exists in the
    project, or is shared with it, is taken as it is. One request when the network is there.

    `Missing` (nothing to make it from, no external network), `Rejected` (its addresses), `CapacityExceeded`; nothing is
    left behind then.
    """
    maker = Maker(session, name, project)
    return maker.usable() or maker.make(definition)


def remove_network(session: Session, name: str, *, project: str = "") -> bool:
    """Remove the network of this name with its router, if we made it and no machine uses it; whether none is left.

    A network that others made is none of ours, and stays. May be repeated.
    """
    return Maker(session, name, project).remove()


class Maker(NetworkService):
    """Makes and removes one network by its name in one project."""

    def __init__(self, session: Session, name: str, project: str):
        super().__init__(session)
        self.name = name
        self.project = project
        self.key = (self.where, "topology", project, name)

    # -- finding ----------------------------------------------------------------------------------------------------

    def usable(self) -> str:
        """The id of the network to use now, or ""."""
        known = self._visible()
        taken = [item for item in known if is_whole(item)]
        return str(min(taken, key=age)["id"]) if taken else ""

    def _visible(self) -> list[Json]:
        """Networks of this name that machines of the project can be in."""
        owner = self.session.project_id(self.project)
        return [
            item
            for item in self._each("networks", self.project, name=self.name)
            if item["project_id"] == owner or item["shared"]
        ]

    def _ours(self) -> list[Json]:
        return sorted(filter(_is_ours, self._visible()), key=age)

    # -- making -----------------------------------------------------------------------------------------------------

    def make(self, definition: Mapping[str, Any]) -> str:
        self._check(definition)
        with one_at_a_time(self.session.home, *self.key):
            for _attempt in range(TRIES):
                if network := self.usable() or self._built(definition):
                    return network
        message = _("Others keep making the network “%(name)s” at the same time.")
        raise Rejected(message % {"name": self.name}, where=self.where)

    def _built(self, definition: Mapping[str, Any]) -> str:
        """The id of a network that was made, or finished, and is the oldest; "" when an older one has appeared meanwhile."""
        with ExitStack() as undo:
            if theirs := next(iter(self._ours()), None):
                known = theirs
            else:
                known = self._new("network", self._body(definition), self.project)
                undo.callback(log_left, self.where, self._discard_network, known["id"])
            try:
                self._complete(known["id"], definition)
            except Missing:
                if theirs:  # whoever made it is giving it up just now, as there is an older one
                    return ""
                raise
            oldest = next(iter(self._ours()), known)
            if oldest["id"] != known["id"]:
                return ""  # and what was made here is undone
            self.rest.put("network", f"{at('/networks', known['id'])}/tags/{READY}")
            undo.pop_all()
        return str(known["id"])

    def _body(self, definition: Mapping[str, Any]) -> Json:
        body = {"name": self.name, "description": f"{MADE}."}
        return body | ({"mtu": definition["mtu"]} if definition.get("mtu") else {})

    def _complete(self, network: str, definition: Mapping[str, Any]) -> None:
        """Give a network what it lacks: its subnet, and its router when it is of a routed type."""
        routed = definition.get("type") in ROUTED
        cidr = parse_range(str(definition["cidr"]))
        gateway = str(definition.get("gateway") or (last_host(cidr) if routed else ""))
        body: Json = {"name": self.name, "gateway_ip": gateway or None}
        body |= {"enable_dhcp": definition.get("dhcp", True), "dns_nameservers": list(definition.get("dns") or ())}
        if pool := spare(cidr, _pool(definition), gateway):
            body["allocation_pools"] = [{"start": pool[0], "end": pool[1]}]
        subnet = self.add_subnet(network, cidr, body)
        if routed:
            self._lead_out_of(network, subnet.id)

    def _lead_out_of(self, network: str, subnet: str) -> None:
        """The network's router. The gateway's address is only one: somebody else's router may just get it, or give it up."""
        way_out, name = self._way_out()["id"], _router_name(self.name, network)
        for left in reversed(range(TRIES)):
            try:
                self.create_router(name, external=way_out, subnets=[subnet], project=self.project)
            except Clash:
                if any(self._each("ports", self.project, network_id=network, device_owner=INTERFACES)):
                    return
                if not left:
                    raise
                time.sleep(PAUSE)
            else:
                return

    def _way_out(self) -> Json:
        """The external network of the settings, or the only one there is."""
        if wanted := str(self.session.values.get("external_network") or ""):
            return self.external(wanted)
        known = list(self._each("networks", self.project, **{"router:external": "True"}))
        if len(known) == 1:
            return known[0]
        hint = _("Name one in the settings: %(names)s.") % {"names": ", ".join(item["name"] for item in known)}
        if known:
            raise Rejected(_("The cloud has several external networks."), where="external_network", hint=hint)
        raise Missing(_("The cloud has no external network."), where="external_network")

    def _check(self, definition: Mapping[str, Any]) -> None:
        """Refuse what cannot be made before anything is."""
        if not definition.get("cidr") or definition.get("type") == "provider":
            hint = _("Give its definition a “cidr”, or its name on this hypervisor under “aliases”.")
            raise Missing(_("There is no network “%(name)s”.") % {"name": self.name}, where=self.where, hint=hint)
        cidr, gateway = parse_range(str(definition["cidr"])), str(definition.get("gateway") or "")
        check_within(cidr, gateway, _pool(definition), list(definition.get("dns") or ()))
        if definition.get("type") in ROUTED:
            self._way_out()

    # -- removing ---------------------------------------------------------------------------------------------------

    def remove(self) -> bool:
        with one_at_a_time(self.session.home, *self.key):
            gone = [self._removed(item["id"]) for item in self._ours()]
        return all(gone)

    def _removed(self, network: str) -> bool:
        ports = self._each("ports", self.project, network_id=network)
        if any(port["device_owner"] not in (*OWN_PORTS, *INTERFACES) for port in ports):
            return False
        router = self._own_router(network)
        try:
            self._discard_network(network)
        except Rejected as error:
            log.info("%s: a machine came to the network %s just now, which stays: %s", self.where, network, error)
            if router:
                self.create_router(
                    router.name,
                    external=router.external_network_id,
                    subnets=router.subnet_ids,
                    project=self.project,
                )
            return False
        return True

    def _own_router(self, network: str) -> Router | None:
        known = self.oldest("routers", _router_name(self.name, network), self.project)
        return self._router(known["id"]) if known else None

    def _discard_network(self, network: str) -> None:
        if router := self._own_router(network):
            self.delete_router(router.id)
        self.delete_network(network)


def is_whole(network: Json) -> bool:
    """Whether machines may be put into a network now; `description` and `tags` say so."""
    return READY in network["tags"] or not _is_ours(network)


def _is_ours(network: Json) -> bool:
    return str(network["description"]).startswith(MADE)


def _pool(definition: Mapping[str, Any]) -> tuple[str, str] | None:
    """First and last address that Olimpus gives."""
    kept = definition.get("pool") or {}
    return (str(kept["start"]), str(kept["end"])) if {"start", "end"} <= kept.keys() else None


def _router_name(name: str, network: str) -> str:
    """Of one network only: a router that joins several would join what their owners keep apart."""
    return f"{name}-{network[:8]}"
