"""Terraform's configuration in JSON (`*.tf.json`) for its OpenStack provider, written.

What nobody has said becomes a variable: image, flavor, the network that leads out. Extra disks and ports that are
forwarded are left out: OpenStack leads in by floating addresses.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from descriptors.documents import dump_json
from slices.formats.base import Format
from slices.formats.cloud import Card, Cloud, Net, Server, cloud_of, questions
from slices.graph import Graph

NAME: Final = "terraform"
PROVIDER: Final = "terraform-provider-openstack/openstack"
_NETWORK: Final = "openstack_networking_network_v2"
_SUBNET: Final = "openstack_networking_subnet_v2"
_PORT: Final = "openstack_networking_port_v2"
_ROUTER: Final = "openstack_networking_router_v2"
_WAY: Final = "openstack_networking_router_interface_v2"
_FLOATING: Final = "openstack_networking_floatingip_v2"
_GROUP: Final = "openstack_networking_secgroup_v2"
_SERVER: Final = "openstack_compute_instance_v2"

Data = dict[str, Any]


def write(graph: Graph) -> str:
    """The slice's networks, subnets, ports, servers, and a router for those that lead out."""
    cloud = cloud_of(graph)
    parts = {
        "terraform": {"required_providers": {"openstack": {"source": PROVIDER}}},
        "variable": questions(cloud),
        "data": _data(cloud),
        "resource": _resources(cloud),
        "output": {
            f"server_{server.id}": {"value": _to(_SERVER, server.id, "access_ip_v4")} for server in cloud.servers
        },
    }
    return dump_json({name: part for name, part in parts.items() if part})


def _data(cloud: Cloud) -> Data:
    """What is there already: networks by their names, and security groups."""
    networks: Data = {f"there_{net.id}": {"name": _text(net.name)} for net in cloud.nets if not net.range}
    networks |= {"external": {"name": "${var.external_network}"}} if cloud.led_out else {}
    groups = {id_: {"name": _text(name)} for name, id_ in _groups(cloud).items()}
    return {type_: said for type_, said in ((_NETWORK, networks), (_GROUP, groups)) if said}


def _groups(cloud: Cloud) -> dict[str, str]:
    """Security group → its id."""
    names = [name for server in cloud.servers for name in server.definition.get("security_groups") or []]
    return {name: f"group_{number + 1}" for number, name in enumerate(dict.fromkeys(names))}


def _resources(cloud: Cloud) -> Data:
    found: defaultdict[str, Data] = defaultdict(dict)
    groups = _groups(cloud)
    for net in cloud.nets:
        if net.range:
            found[_NETWORK][net.id] = _network(net)
            found[_SUBNET][net.id] = _subnet(net)
    if cloud.led_out:
        outside = "${data." + _NETWORK + ".external.id}"
        found[_ROUTER]["router"] = {"name": _text(cloud.name), "external_network_id": outside}
    for net in cloud.led_out:
        found[_WAY][net.id] = {"router_id": _to(_ROUTER, "router"), "subnet_id": _to(_SUBNET, net.id)}
    for server, card in cloud.cards:
        found[_PORT][card.id] = _port(server, card, groups)
        if card.end.card.get("floating"):
            found[_FLOATING][card.id] = _floating(card)
    for server in cloud.servers:
        found[_SERVER][server.id] = _server(server)
    return dict(found)


def _network(net: Net) -> Data:
    mtu = net.link.options.get("mtu")
    return {"name": _text(net.name), "admin_state_up": True} | ({"mtu": mtu} if mtu else {})


def _subnet(net: Net) -> Data:
    options = net.link.options
    more = {
        "dns_nameservers": list(options.get("dns") or []),
        "allocation_pool": [dict(options["pool"])] if options.get("pool") else [],
    }
    return {
        "name": _text(net.name),
        "network_id": _to(_NETWORK, net.id),
        "cidr": str(net.range),
        "ip_version": net.range.version if net.range else 4,
        **({"gateway_ip": net.gateway} if net.gateway else {"no_gateway": True}),
        "enable_dhcp": options.get("dhcp", True),
        **{name: value for name, value in more.items() if value},
    }


def _port(server: Server, card: Card, groups: dict[str, str]) -> Data:
    there = "${data." + _NETWORK + f".there_{card.net.id}.id" + "}"
    subnet = {"subnet_id": _to(_SUBNET, card.net.id)} if card.net.range else {}
    fixed = subnet | ({"ip_address": card.ip} if card.ip else {})
    mac = card.end.card.get("mac")
    ids = ["${data." + _GROUP + f".{groups[name]}.id" + "}" for name in server.definition.get("security_groups") or []]
    return {
        "name": _text(f"{server.node.name}-{card.net.name}"),
        "network_id": _to(_NETWORK, card.net.id) if card.net.range else there,
        "admin_state_up": True,
        **({"fixed_ip": [fixed]} if subnet else {}),
        **({"mac_address": mac} if mac else {}),
        **({"security_group_ids": ids} if ids else {}),
    }


def _floating(card: Card) -> Data:
    after = {"depends_on": [f"{_WAY}.{card.net.id}"]} if card.net.leads_out else {}
    return {"pool": "${var.external_network}", "port_id": _to(_PORT, card.id)} | after


def _server(server: Server) -> Data:
    said = server.definition
    found: Data = {"name": _text(server.node.name)}
    for name in ("image", "flavor"):
        found[f"{name}_name"] = _text(said[name]) if name in said else "${var." + name + "}"
    theirs = {"availability_zone": "availability_zone", "key_pair": "keypair", "user_data": "user_data"}
    found |= {key: _text(said[ours]) for key, ours in theirs.items() if said.get(ours)}
    ports = [{"port": _to(_PORT, card.id)} for card in server.cards]
    return found | ({"network": ports} if ports else {})


def _to(type_: str, id_: str, attribute: str = "id") -> str:
    """A reference."""
    return "${" + f"{type_}.{id_}.{attribute}" + "}"


def _text(value: Any) -> str:
    """A text in which nothing is a reference."""
    return str(value).replace("${", "$${").replace("%{", "%%{")


FORMAT: Final = Format(NAME, "Terraform (OpenStack)", (".tf.json",), lambda head: False, None, write)
