"""What the gateway will say of a network, known before it is asked. Pure: settings and definitions are given."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from typing import Any

from hypervisors.drivers.linux.gateway.program.settings import Settings
from hypervisors.drivers.linux.gateway.program.wishes import from_above, is_range


def serves(values: Mapping[str, Any], network: Mapping[str, Any], taken: Collection[str] = ()) -> bool:
    """Whether it can take part in the network, and, where machines have the `taken` addresses, lead into it: all ways in
    need an address of its own. Without a gateway, or in a network of somebody else, there is nothing to serve.
    """
    if not (values.get("headnode_host") and network.get("cidr")) or network.get("type") == "provider":
        return True
    cidr = ipaddress.ip_network(str(network["cidr"]))
    inner = ipaddress.ip_network(str(values.get("transfer") or Settings.transfer))
    if not is_range(cidr) or cidr.overlaps(inner):
        return False
    return not taken or any(address not in taken for address in from_above(str(cidr)))
