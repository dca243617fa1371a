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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
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
Definition = Mapping[str, Any]

#: What the description of our networks and routers begins with: who looks at the cloud understands it, too.
MADE: Final = "Made by Olimpus"
READY: Final = "olimpus-ready"
ROUTED: Final = frozenset({"nat", "public"})
#: How often somebody else's older network may win before this is given up; each time one of the makers is done.
TRIES: Final = 5
PAUSE: Final = 0.5


def ensure_network(session: Session, name: str, definition: Definition, *, project: str = "") -> str:
    """The id of one network, as `ensure_networks` makes it."""
    return str(ensure_networks(session, {name: definition}, project=project)[name]["id"])


def ensure_networks(session: Session, definitions: Mapping[str, Definition], *, project: str = "") -> dict[str, Json]:
    """The networks of these names for machines of a project, each made from its definition when there is none.

    A definition is one entry of a branch's `networks`: cidr, type, gateway, dns, dhcp, mtu, pool; without `cidr` nothing
    is made. Types nat and public get a router to the external network of the settings (or the only one there is).
    May be repeated and called by many threads and processes at once: all get the same networks. One that exists in the
    project, or is shared with it, is taken as it is. One request when they are there, however many they are.

    `Missing` (nothing to make it from, no external network), `Rejected` (its addresses), `CapacityExceeded`; nothing is
    left behind then.
    """
    return Maker(session, project).make(definitions)


def remove_network(session: Session, name: str, *, project: str = "") -> bool:
    """Remove one network as `remove_networks` does; whether none is left."""
    return remove_networks(session, [name], project=project)


def remove_networks(session: Session, names: Collection[str], *, project: str = "") -> bool:
    """Remove the networks of these names with their routers, those that we made and no machine uses; whether none is left.

    A network that others made is none of ours, and stays. May be repeated.
    """
    return Maker(session, project).remove(names)


