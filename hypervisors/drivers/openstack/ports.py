"""Network cards as Neutron's ports: with their MAC and address, found again when an attempt died, removed with their VM.

The ports of a machine are made in one call, all or none. A MAC is unique in its network: whoever has made the ports holds
the claim on the machine, and whoever asks for the same meanwhile waits for him.
"""

from __future__ import annotations

import hashlib
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from hypervisors.drivers.base import NicSpec, VmSpec, network_name
from hypervisors.drivers.openstack.errors import Denied
from hypervisors.drivers.openstack.floating import FloatingIPs, Outlet
from hypervisors.drivers.openstack.groups import Groups
from hypervisors.drivers.openstack.known import Known
from hypervisors.drivers.openstack.memory import Card
from hypervisors.drivers.openstack.networks import age
from hypervisors.drivers.openstack.rest import Part, at, nearest
from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.topology import ensure_networks, is_whole, remove_networks
from hypervisors.drivers.ways import cards_of, first_floating
from olimpus.errors import Missing, Rejected
from olimpus.words import gettext as _

Json = dict[str, Any]

#: Of a network and of a port: whether Neutron lets through only what comes from the port's own addresses.
SECURITY: Final = "port_security_enabled"
FIELDS: Final = ["id", "name", "project_id", "shared", "router:external", "created_at", "description", "tags", SECURITY]


@dataclass(frozen=True)
class Plug:
    """A card, the network that it hangs on, and what its port is like.

    `groups` are its security groups, () for Neutron's choice; `external` is the network of its floating address, "" for
    none. With `bridge` the frames of other machines pass; then, or where the network is like that, it is not `secure`.
    """

    card: Card
    network: str
    groups: tuple[str, ...] = ()
    external: str = ""
    bridge: bool = False
    secure: bool = True


@dataclass(frozen=True)
class Plan:
    """The cards of a machine, in their order."""

    plugs: tuple[Plug, ...] = ()

    @property
    def cards(self) -> tuple[Card, ...]:
        return tuple(plug.card for plug in self.plugs)

    @property
    def externals(self) -> list[str]:
        """The external networks that floating addresses are wanted of."""
        return [plug.external for plug in self.plugs if plug.external]


