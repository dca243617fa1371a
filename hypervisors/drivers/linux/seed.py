"""The NoCloud seed of a machine: the small CD that cloud-init reads at the first boot. Pure.

Format: https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html
"""

from __future__ import annotations

import io
import ipaddress
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pycdlib

from hypervisors.drivers.base import NicSpec

LABEL: Final = "cidata"
FILES: Final = ("meta-data", "user-data", "network-config")
#: Bytes. BusyBox looks for the label in the first 68 KiB, and finds none on a CD that is smaller.
LEAST: Final = 128 * 1024


def iso(files: Mapping[str, str]) -> bytes:
    """A CD with these files at its top, labelled for NoCloud, of `LEAST` bytes or more."""
    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    for number, (name, text) in enumerate(files.items()):
        data = text.encode()
        image.add_fp(io.BytesIO(data), len(data), f"/F{number}.;1", rr_name=name, joliet_path=f"/{name}")
    written = io.BytesIO()
    image.write_fp(written)
    image.close()
    return written.getvalue().ljust(LEAST, b"\0")


def files(
    uid: str, name: str, nics: Sequence[NicSpec], networks: Mapping[str, Any], user_data: str, ssh_keys: Sequence[str]
) -> dict[str, str]:
    """What is on the CD. Where no card asks for it, the guest's own network configuration stands (DHCP, as a rule)."""
    found = {
        "meta-data": json.dumps({"instance-id": uid, "local-hostname": _hostname(name), "public-keys": list(ssh_keys)}),
        "user-data": user_data or cloud_config(name, ssh_keys),
    }
    if any(nic.ip_mode == "cloud-init" for nic in nics):
        found["network-config"] = json.dumps(network_config(nics, networks))
    return found


def cloud_config(name: str, ssh_keys: Sequence[str]) -> str:
    """User data where the definition gives none."""
    wanted: dict[str, Any] = {"hostname": _hostname(name)}
    if ssh_keys:
        wanted["ssh_authorized_keys"] = list(ssh_keys)
    return "#cloud-config\n" + json.dumps(wanted) + "\n"


def network_config(nics: Sequence[NicSpec], networks: Mapping[str, Any]) -> dict[str, Any]:
    """Version 2 of cloud-init's network configuration: each card by its MAC, with its address or DHCP.

    `networks` are the definitions of the branch by name: cidr, gateway, dns, mtu.
    """
    ethernets = {f"nic{number}": _ethernet(nic, networks.get(nic.network) or {}) for number, nic in enumerate(nics)}
    return {"version": 2, "ethernets": ethernets}


def _ethernet(nic: NicSpec, network: Mapping[str, Any]) -> dict[str, Any]:
    card: dict[str, Any] = {"match": {"macaddress": nic.mac}}
    if network.get("mtu"):
        card["mtu"] = network["mtu"]
    if not nic.ip or nic.ip_mode not in ("cloud-init", "disk"):
        return card | {"dhcp4": True}
    prefix = ipaddress.ip_network(network["cidr"]).prefixlen if network.get("cidr") else 24
    card |= {"dhcp4": False, "addresses": [f"{nic.ip}/{prefix}"]}
    if network.get("gateway"):
        card["gateway4"] = network["gateway"]
    if network.get("dns"):
        card["nameservers"] = {"addresses": list(network["dns"])}
    return card


def _hostname(name: str) -> str:
    """Letters, digits and hyphens, as RFC 1123 asks."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
    return plain[:63].strip("-") or "vm"
