"""Ways into machines that lead nowhere: those that a definition asks for, as a real gateway would tell them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from hypervisors.drivers.base import NicSpec, VmSpec
from hypervisors.drivers.ways import cards_of

GATEWAY = "gateway.example"


def rehearsed_ways(spec: VmSpec) -> Iterator[dict[str, Any]]:
    """{kind, address, port, target, command} of each, the same for the same machine."""
    for nic, wanted in cards_of(spec):
        ip = nic.ip if nic.ip not in ("", "auto") else nic.mac
        for forward in wanted.get("forwards") or []:
            port = forward.get("outside") or 20000 + _number(spec.uid, forward) % 10000
            command = f"ssh -p {port} {GATEWAY}" if forward["port"] == 22 else ""
            yield {
                "kind": "forward",
                "address": GATEWAY,
                "port": port,
                "target": f"{ip}:{forward['port']}/{forward.get('protocol', 'tcp')}",
                "command": command,
            }
        if wanted.get("floating"):
            address = floating_address(spec, nic)
            told = {"kind": "floating", "address": address, "port": 0, "target": ip}
            yield told | {"command": f"ssh {address}"}


def floating_address(spec: VmSpec, nic: NicSpec) -> str:
    return f"203.0.113.{_number(spec.uid, nic.mac) % 254 + 1}"


def _number(*parts: Any) -> int:
    return zlib.crc32(repr(parts).encode())
