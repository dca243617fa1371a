"""Neutron: networks, their subnets, and the routers between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from hypervisors.drivers.cloud import Network, Networks, Router, Routers, Subnet
from hypervisors.drivers.locks import one_at_a_time
from hypervisors.drivers.openstack.addresses import Range, check_free, check_within, parse_range
from hypervisors.drivers.openstack.errors import exceeded
from hypervisors.drivers.openstack.quotas import PLURALS
from hypervisors.drivers.openstack.rest import Json, Part, at, log_left, missing
from olimpus.errors import CapacityExceeded, HypervisorError, Rejected
from olimpus.words import gettext as _
from olimpus.words import gettext_noop

NO_NETWORK: Final = gettext_noop("There is no network “%(name)s”.")
NO_SUBNET: Final = gettext_noop("There is no subnet “%(name)s”.")
INTERFACES: Final = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)
#: Ports that Neutron makes for itself and takes away with their network.
OWN_PORTS: Final = ("network:dhcp", "network:distributed", "network:local_ip")


class NetworkService(Part):
    """Networks, subnets, routers."""

    def networks(self, project: str = "") -> Networks:
        """By name; those of a project come with the shared and the external ones, which it can use, too."""
        owner = self.project_id(project) if project else ""
        subnets = [subnet_of(item) for item in self._each("subnets")]
        networks = (network_of(item, subnets) for item in self._each("networks"))
        found = (one for one in networks if not owner or owner == one.project_id or one.shared or one.external)
        return sorted(found, key=lambda network: (network.name, network.id))

    def routers(self, project: str = "") -> Routers:
        query = {"project_id": self.project_id(project)} if project else {}
        ports = list(self._each("ports", device_owner=INTERFACES))
        return sorted((router_of(item, ports) for item in self._each("routers", **query)), key=lambda one: one.name)

    # -- networks ---------------------------------------------------------------------------------------------------

    def create_network(self, name: str, *, project: str = "", mtu: int | None = None) -> Network:
        """A private network; the one of this name in the project. `Rejected` when that one has another MTU."""
        body = {"name": name} | ({"mtu": mtu} if mtu else {})
        with one_at_a_time(self.session.home, self.where, "network", project, name):
            known = self.oldest("networks", name, project)
            if not known:
                known = self._new("network", body, project)
        if mtu and known["mtu"] != mtu:
            told = {"name": name, "mtu": known["mtu"]}
            raise Rejected(_("There is a network “%(name)s” already, with an MTU of %(mtu)d.") % told, where="mtu")
        return network_of(known, [subnet_of(item) for item in self._each("subnets", network_id=known["id"])])

    def delete_network(self, network: str) -> None:
        known = self._item("networks", network)
        if known:
            self._check_unused(known, self._each("ports", network_id=known["id"]))
            self.rest.delete("network", at("/networks", known["id"]))

    # -- subnets ----------------------------------------------------------------------------------------------------

    def create_subnet(
        self,
        network: str,
        cidr: str,
        *,
        name: str = "",
        gateway: str = "",
        dhcp: bool = True,
        dns: Sequence[str] = (),
        pool: tuple[str, str] | None = None,
    ) -> Subnet:
        """A subnet of a network; the one of this range and name when it is there. Without `gateway` the first address."""
        wanted = parse_range(cidr)
        check_within(wanted, gateway, pool, dns)
        body = {"enable_dhcp": dhcp, "dns_nameservers": list(dns)} | ({"gateway_ip": gateway} if gateway else {})
        body |= {"name": name} | ({"allocation_pools": [{"start": pool[0], "end": pool[1]}]} if pool else {})
        return self.add_subnet(network, wanted, body)

    def add_subnet(self, network: str, cidr: Range, body: Json) -> Subnet:
        """A subnet with what else Neutron shall know of it. `Rejected` when it overlaps another one of the network."""
        known = self._item("networks", network)
        if not known:
            raise missing(_(NO_NETWORK), network, self._each("networks"), self.where)
        network = known["id"]  # Neutron finds it in capitals, too, and would write it down so
        body = body | {"network_id": network, "cidr": str(cidr), "ip_version": cidr.version}
        if known["project_id"] != self.session.project_id():
            body["project_id"] = known["project_id"]  # an administrator at work in somebody's network
        with one_at_a_time(self.session.home, self.where, "subnets", network):
            if same := self._same_subnet(network, cidr, body):
                return same
            try:
                return subnet_of(self._new("subnet", body))
            except Rejected:
                same = self._same_subnet(network, cidr, body)  # somebody else made it in between
                if not same:
                    raise
                return same

    def _same_subnet(self, network: str, cidr: Range, body: Json) -> Subnet | None:
        """The subnet that was asked for, when it is there. `Rejected` when another one overlaps it."""
        taken = [subnet_of(item) for item in self._each("subnets", network_id=network)]
        for subnet in taken:
            if subnet.cidr == str(cidr) and _is_same(subnet, body):
                return subnet
        check_free(cidr, taken)
        return None

    def delete_subnet(self, subnet: str) -> None:
        """Remove a subnet. `Rejected`, saying by what, while addresses of it are in use."""
        known = self._item("subnets", subnet)
        if known:
            self._check_unused(known, self._each("ports", fixed_ips=f"subnet_id={known['id']}"))
            self.rest.delete("network", at("/subnets", known["id"]))

    # -- routers ----------------------------------------------------------------------------------------------------

    def create_router(self, name: str, *, external: str = "", subnets: Sequence[str] = (), project: str = "") -> Router:
        """A router; the one of this name in the project, joined to what it does not join yet.

        `Missing`: no such external network or subnet. `Rejected`: ranges overlap, the router leads elsewhere.
        """
        way_out = self.external(external)["id"] if external else ""
        wanted = [self._known_subnet(subnet) for subnet in subnets]
        self._check_apart(wanted)
        with one_at_a_time(self.session.home, self.where, "router", project, name), ExitStack() as undo:
            if known := self.oldest("routers", name, project):
                self._lead_out(known, way_out)
                joined = self._router(known["id"]).subnet_ids
            else:
                gateway = {"external_gateway_info": {"network_id": way_out}} if way_out else {}
                known, joined = self._new("router", {"name": name} | gateway, project), ()
                undo.callback(log_left, self.where, self.delete_router, known["id"])
            self._join(known["id"], [subnet["id"] for subnet in wanted if subnet["id"] not in joined])
            undo.pop_all()
        return self._router(known["id"])

    def delete_router(self, router: str) -> None:
        """Take a router off its subnets and remove it. `Rejected`, naming them, while floating IPs go through it."""
        known = self._item("routers", router)
        if not known:
            return
        router = known["id"]
        if floating := [item["floating_ip_address"] for item in self._each("floatingips", router_id=router)]:
            message = _("Floating IPs go through the router: %(addresses)s.") % {"addresses": ", ".join(floating)}
            raise Rejected(message, where=self.where, hint=_("Take them off their machines first."))
        for port in self._each("ports", device_id=router, device_owner=INTERFACES):
            path = f"{at('/routers', router)}/remove_router_interface"
            self.rest.put("network", path, {"port_id": port["id"]})
        self.rest.delete("network", at("/routers", router))

    def external(self, name: str) -> Json:
        """The external network of this name or id. `Missing` with the nearest one."""
        known = list(self._each("networks", **{"router:external": "True"}))
        for item in known:
            if name in (item["name"], item["id"]):
                return item
        raise missing(_("There is no external network “%(name)s”."), name, known, self.where)

    # -- looking, inside --------------------------------------------------------------------------------------------

    def _each(self, kind: str, project: str = "", **query: str | Iterable[str]) -> Iterator[Json]:
        """Every network, subnet, port… that can be seen from a project."""
        return self.rest.pages("network", f"/{kind}", kind, query, project=project)

    def _item(self, kind: str, key: str) -> Json | None:
        return self.rest.optional("network", at(f"/{kind}", key), kind.removesuffix("s"))

    def _known_subnet(self, subnet: str) -> Json:
        found = self._item("subnets", subnet)
        if not found:
            raise missing(_(NO_SUBNET), subnet, self._each("subnets"), self.where)
        return found

    def oldest(self, kind: str, name: str, project: str) -> Json | None:
        """The project's network or router of this name; names are not unique, so all take the oldest."""
        found = self._each(kind, project, name=name, project_id=self.session.project_id(project))
        return min(found, key=age, default=None)

    def _router(self, router: str) -> Router:
        ports = list(self._each("ports", device_id=router, device_owner=INTERFACES))
        return router_of(self.rest.get("network", at("/routers", router))["router"], ports)

    # -- making -----------------------------------------------------------------------------------------------------

    def _new(self, kind: str, body: Json, project: str = "") -> Json:
        """One new thing in a project. When its quota is used up, the error says how many there are."""
        owner = str(body.get("project_id") or self.session.project_id(project))
        with self._counted(kind, owner):
            return self.rest.post("network", f"/{kind}s", {kind: body}, project=project)[kind]

    @contextmanager
    def _counted(self, kind: str, owner: str) -> Iterator[None]:
        try:
            yield
        except CapacityExceeded as error:
            quota = self.rest.get("network", f"{at('/quotas', owner)}/details")["quota"].get(kind)
            if quota and quota["used"] >= quota["limit"] >= 0:
                error.message = exceeded(PLURALS.get(kind, kind), "1", str(quota["used"]), str(quota["limit"]))
            raise

    def _lead_out(self, router: Json, network: str) -> None:
        now = (router.get("external_gateway_info") or {}).get("network_id", "")
        if network in ("", now):
            return
        if now:
            message = _("The router “%(name)s” leads to another external network already.") % {"name": router["name"]}
            raise Rejected(message, where="external", hint=_("Choose another name."))
        body = {"router": {"external_gateway_info": {"network_id": network}}}
        self.rest.put("network", at("/routers", router["id"]), body)

    def _join(self, router: str, subnets: Sequence[str]) -> None:
        for subnet in subnets:
            self.rest.put("network", f"{at('/routers', router)}/add_router_interface", {"subnet_id": subnet})

    # -- checking ---------------------------------------------------------------------------------------------------

    def _check_apart(self, subnets: Sequence[Json]) -> None:
        for one, other in itertools.combinations(subnets, 2):
            check_free(parse_range(one["cidr"]), [subnet_of(other)])

    def _check_unused(self, item: Json, ports: Iterable[Json]) -> None:
        """Refuse while there are ports on it that somebody wanted."""
        users = sorted({self._user(port) for port in ports if port["device_owner"] not in OWN_PORTS})
        if users:
            told = {"name": item["name"] or item["id"], "users": ", ".join(users[:10])}
            message = _("“%(name)s” is in use by %(users)s.") % told
            raise Rejected(message, where=self.where, hint=_("Remove these first."))

    def _user(self, port: Json) -> str:
        """Who has a port, in words."""
        owner, device = port["device_owner"], port["device_id"]
        if owner.startswith("compute:"):
            server = self._name_of(("compute", at("/servers", device), "server"))
            return _("the machine “%(name)s”") % {"name": server or device}
        if owner in (*INTERFACES, "network:router_gateway"):
            return _("the router “%(name)s”") % {
                "name": self._name_of(("network", at("/routers", device), "router")) or device
            }
        return _("the port “%(name)s”") % {"name": port["name"] or port["id"]}

    def _name_of(self, asked: tuple[str, str, str]) -> str:
        try:
            return str((self.rest.optional(*asked) or {}).get("name") or "")
        except HypervisorError:  # a name makes the message nicer, no more
            return ""