class Ports(Part):
    """Ports and what they hang on. `project` is a name, "" the account's own."""

    def __init__(self, session: Session):
        super().__init__(session)
        self._known_networks: dict[str, Known] = {}
        self.groups = Groups(session)
        self.floating = FloatingIPs(session)
        #: Says on a port who made it: the processes that share our home folder.
        place = f"{socket.gethostname()}:{session.home.resolve()}"
        self.maker = f"made by {hashlib.sha256(place.encode()).hexdigest()[:16]}"

    # -- looking up -------------------------------------------------------------------------------------------------

    def networks_of(self, nics: Sequence[NicSpec], spec: VmSpec) -> list[Json]:
        """The networks of the cards: by their names on this cloud, their own names or ids; made when the branch defines them.

        `Rejected` with the nearest name when there is none.
        """
        self._make_defined(nics, spec)
        return [self._network_of(nic, spec) for nic in nics]

    def _make_defined(self, nics: Sequence[NicSpec], spec: VmSpec) -> None:
        """Those of the branch that nobody knows of yet, all of them in a few requests."""
        project, known = project_of(spec), self._networks_in(project_of(spec))
        there = {name for network in known.all() if is_whole(network) for name in (network["name"], network["id"])}
        defined = {network_name(spec, name, self.where): _defined(name, spec) for name in map(self._named, nics)}
        lacking = {name: one for name, one in defined.items() if one.get("cidr") and name not in there}
        if lacking:
            known.add(ensure_networks(self.session, lacking, project=project).values())

    def _network_of(self, nic: NicSpec, spec: VmSpec) -> Json:
        name, project = self._named(nic), project_of(spec)
        wanted = network_name(spec, name, self.where)
        if found := self._network(wanted, project):
            return found
        if not _defined(name, spec).get("cidr"):
            # The cloud's own networks are its managers' business; the branch's are known to who writes in it.
            hint = nearest(wanted, [{"name": one} for one in spec.parameters.get("networks") or {}])
            raise Rejected(_("There is no network “%(name)s”.") % {"name": wanted}, where="nics", hint=hint)
        # Somebody else's last machine took it along: whoever creates looks again.
        raise Missing(_("There is no network “%(name)s”.") % {"name": wanted}, where="nics")

    def _named(self, nic: NicSpec) -> str:
        name = nic.network or str(self.session.values.get("default_network") or "")
        if not name:
            hint = _("Name one, or set a default network in the hypervisor's settings.")
            raise Rejected(_("A network card names no network."), where="nics", hint=hint)
        return name

    def tidy(self, spec: VmSpec, names: Set[str]) -> None:
        """Of the networks of these names remove those that were made for its branch, unless machines use them."""
        mine = {network_name(spec, name, self.where) for name in names if _defined(name, spec).get("cidr")}
        if mine:
            self._leave(mine, project_of(spec))

    def leave(self, network: str, project: str) -> None:
        """Remove the network that the cloud calls so, if it was made for a branch, unless machines use it."""
        self._leave({network}, project)

    def _leave(self, networks: Set[str], project: str) -> None:
        remove_networks(self.session, networks, project=project)
        self._networks_in(project).forget()

    def known(self) -> list[Known]:
        """The lists that are kept."""
        return [*self._known_networks.values(), *self.groups.known()]

    def _network(self, name: str, project: str) -> Json | None:
        """The project's own before a shared and an external one; of those the oldest."""
        own = self.session.project_id(project)
        found = self._networks_in(project).find(
            lambda network: name in (network["name"], network["id"]) and is_whole(network)
        )
        usable = [network for network in found if _may_use(network, own) or network["id"] == name]
        return min(usable, key=lambda one: (one["project_id"] != own, one["router:external"], *age(one)), default=None)

    def _usable(self, project: str) -> list[Json]:
        own = self.session.project_id(project)
        return [network for network in self._networks_in(project).all() if _may_use(network, own)]

    def _networks_in(self, project: str) -> Known:
        def read() -> list[Json]:
            return list(self.rest.pages("network", "/networks", "networks", {"fields": FIELDS}, project=project))

        return self._known_networks.setdefault(project, Known(read))

    # -- making, finding, removing ----------------------------------------------------------------------------------

    def plan(self, spec: VmSpec) -> Plan:
        """What the cards of a machine shall be. `Rejected` when there is no such network or group."""
        networks = self.networks_of(spec.nics, spec)
        groups = self.groups.named(spec, project_of(spec))
        wishes = [wanted for _nic, wanted in cards_of(spec)]
        if any(wanted.get("bridge") for wanted in wishes):
            self._require_port_security()
        return Plan(tuple(self._plug(*one, groups, spec) for one in zip(spec.nics, wishes, networks, strict=True)))

    def _plug(
        self, nic: NicSpec, wanted: Mapping[str, Any], network: Json, groups: tuple[str, ...], spec: VmSpec
    ) -> Plug:
        external = self.floating.external_of(network) if wanted.get("floating") else ""
        bridge, project = bool(wanted.get("bridge")), project_of(spec)
        secure = not bridge and bool(network.get(SECURITY, True))
        if external and secure and not groups:
            groups = (self.groups.default(project), self.groups.ways_in(project))
        return Plug(Card(nic, network["name"]), network["id"], () if bridge else groups, external, bridge, secure)

    def _require_port_security(self) -> None:
        if not self.rest.optional("network", "/extensions/port-security", "extension"):
            message = _("This cloud cannot let frames of other machines pass through a network card (“bridge”).")
            hint = _("Its Neutron lacks the extension “port-security”: its administrators can load it.")
            raise Rejected(message, where="nics", hint=hint)

    def outside(self, spec: VmSpec) -> str:
        """The floating address of the first card that asks for one, reserved from now on; its network is made.

        `Rejected`, `CapacityExceeded`.
        """
        nic, project = first_floating(spec), project_of(spec)
        external = self.floating.external_of(*self.networks_of([nic], spec))
        return self.floating.outside(spec.uid, nic.mac, external, project)

    def make(self, uid: str, plan: Plan, project: str) -> list[Json]:
        """New ports in the order of the cards: all of them or, with `Rejected` or `CapacityExceeded`, none."""
        if not plan.plugs:
            return []
        common = {"name": port_name(uid), "description": self.maker}
        bodies = [common | _body(plug) for plug in plan.plugs]
        with _explained(plan):
            made: list[Json] = self.rest.post("network", "/ports", {"ports": bodies}, project=project)["ports"]
        return made

    def lead_to(self, uid: str, plan: Plan, ports: Sequence[Json], project: str) -> set[str]:
        """Have floating addresses lead to the ports (in the order of the plan) that shall have them, and to no others.

        Says the addresses.
        """
        pairs = zip(plan.plugs, ports, strict=True)
        outlets = [Outlet(port, plug.external) for plug, port in pairs if plug.external]
        return self.floating.lead(uid, outlets, project)

    def adapt(self, port: Json, plug: Plug, project: str, *, floated: bool) -> None:
        """Write what a port that stays shall let through, where it is not so. `floated`: the machine had addresses."""
        change = self._let_through(port, plug, project, floated=floated)
        if change:
            with _explained(Plan((plug,))):
                self.rest.put("network", at("/ports", port["id"]), {"port": change})

    def _let_through(self, port: Json, plug: Plug, project: str, *, floated: bool) -> Json:
        secure, groups = port.get(SECURITY, True), set(port["security_groups"])
        if not plug.secure:
            return {SECURITY: False, "security_groups": []} if secure else {}
        if not secure:
            return {SECURITY: True, "security_groups": list(plug.groups) or [self.groups.default(project)]}
        wanted = set(groups)
        if plug.external:
            wanted |= set(plug.groups)
        elif floated:
            wanted -= {self.groups.ready_ways_in(project)}
        return {"security_groups": sorted(wanted)} if wanted != groups else {}

    def of_uid(self, uid: str) -> list[Json]:
        """All ports that were made for this machine."""
        return self._listed(name=port_name(uid))

    def holder(self, plan: Plan) -> Json | None:
        """A port that has a MAC or an address of the planned cards."""
        for plug in plan.plugs:
            for query in _claims(plug.card.nic):
                if found := self._listed(network_id=plug.network, **query):
                    return found[0]
        return None

    def of_server(self, ref: str) -> list[Json]:
        return self._listed(device_id=ref)

    def unbound(self) -> list[Json]:
        """Ports of ours, of any machine, that no server has."""
        return [port for port in self._listed(device_id="") if port["name"].startswith(port_name(""))]

    def take(self, port: Json) -> bool:
        """Make a dead attempt's port ours; False when somebody else was quicker."""
        sign = f"{self.maker} {uuid.uuid4()}"
        try:
            self.rest.put(
                "network",
                at("/ports", port["id"]),
                {"port": {"description": sign}},
                headers={"If-Match": f"revision_number={port['revision_number']}"},
            )
        except (Rejected, Missing):
            return False
        return True

    def move(self, port: Json, ip: str) -> Json:
        """Another address for a port; the port as it is then."""
        body = {"port": {"fixed_ips": [{"ip_address": ip}]}}
        moved: Json = self.rest.put("network", at("/ports", port["id"]), body)["port"]
        return moved

    def remove(self, ports: Sequence[Json]) -> None:
        for port in ports:
            self.rest.delete("network", at("/ports", port["id"]))

    def _listed(self, **query: str) -> list[Json]:
        return list(self.rest.pages("network", "/ports", "ports", query))


