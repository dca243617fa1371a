"""A machine's definition in the words of the program on the gateway.

**One network or two?** As on a cloud, machines share a network when they name the same one, whatever branch they are in;
its name on this cluster (`aliases`) counts. But a name that is defined with another address range, or for another
`project`, is another network: two courses may both have a “lan”.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypervisors.drivers.base import NicSpec, VmSpec
from hypervisors.drivers.ways import cards_of, login_of
from olimpus.errors import Rejected
from olimpus.words import gettext as _

Json = dict[str, Any]
#: How a card's address comes to the guest by DHCP.
BY_DHCP = frozenset({"dhcp", "mac"})


def enter_request(spec: VmSpec, where: str) -> Json:
    """What `enter` is asked for a machine; `where` is the cluster's name. `Rejected`: a card names no network there is."""
    networks: Json = {}
    cards = []
    for nic, wanted in cards_of(spec):
        key, network = _network(nic.network, spec, where)
        networks[key] = network
        cards.append(_card(key, nic, wanted))
    machine = {"name": spec.name, "login": login_of(spec), "keys": _keys(spec), "cards": cards}
    return {"command": "enter", "uid": spec.uid, "machine": machine, "networks": networks}


def network_key(name: str, definition: Mapping[str, Any], project: str = "") -> str:
    """What tells networks of a cluster apart; `name` is the one on this cluster."""
    parts = [name, str(definition.get("cidr") or ""), project]
    return " ".join(part for part in parts if part)


def _network(name: str, spec: VmSpec, where: str) -> tuple[str, Json]:
    definition = _definition(name, spec, where)
    key = _key(name, spec, where)
    kept = definition.get("pool") or {}
    network: Json = {"name": _name_here(name, definition, where), "cidr": definition.get("cidr") or ""}
    network |= {
        known: definition[known]
        for known in ("type", "gateway", "dns", "dhcp", "mtu", "vlan")
        if definition.get(known) is not None
    }
    network |= {"pool": [kept["start"], kept["end"]]} if {"start", "end"} <= kept.keys() else {}
    network["reaches"] = [_key(other, spec, where) for other in definition.get("reaches") or []]
    return key, network


def _definition(name: str, spec: VmSpec, where: str) -> Mapping[str, Any]:
    networks = spec.parameters.get("networks") or {}
    if not name:
        raise Rejected(
            _("A network card names no network."), where="nics", hint=_("Name one of the branch's networks.")
        )
    if name not in networks:
        hint = _("Define it under “networks”. There are: %(names)s.") % {"names": ", ".join(sorted(networks)) or "–"}
        raise Rejected(_("There is no network “%(name)s”.") % {"name": name}, where="nics", hint=hint)
    definition: Mapping[str, Any] = networks[name] or {}
    return definition


def _key(name: str, spec: VmSpec, where: str) -> str:
    definition = _definition(name, spec, where)
    return network_key(_name_here(name, definition, where), definition, str(spec.parameters.get("project") or ""))


def _name_here(name: str, definition: Mapping[str, Any], where: str) -> str:
    return str((definition.get("aliases") or {}).get(where) or name)


def _card(key: str, nic: NicSpec, wanted: Mapping[str, Any]) -> Json:
    return {
        "network": key,
        "mac": nic.mac.lower(),
        "ip": "" if nic.ip == "auto" else nic.ip,
        "dhcp": nic.ip_mode in BY_DHCP,
        "floating": "wanted" if wanted.get("floating") else "",
        "forwards": [dict(forward) for forward in wanted.get("forwards") or []],
    }


def _keys(spec: VmSpec) -> list[str]:
    """The public keys without their comments: kind and key."""
    keys = [" ".join(str(key).split()[:2]) for key in spec.parameters.get("ssh_keys") or []]
    return list(dict.fromkeys(keys))