def network_of(item: Json, subnets: Iterable[Subnet]) -> Network:
    return Network(
        id=item["id"],
        name=item["name"],
        status=item["status"],
        shared=item.get("shared", False),
        external=item.get("router:external", False),
        mtu=item.get("mtu") or 0,
        project_id=item.get("project_id") or "",
        subnets=tuple(subnet for subnet in subnets if subnet.network_id == item["id"]),
    )


def subnet_of(item: Json) -> Subnet:
    return Subnet(
        id=item["id"],
        name=item["name"],
        network_id=item["network_id"],
        cidr=item["cidr"],
        gateway=item["gateway_ip"] or "",
        dhcp=item["enable_dhcp"],
        dns=tuple(item["dns_nameservers"]),
        pools=tuple((pool["start"], pool["end"]) for pool in item["allocation_pools"]),
    )


def router_of(item: Json, ports: Iterable[Json]) -> Router:
    joined = {fixed["subnet_id"] for port in ports if port["device_id"] == item["id"] for fixed in port["fixed_ips"]}
    return Router(
        id=item["id"],
        name=item["name"],
        status=item["status"],
        external_network_id=(item.get("external_gateway_info") or {}).get("network_id", ""),
        subnet_ids=tuple(sorted(joined)),
    )


def age(item: Json) -> tuple[str, str]:
    """Sorts the oldest first; the id decides within a second."""
    return item["created_at"], item["id"]


def _is_same(subnet: Subnet, body: Json) -> bool:
    """Whether this is the subnet that was asked for, made by an earlier attempt."""
    return subnet.name == body.get("name", "") and (body.get("gateway_ip") or subnet.gateway) == subnet.gateway
