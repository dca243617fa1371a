"""The network configuration of a guest as files, for everything that Linux configures its network with. Pure.

All of it is written, wherever its folder is there: what a distribution does not use, it does not read. Cards are known
by their MAC, since only the guest knows what it calls them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypervisors.drivers.base import NicSpec
from hypervisors.drivers.linux.seed import network_config
from olimpus.errors import Rejected
from olimpus.words import gettext as _

#: Folder → what our files are called there. (networkd takes the first file that fits: ours come before netplan's "10-".)
OURS: Final[Mapping[str, str]] = {
    "/etc/netplan": "90-olimpus.yaml",
    "/etc/systemd/network": "05-olimpus-*.network",
    "/etc/network/interfaces.d": "olimpus",
    "/etc/NetworkManager/system-connections": "olimpus-*.nmconnection",
    "/etc/cloud/cloud.cfg.d": "99-olimpus-network.cfg",
}
#: The one that configures nothing by itself.
CLOUD_INIT: Final = "/etc/cloud/cloud.cfg.d"
#: Where the names of NetworkManager's connections come from.
NAMES: Final = uuid.UUID("5a1f3c5e-0d0c-4a57-9d5c-3f6f0f8d2b41")

Card = Mapping[str, Any]


@dataclass(frozen=True)
class GuestFile:
    """A file of root's in the guest."""

    folder: str
    name: str
    text: str
    mode: int = 0o644


def files_for(nics: Sequence[NicSpec], networks: Mapping[str, Any]) -> tuple[GuestFile, ...]:
    """The files that give these cards their addresses; none where no card wants its own from the disk.

    `networks` as `seed.network_config` takes them. `Rejected`: a card that wants its address there has none.
    """
    if not any(nic.ip_mode == "disk" for nic in nics):
        return ()
    if homeless := [nic.network for nic in nics if nic.ip_mode == "disk" and not nic.ip]:
        message = _("The card in network “%(network)s” has no address that could be written into the disk.")
        raise Rejected(message % {"network": homeless[0]}, where="nics", hint=_("Give it an “ip”."))
    wanted = network_config(nics, networks)
    cards = list(wanted["ethernets"].values())
    return (
        GuestFile("/etc/netplan", "90-olimpus.yaml", json.dumps({"network": wanted}, indent=1) + "\n", 0o600),
        *(
            GuestFile("/etc/systemd/network", f"05-olimpus-{number}.network", networkd(card))
            for number, card in enumerate(cards)
        ),
        GuestFile("/etc/network/interfaces.d", "olimpus", "\n".join(map(ifupdown, range(len(cards)), cards))),
        *(
            GuestFile(
                "/etc/NetworkManager/system-connections",
                f"olimpus-{number}.nmconnection",
                network_manager(number, card),
                0o600,
            )
            for number, card in enumerate(cards)
        ),
        GuestFile(CLOUD_INIT, "99-olimpus-network.cfg", "network: {config: disabled}\n"),
    )


def networkd(card: Card) -> str:
    """A card for systemd-networkd: systemd.network(5). The type keeps away bridges and VLANs upon it, with its MAC."""
    sections: dict[str, list[tuple[str, Any]]] = {
        "Match": [("MACAddress", _mac(card)), ("Type", "ether")],
        "Link": [("MTUBytes", card.get("mtu"))],
        "Network": [
            *(("Address", address) for address in card.get("addresses", ())),
            ("Gateway", card.get("gateway4")),
            *(("DNS", server) for server in _dns(card)),
            ("DHCP", "ipv4" if card["dhcp4"] else None),
        ],
    }
    return _sections(sections)


def network_manager(number: int, card: Card) -> str:
    """A card for NetworkManager: nm-settings-keyfile(5)."""
    gateway = f",{card['gateway4']}" if card.get("gateway4") else ""
    addresses = [
        (f"address{place}", f"{address}{gateway}") for place, address in enumerate(card.get("addresses", ()), 1)
    ]
    sections: dict[str, list[tuple[str, Any]]] = {
        "connection": [
            ("id", f"olimpus-{number}"),
            ("uuid", uuid.uuid5(NAMES, _mac(card))),
            ("type", "ethernet"),
            ("autoconnect-priority", 100),
        ],
        "ethernet": [("mac-address", _mac(card).upper()), ("mtu", card.get("mtu"))],
        "ipv4": [
            ("method", "auto" if card["dhcp4"] else "manual"),
            *addresses,
            ("dns", "".join(f"{server};" for server in _dns(card))),
        ],
        "ipv6": [("method", "auto")],
    }
    return _sections(sections)


def ifupdown(number: int, card: Card) -> str:
    """A card for ifupdown: interfaces(5), whose patterns find it by its MAC."""
    name = f"olimpus{number}"
    settings = [
        *(("address", address) for address in card.get("addresses", ())),
        ("gateway", card.get("gateway4")),
        ("mtu", card.get("mtu")),
        ("dns-nameservers", " ".join(_dns(card))),
    ]
    lines = [f"auto mac/{_mac(card)}={name}", f"iface {name} inet {'dhcp' if card['dhcp4'] else 'static'}"]
    return "\n".join([*lines, *(f"    {key} {value}" for key, value in settings if value)]) + "\n"


def _sections(sections: Mapping[str, Sequence[tuple[str, Any]]]) -> str:
    return "\n".join(
        _section(name, values) for name, values in sections.items() if any(value for _key, value in values)
    )


def _section(name: str, values: Sequence[tuple[str, Any]]) -> str:
    lines: Iterator[str] = (f"{key}={value}\n" for key, value in values if value)
    return f"[{name}]\n{''.join(lines)}"


def _mac(card: Card) -> str:
    return str(card["match"]["macaddress"]).lower()


def _dns(card: Card) -> Sequence[str]:
    servers: Sequence[str] = card.get("nameservers", {}).get("addresses", ())
    return servers
