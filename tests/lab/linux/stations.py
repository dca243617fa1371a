"""What stands for a machine in tests of networks: a namespace on a worker with a card on the cluster's bridge.

It boots at once, and its card is plugged as libvirt plugs a machine's.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.linux.cluster import Cluster

CLIENT = Path(__file__).with_name("dhcp_client.py").read_text()
#: Answers each connection with who it came from, until its standard input ends.
SERVER = """
import select, socket, sys
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
    sock, peer = server.accept()
    sock.sendall(peer[0].encode())
    sock.close()
"""
#: Says what a server says, "" when none answers.
CALLER = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as sock:
        print(sock.recv(64).decode(), end="")
except OSError:
    pass
"""


@dataclass(frozen=True)
class Place:
    """Somewhere in the lab: a host, or a namespace in it."""

    cluster: Cluster
    host: str
    space: str = ""

    def run(self, *argv: str, check: bool = True) -> str:
        """What a program says here."""
        return self.cluster.run(self.host, *self._inside(), *argv, check=check)

    def call(self, address: str, port: int, seconds: float = 2.0) -> str:
        """What a server says to who comes from here, "" when none answers."""
        return self.run("python3", "-c", CALLER, address, str(port), str(seconds))

    def pings(self, address: str) -> bool:
        """Whether it answers; the first packet may be lost while neighbours get to know each other."""
        return " 0 received" not in self.run("ping", "-c", "3", "-i", "0.2", "-W", "1", address, check=False)

    def serve(self, port: int) -> subprocess.Popen[str]:
        """A server that tells everybody who he is; whoever starts it ends it with `end`."""
        started = self.cluster.start(self.host, *self._inside(), "python3", "-c", SERVER, str(port))
        assert started.stdout
        assert started.stdout.readline() == "ready\n"
        return started

    def _inside(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.space) if self.space else ()


@dataclass(frozen=True)
class Station(Place):
    """A card of a machine that is not there."""

    mac: str = ""
    device: str = ""

    @classmethod
    def plug(cls, cluster: Cluster, host: str, name: str, mac: str, tag: int) -> Station:
        """Make it, with its card in this VLAN; nothing of an earlier one with its name is left."""
        made = cls(cluster, host, name, mac, name)
        made.unplug()
        cluster.run(host, "ip", "netns", "add", name)
        kind = ["--", "set", "interface", name, "type=internal", f'mac="{mac}"']
        cluster.run(host, "ovs-vsctl", "add-port", "br-int", name, f"tag={tag}", *kind)
        cluster.run(host, "ip", "link", "set", name, "netns", name)
        made.run("ip", "link", "set", "lo", "up")
        made.run("ip", "link", "set", name, "up")
        made.run("ethtool", "-K", name, "tx", "off", check=False)
        return made

    def lease(self, seconds: float = 3.0) -> dict[str, Any] | None:
        """What DHCP says; None when nobody answers. Its address and router are set up then."""
        found: dict[str, Any] | None = json.loads(
            self.run("python3", "-c", CLIENT, self.device, self.mac, str(seconds))
        )
        if found:
            self.run("ip", "addr", "flush", "dev", self.device)
            self.run("ip", "addr", "add", f"{found['ip']}/{found['prefix']}", "dev", self.device)
            if found["router"]:
                self.run("ip", "route", "replace", "default", "via", found["router"])
        return found

    def unplug(self) -> None:
        """Take it away."""
        self.cluster.run(self.host, "ovs-vsctl", "--if-exists", "del-port", "br-int", self.space)
        self.cluster.run(self.host, "ip", "netns", "del", self.space, check=False)


def end(process: subprocess.Popen[str]) -> None:
    """End a server."""
    process.communicate(timeout=10)