def port_name(uid: str) -> str:
    return f"olimpus-{uid}"


def project_of(spec: VmSpec) -> str:
    """The project that shall own the machine, "" for the account's own."""
    return str(spec.parameters.get("project") or "")


def _defined(network: str, spec: VmSpec) -> Json:
    """What the branch says of a network, which may be nothing."""
    return dict((spec.parameters.get("networks") or {}).get(network) or {})


def _claims(nic: NicSpec) -> Iterator[dict[str, str]]:
    """What finds the port that has a card's MAC or address."""
    if nic.mac:
        yield {"mac_address": nic.mac}
    if nic.ip and nic.ip != "auto":
        yield {"fixed_ips": f"ip_address={nic.ip}"}


def _body(plug: Plug) -> Json:
    nic, body = plug.card.nic, {"network_id": plug.network}
    body |= {"mac_address": nic.mac} if nic.mac else {}
    body |= {"fixed_ips": [{"ip_address": nic.ip}]} if nic.ip and nic.ip != "auto" else {}
    if plug.bridge:
        return body | {SECURITY: False, "security_groups": []}
    return body | ({"security_groups": list(plug.groups)} if plug.groups else {})


@contextmanager
def _explained(plan: Plan) -> Iterator[None]:
    """Neutron lets only the owner of a network open a port of it, and says so in the words of its policy."""
    try:
        yield
    except Denied as error:
        names = ", ".join(f"“{plug.card.label}”" for plug in plan.plugs if plug.bridge)
        if not names:
            raise
        message = _("The account may not let frames of other machines pass (“bridge”) in %(networks)s: %(text)s")
        hint = _("It takes the network's owner or an administrator: let Olimpus make the network, in the same project.")
        raise Denied(message % {"networks": names, "text": error.message}, where="nics", hint=hint) from None


def _may_use(network: Json, project: str) -> bool:
    return network["project_id"] == project or network["shared"] or network["router:external"]
