"""Heat's templates (HOT) for OpenStack, written. What nobody has said becomes a parameter: image, flavor, the way out.

Extra disks and ports that are forwarded are left out: OpenStack leads in by floating addresses.
"""

from __future__ import annotations

from typing import Any, Final

from descriptors.documents import dump_yaml
from slices.formats.base import Format
from slices.formats.cloud import Card, Cloud, Net, Server, cloud_of, questions
from slices.graph import Graph

NAME: Final = "heat"
VERSION: Final = "2018-08-31"

Data = dict[str, Any]
#: Of a server → what a definition calls it.
_SERVER: Final = {"availability_zone": "availability_zone", "key_name": "keypair", "user_data": "user_data"}


def write(graph: Graph) -> str:
    """The template of a stack with the slice's networks, subnets, ports, servers, and a router for those that lead out."""
    cloud = cloud_of(graph)
    parts = {
        "heat_template_version": VERSION,
        "description": cloud.description or cloud.name,
        "parameters": questions(cloud),
        "resources": _resources(cloud),
        "outputs": {f"server_{server.id}": _output(server) for server in cloud.servers},
    }
    return dump_yaml({name: part for name, part in parts.items() if part})


def _resources(cloud: Cloud) -> Data:
    found: Data = {}
    for net in cloud.nets:
        if net.range:
            found[f"net_{net.id}"] = _resource("Neutron::Net", _network(net))
            found[f"subnet_{net.id}"] = _resource("Neutron::Subnet", _subnet(net))
    if cloud.led_out:
        outside = {"network": {"get_param": "external_network"}}
        found["router"] = _resource("Neutron::Router", {"name": cloud.name, "external_gateway_info": outside})
    for net in cloud.led_out:
        ends = {"router": {"get_resource": "router"}, "subnet": {"get_resource": f"subnet_{net.id}"}}
        found[f"way_{net.id}"] = _resource("Neutron::RouterInterface", ends)
    for server, card in cloud.cards:
        found[f"port_{card.id}"] = _resource("Neutron::Port", _port(server, card))
        if card.end.card.get("floating"):
            found[f"floating_{card.id}"] = _floating(card)
    return found | {f"server_{server.id}": _resource("Nova::Server", _server(server)) for server in cloud.servers}


def _resource(type_: str, properties: Data) -> Data:
    return {"type": f"OS::{type_}", "properties": properties}


def _network(net: Net) -> Data:
    mtu = net.link.options.get("mtu")
    return {"name": net.name} | ({"value_specs": {"mtu": mtu}} if mtu else {})


def _subnet(net: Net) -> Data:
    options = net.link.options
    more = {
        "dns_nameservers": list(options.get("dns") or []),
        "allocation_pools": [dict(options["pool"])] if options.get("pool") else [],
    }
    return {
        "name": net.name,
        "network": {"get_resource": f"net_{net.id}"},
        "cidr": str(net.range),
        "ip_version": net.range.version if net.range else 4,
        "gateway_ip": net.gateway or None,
        "enable_dhcp": options.get("dhcp", True),
        **{name: value for name, value in more.items() if value},
    }


def _port(server: Server, card: Card) -> Data:
    subnet = {"subnet": {"get_resource": f"subnet_{card.net.id}"}} if card.net.range else {}
    fixed = subnet | ({"ip_address": card.ip} if card.ip else {})
    groups = server.definition.get("security_groups")
    mac = card.end.card.get("mac")
    return {
        "network": {"get_resource": f"net_{card.net.id}"} if card.net.range else card.net.name,
        **({"fixed_ips": [fixed]} if fixed else {}),
        **({"mac_address": mac} if mac else {}),
        **({"security_groups": list(groups)} if groups else {}),
    }


def _floating(card: Card) -> Data:
    ends = {"floating_network": {"get_param": "external_network"}, "port_id": {"get_resource": f"port_{card.id}"}}
    after = {"depends_on": f"way_{card.net.id}"} if card.net.leads_out else {}
    return _resource("Neutron::FloatingIP", ends) | after


def _server(server: Server) -> Data:
    said = server.definition
    found: Data = {"name": server.node.name}
    found |= {name: said.get(name, {"get_param": name}) for name in ("image", "flavor")}
    found |= {theirs: said[ours] for theirs, ours in _SERVER.items() if said.get(ours)}
    found |= {"user_data_format": "RAW"} if "user_data" in found else {}
    ports = [{"port": {"get_resource": f"port_{card.id}"}} for card in server.cards]
    return found | ({"networks": ports} if ports else {})


def _output(server: Server) -> Data:
    return {"value": {"get_attr": [f"server_{server.id}", "addresses"]}}


FORMAT: Final = Format(NAME, "Heat (OpenStack)", (".hot.yaml",), lambda head: False, None, write)
