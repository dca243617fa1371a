"""What a network's definition says of addresses must fit together: its pool and its gateway lie in its `cidr`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from descriptors.canonical import has_reference
from descriptors.faults import Faults, Path
from olimpus.words import gettext as _

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_range(network: Mapping[str, Any], path: Path, faults: Faults) -> None:
    """Collects the faults of one network, each of whose values is well-formed by itself.

    Of what is not said here nothing is known, since it may be inherited; nor of a reference, which is filled in later.
    """
    pool = network.get("pool") or {}
    ends = [*_addresses(pool, "start", "end")]
    if len(ends) == 2 and (ends[0].version, int(ends[0])) > (ends[1].version, int(ends[1])):
        message = _("the pool ends at %(end)s, before it starts at %(start)s") % {"start": ends[0], "end": ends[1]}
        faults.add((*path, "pool"), message)
    cidr = network.get("cidr")
    if not cidr or has_reference(cidr):
        return
    inside = ipaddress.ip_network(cidr)
    found = [("pool", end) for end in ends] + [("gateway", one) for one in _addresses(network, "gateway")]
    for name, address in found:
        if address not in inside:
            message = _("%(address)s is outside of the network's range %(cidr)s")
            faults.add((*path, name), message % {"address": address, "cidr": cidr})


def _addresses(values: Mapping[str, Any], *names: str) -> Iterator[Address]:
    """Those that are said and are no references."""
    found = (values.get(name) for name in names)
    return (ipaddress.ip_address(one) for one in found if one and not has_reference(one))
