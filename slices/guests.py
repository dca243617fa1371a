"""What machines of a slice are told at their first start: the ways to all its networks, and gateways whom they join."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from slices import joins, routing, tunnels
from slices.graph import Graph

#: Run at each start by cloud-init.
SCRIPT: Final = "/var/lib/cloud/scripts/per-boot/50-olimpus-routes"
#: A card may get its address late.
HEAD: Final = """#!/bin/sh
# Routes of the slice, written by Olimpus when the machine was made.
way() { n=0; until ip route replace "$1" via "$2" || [ $n -ge 60 ]; do n=$((n + 1)); sleep 1; done; }
"""


def user_data(graph: Graph) -> dict[str, str]:
    """Node → cloud-init user data, of a graph with addresses; nothing for nodes that need none.

    Ways are told in `routed` slices; gateways join on layer 2, and are on no way. Whom they find where is for the worker to
    fill in, as `descriptors.peers` says.
    """
    outside = joins.ways_out(graph)
    told = {name: tunnels.user_data(outside[name], others) for name, others in joins.peers(graph).items()}
    return {name: text.replace("${", "$${") for name, text in told.items()} | _routes(joins.apart(graph))


def _routes(graph: Graph) -> dict[str, str]:
    ways = routing.routes(graph)
    leading = set(routing.forwarders(graph)) if graph.routed else set()
    told = {node.name: _script(ways.get(node.name, ()), node.name in leading) for node in graph.nodes}
    return {name: _cloud_config(script) for name, script in told.items() if script}


def lacking(told: str, wanted: str) -> tuple[list[str], bool]:
    """Of what a machine is to be told, what it was not told before: the ways (`10.64.0.8/29 via 10.64.0.2`), and whether
    it leads on what is not its own.
    """
    before = _orders(told)
    new = [order.split() for order in _orders(wanted) if order not in before]
    return [" via ".join(rest) for word, *rest in new if word == "way"], any(word != "way" for word, *_rest in new)


def _orders(user_data: str) -> list[str]:
    """The lines of the script in it; gateways between hypervisors have another one."""
    if SCRIPT not in user_data:
        return []
    content = json.loads(user_data.partition("\n")[2])["write_files"][0]["content"]
    return str(content).removeprefix(HEAD).splitlines()


def _script(routes: Sequence[routing.Route], leads: bool) -> str:
    lines = ["sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 || true"] if leads else []
    lines += [f"way {there} {via}" for there, via in routes]
    return HEAD + "\n".join(lines) + "\n" if lines else ""


def _cloud_config(script: str) -> str:
    wanted: dict[str, Any] = {
        "write_files": [{"path": SCRIPT, "permissions": "0755", "content": script}],
        "runcmd": [["sh", SCRIPT]],
    }
    return "#cloud-config\n" + json.dumps(wanted) + "\n"