class Maker(NetworkService):
    """Makes and removes networks by their names in one project: what can be asked in one request for all of them is."""

    def __init__(self, session: Session, project: str):
        super().__init__(session)
        self.project = project

    # -- finding ----------------------------------------------------------------------------------------------------

    def _visible(self, names: Iterable[str]) -> list[Json]:
        """Networks of these names that machines of the project can be in, the oldest first."""
        owner = self.session.project_id(self.project)
        found = self._each("networks", self.project, name=sorted(names))
        return sorted((item for item in found if item["project_id"] == owner or item["shared"]), key=age)

    @contextmanager
    def _alone(self, names: Iterable[str]) -> Iterator[None]:
        """Nobody else here makes or removes networks of these names meanwhile. (Sorted: no two wait for each other.)"""
        with ExitStack() as turns:
            for name in sorted(names):
                turns.enter_context(one_at_a_time(self.session.home, self.where, "topology", self.project, name))
            yield

    # -- making -----------------------------------------------------------------------------------------------------

    def make(self, definitions: Mapping[str, Definition]) -> dict[str, Json]:
        with self._alone(definitions):
            for _attempt in range(TRIES):
                found = self._found_or_made(definitions)
                if found.keys() == definitions.keys():
                    return found
        name = min(definitions.keys() - found.keys())
        message = _("Others keep making the network “%(name)s” at the same time.")
        raise Rejected(message % {"name": name}, where=self.where)

    def _found_or_made(self, definitions: Mapping[str, Definition]) -> dict[str, Json]:
        """The networks to use now, by name; without those of which somebody else's older one has appeared meanwhile."""
        seen = self._visible(definitions)
        whole = _oldest(filter(is_whole, seen))
        lacking = {name: definition for name, definition in definitions.items() if name not in whole}
        for name, definition in lacking.items():
            self._check(name, definition)
        begun = {name: item for name, item in _oldest(filter(_is_ours, seen)).items() if name in lacking}
        return whole | (self._built(lacking, begun) if lacking else {})

    def _built(self, definitions: Mapping[str, Definition], begun: Mapping[str, Json]) -> dict[str, Json]:
        """Those that were made, or finished where somebody had begun, and are the oldest of their name."""
        with ExitStack() as undo:
            new = self._new_networks({name: one for name, one in definitions.items() if name not in begun})
            for item in new.values():
                undo.callback(self._give_up, item)
            self._complete_new(new, definitions)
            finished = {name: item for name, item in begun.items() if self._finish(name, item, definitions[name])}
            oldest = _oldest(filter(_is_ours, self._visible(definitions)))
            known = new | finished
            won = {name: item for name, item in known.items() if oldest.get(name, item)["id"] == item["id"]}
            for item in won.values():
                self.rest.put("network", f"{at('/networks', item['id'])}/tags/{READY}")
            undo.pop_all()
        for name in new.keys() - won.keys():
            self._give_up(new[name])
        return {name: item | {"tags": [READY]} for name, item in won.items()}

    def _new_networks(self, definitions: Mapping[str, Definition]) -> dict[str, Json]:
        """One new network for each, without addresses: all or none."""
        bodies = [_body(name, definition) for name, definition in definitions.items()]
        if not bodies:
            return {}
        with self._counted("network", self.session.project_id(self.project)):
            made = self.rest.post("network", "/networks", {"networks": bodies}, project=self.project)["networks"]
        return {item["name"]: item for item in made}

    def _complete_new(self, new: Mapping[str, Json], definitions: Mapping[str, Definition]) -> None:
        """Their subnets in one request; routers for those of a routed type."""
        bodies = [_subnet(name, definitions[name]) | {"network_id": item["id"]} for name, item in new.items()]
        if not bodies:
            return
        with self._counted("subnet", self.session.project_id(self.project)):
            made = self.rest.post("network", "/subnets", {"subnets": bodies}, project=self.project)["subnets"]
        subnets = {item["network_id"]: item["id"] for item in made}
        for name, item in new.items():
            if _is_routed(definitions[name]):
                self._lead_out_of(name, item["id"], subnets[item["id"]])

    def _finish(self, name: str, network: Json, definition: Definition) -> bool:
        """Give a network that somebody had begun what it lacks; False: whoever made it is giving it up just now."""
        body = _subnet(name, definition)
        try:
            subnet = self.add_subnet(network["id"], parse_range(str(definition["cidr"])), body)
            if _is_routed(definition):
                self._lead_out_of(name, network["id"], subnet.id)
        except Missing:
            return False
        return True

    def _give_up(self, network: Json) -> None:
        log_left(self.where, partial(self._discard_network, network["name"]), network["id"])

    def _lead_out_of(self, label: str, network: str, subnet: str) -> None:
        """The network's router. The gateway's address is only one: somebody else's router may just get it, or give it up."""
        way_out, name = self._way_out()["id"], _router_name(label, network)
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

    def _check(self, name: str, definition: Definition) -> None:
        """Refuse what cannot be made before anything is."""
        if not definition.get("cidr") or definition.get("type") == "provider":
            hint = _("Give its definition a “cidr”, or its name on this hypervisor under “aliases”.")
            raise Missing(_("There is no network “%(name)s”.") % {"name": name}, where=self.where, hint=hint)
        cidr, gateway = parse_range(str(definition["cidr"])), str(definition.get("gateway") or "")
        check_within(cidr, gateway, _pool(definition), list(definition.get("dns") or ()))
        if _is_routed(definition):
            self._way_out()

    # -- removing ---------------------------------------------------------------------------------------------------

    def remove(self, names: Collection[str]) -> bool:
        with self._alone(names):
            ours = [item for item in self._visible(names) if _is_ours(item)]
            if not ours:
                return True
            ports = list(self._each("ports", self.project, network_id=[item["id"] for item in ours]))
            gone = [self._removed(item, [p for p in ports if p["network_id"] == item["id"]]) for item in ours]
        return all(gone)

    def _removed(self, network: Json, ports: Sequence[Json]) -> bool:
        owners = {port["device_owner"] for port in ports}
        if not owners <= {*OWN_PORTS, *INTERFACES}:
            return False
        # One that is whole has its router joined; of one that is not there may be a router that joins nothing yet.
        may_lead = owners.intersection(INTERFACES) or not is_whole(network)
        router = self._own_router(network["name"], network["id"]) if may_lead else None
        try:
            if router:
                self.delete_router(router.id)
            self.rest.delete("network", at("/networks", network["id"]))
        except Rejected as error:
            log.info("%s: a machine came to the network %s just now, which stays: %s", self.where, network["id"], error)
            if router:
                self.create_router(
                    router.name,
                    external=router.external_network_id,
                    subnets=router.subnet_ids,
                    project=self.project,
                )
            return False
        return True

    def _own_router(self, name: str, network: str) -> Router | None:
        known = self.oldest("routers", _router_name(name, network), self.project)
        return self._router(known["id"]) if known else None

    def _discard_network(self, name: str, network: str) -> None:
        if router := self._own_router(name, network):
            self.delete_router(router.id)
        self.delete_network(network)


def is_whole(network: Json) -> bool:
    """Whether machines may be put into a network now; `description` and `tags` say so."""
    return READY in network["tags"] or not _is_ours(network)


def _is_ours(network: Json) -> bool:
    return str(network["description"]).startswith(MADE)


def _oldest(networks: Iterable[Json]) -> dict[str, Json]:
    """By name; those given are sorted, the oldest first."""
    found: dict[str, Json] = {}
    for network in networks:
        found.setdefault(network["name"], network)
    return found


def _is_routed(definition: Definition) -> bool:
    return definition.get("type") in ROUTED


def _body(name: str, definition: Definition) -> Json:
    body = {"name": name, "description": f"{MADE}."}
    return body | ({"mtu": definition["mtu"]} if definition.get("mtu") else {})


def _subnet(name: str, definition: Definition) -> Json:
    """What a network's subnet is asked for with."""
    cidr = parse_range(str(definition["cidr"]))
    gateway = str(definition.get("gateway") or (last_host(cidr) if _is_routed(definition) else ""))
    body: Json = {"name": name, "cidr": str(cidr), "ip_version": cidr.version, "gateway_ip": gateway or None}
    body |= {"enable_dhcp": definition.get("dhcp", True), "dns_nameservers": list(definition.get("dns") or ())}
    if pool := spare(cidr, _pool(definition), gateway):
        body["allocation_pools"] = [{"start": pool[0], "end": pool[1]}]
    return body


def _pool(definition: Definition) -> tuple[str, str] | None:
    """First and last address that Olimpus gives."""
    kept = definition.get("pool") or {}
    return (str(kept["start"]), str(kept["end"])) if {"start", "end"} <= kept.keys() else None


def _router_name(name: str, network: str) -> str:
    """Of one network only: a router that joins several would join what their owners keep apart."""
    return f"{name}-{network[:8]}"
