"""Network cards as Neutron's ports: with their MAC and address, found again when an attempt died, removed with their VM.

The ports of a machine are made in one call, all or none. A MAC is unique in its network: whoever has made the ports holds
the claim on the machine, and whoever asks for the same meanwhile waits for him.
"""

from __future__ import annotations

import hashlib
import socket
import uuid
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from hypervisors.drivers.base import NicSpec, VmSpec, network_name
from hypervisors.drivers.openstack.known import Known
from hypervisors.drivers.openstack.memory import Card
from hypervisors.drivers.openstack.networks import age
from hypervisors.drivers.openstack.rest import Part, at, nearest
from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.topology import ensure_network, is_whole, remove_network
from olimpus.errors import Missing, Rejected
from olimpus.words import gettext as _

Json = dict[str, Any]

FIELDS: Final = ["id", "name", "project_id", "shared", "router:external", "created_at", "description", "tags"]


@dataclass(frozen=True)
class Plan:
    """Cards with the networks that they hang on, and the security groups of all."""

    cards: tuple[Card, ...]
    networks: tuple[str, ...]
    groups: tuple[str, ...]


class Ports(Part):
    """Ports and what they hang on. `project` is a name, "" the account's own."""

    def __init__(self, session: Session):
        super().__init__(session)
        self._known_networks: dict[str, Known] = {}
        self._known_groups: dict[str, Known] = {}
        #: Says on a port who made it: the processes that share our home folder.
        place = f"{socket.gethostname()}:{session.home.resolve()}"
        self.maker = f"made by {hashlib.sha256(place.encode()).hexdigest()[:16]}"

    # -- looking up -------------------------------------------------------------------------------------------------

    def network_of(self, nic: NicSpec, spec: VmSpec) -> Json:
        """The network of a card: by its name on this cloud, its own name or id; made when the branch defines it.

        `Rejected` with the nearest name when there is none.
        """
        project = project_of(spec)
        name = nic.network or str(self.session.values.get("default_network") or "")
        if not name:
            hint = _("Name one, or set a default network in the hypervisor's settings.")
            raise Rejected(_("A network card names no network."), where="nics", hint=hint)
        definition = (spec.parameters.get("networks") or {}).get(name) or {}
        wanted = network_name(spec, name, self.where)
        if found := self._network(wanted, project):
            return found
        if not definition.get("cidr"):
            # The cloud's own networks are its managers' business; the branch's are known to who writes in it.
            hint = nearest(wanted, [{"name": one} for one in spec.parameters.get("networks") or {}])
            raise Rejected(_("There is no network “%(name)s”.") % {"name": wanted}, where="nics", hint=hint)
        ensure_network(self.session, wanted, definition, project=project)
        self._networks_in(project).forget()
        if made := self._network(wanted, project):
            return made
        # Somebody else's last machine took it along: whoever creates looks again.
        raise Missing(_("There is no network “%(name)s”.") % {"name": wanted}, where="nics")

    def tidy(self, spec: VmSpec, names: Set[str]) -> None:
        """Of the networks of these names remove those that were made for its branch, unless machines use them."""
        project, networks = project_of(spec), spec.parameters.get("networks") or {}
        for name in sorted(names):
            definition = networks.get(name) or {}
            wanted = network_name(spec, name, self.where)
            if definition.get("cidr"):
                self.leave(wanted, project)

    def leave(self, network: str, project: str) -> None:
        """Remove the network that the cloud calls so, if it was made for a branch, unless machines use it."""
        if remove_network(self.session, network, project=project):
            self._networks_in(project).forget()

    def known(self) -> list[Known]:
        """The lists that are kept."""
        return [*self._known_networks.values(), *self._known_groups.values()]

    def groups_of(self, spec: VmSpec) -> list[str]:
        """The ids of the security groups; none said: the project's default one, as Neutron does it."""
        return [self._group(name, project_of(spec)) for name in spec.parameters.get("security_groups") or []]

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

    def _group(self, name: str, project: str) -> str:
        def read() -> list[Json]:
            query = {"fields": ["id", "name"], "project_id": self.session.project_id(project)}
            return list(self.rest.pages("network", "/security-groups", "security_groups", query))

        known = self._known_groups.setdefault(project, Known(read))
        found = known.find(lambda group: name in (group["name"], group["id"]))
        if not found:
            hint = nearest(name, known.all())
            message = _("There is no security group “%(name)s”.") % {"name": name}
            raise Rejected(message, where="security_groups", hint=hint)
        return str(found[0]["id"])

    # -- making, finding, removing ----------------------------------------------------------------------------------

    def plan(self, nics: Sequence[NicSpec], spec: VmSpec) -> Plan:
        """What the cards of a machine shall be. `Rejected` when there is no such network or group."""
        networks = [self.network_of(nic, spec) for nic in nics]
        cards = [Card(nic, network["name"]) for nic, network in zip(nics, networks, strict=True)]
        return Plan(tuple(cards), tuple(network["id"] for network in networks), tuple(self.groups_of(spec)))

    def make(self, uid: str, plan: Plan, project: str) -> list[Json]:
        """New ports in the order of the cards: all of them or, with `Rejected` or `CapacityExceeded`, none."""
        if not plan.cards:
            return []
        common = {"name": port_name(uid), "description": self.maker}
        common |= {"security_groups": list(plan.groups)} if plan.groups else {}
        bodies = [common | _body(card.nic, network) for card, network in zip(plan.cards, plan.networks, strict=True)]
        made: list[Json] = self.rest.post("network", "/ports", {"ports": bodies}, project=project)["ports"]
        return made

    def of_uid(self, uid: str) -> list[Json]:
        """All ports that were made for this machine."""
        return self._listed(name=port_name(uid))

    def holder(self, plan: Plan) -> Json | None:
        """A port that has a MAC or an address of the planned cards."""
        for card, network in zip(plan.cards, plan.networks, strict=True):
            for query in _claims(card.nic):
                if found := self._listed(network_id=network, **query):
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

    def move(self, port: Json, ip: str) -> None:
        """Another address for a port."""
        self.rest.put("network", at("/ports", port["id"]), {"port": {"fixed_ips": [{"ip_address": ip}]}})

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


def _claims(nic: NicSpec) -> Iterator[dict[str, str]]:
    """What finds the port that has a card's MAC or address."""
    if nic.mac:
        yield {"mac_address": nic.mac}
    if nic.ip and nic.ip != "auto":
        yield {"fixed_ips": f"ip_address={nic.ip}"}


def _body(nic: NicSpec, network: str) -> Json:
    body: Json = {"network_id": network}
    body |= {"mac_address": nic.mac} if nic.mac else {}
    return body | ({"fixed_ips": [{"ip_address": nic.ip}]} if nic.ip and nic.ip != "auto" else {})


def _may_use(network: Json, project: str) -> bool:
    return network["project_id"] == project or network["shared"] or network["router:external"]
