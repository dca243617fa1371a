"""The Linux cluster of the lab as its tests see it: how a driver enters it, and hands inside its hosts.

The scripts are in `cluster/` beside this file. Without the lab the tests fail, with a sentence that says what to do.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from hypervisors.drivers.base import Driver
from hypervisors.drivers.linux.sheets import look
from hypervisors.registry import driver_class
from tests.processes.installation import ROOT

SCRIPTS = ROOT / "tests" / "lab" / "linux" / "cluster"
FOLDER = "/var/tmp/linux-lab"
#: What a lab of the tests' own beside the first is told: `Cluster.standing(OWN)`.
OWN = {
    "LINUX_LAB_DIR": f"{FOLDER}-own",
    "LINUX_LAB_NAME": "labown",
    "LINUX_LAB_EXT": "172.31.204",
    "LINUX_LAB_MGMT": "192.168.204",
}
#: The lab of pytest's second worker: the machines of one are never in the other's way.
TWIN = {
    "LINUX_LAB_DIR": f"{FOLDER}-twin",
    "LINUX_LAB_NAME": "labtwin",
    "LINUX_LAB_EXT": "172.31.205",
    "LINUX_LAB_MGMT": "192.168.205",
}
#: What is joined with the first lab: `Cluster.beside(FAR)`. One worker will do.
FAR = {
    "LINUX_LAB_DIR": f"{FOLDER}-far",
    "LINUX_LAB_NAME": "labfar",
    "LINUX_LAB_EXT": "172.31.206",
    "LINUX_LAB_MGMT": "192.168.206",
    "LINUX_LAB_WORKERS": "1",
}
WHAT_TO_DO = "the Linux lab is down: `make lab-linux` brings it up (Debian 12, root), `make test-linux` too"
#: Tags of the networks of slices.
VLANS = "100-999"
#: Seconds that a command in a host may take.
PATIENCE = 60.0


@dataclass(frozen=True)
class Host:
    """The bastion, the headnode or a worker, by its address inside the cluster."""

    name: str
    address: str
    port: int
    user: str


@dataclass(frozen=True)
class Cluster:
    """A running lab. `run` is root inside a host and knows nothing of our code: the witness, and the vandal."""

    folder: Path
    inventory: dict[str, Any]
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def running(cls, variables: dict[str, str] | None = None) -> Cluster:
        """The lab that these variables name (`LINUX_LAB_DIR`…), else the environment's.

        An AssertionError that says what to do when it is not up.
        """
        variables = variables or {}
        folder = Path((os.environ | variables).get("LINUX_LAB_DIR", FOLDER))
        file = folder / "inventory.yaml"
        assert file.exists(), WHAT_TO_DO
        found = cls(folder, YAML(typ="safe").load(file), variables)
        assert all(found.alive(host.name) for host in found.hosts()), WHAT_TO_DO
        return found

    @classmethod
    @contextmanager
    def standing(cls, variables: dict[str, str]) -> Iterator[Cluster]:
        """A lab of one's own beside the first, and of it nothing afterwards."""
        _script(variables, "up", "--no-image").check_returncode()
        try:
            yield cls.running(variables)
        finally:
            _script(variables, "down", "--purge")
        left = _script(variables, "leftovers").stdout
        assert not left, left

    @contextmanager
    def beside(self, variables: dict[str, str]) -> Iterator[Cluster]:
        """A lab of one's own whose outside and this one's reach each other; nothing of it is left."""
        with self.standing(variables | {"LINUX_LAB_IMAGE": str(self.image)}) as other:
            ends = f"to-{other.name}", f"to-{self.name}"
            _ip("-n", f"{self.name}-fabric", "link", "add", ends[0], "type", "veth",
                "peer", "name", ends[1], "netns", f"{other.name}-fabric")  # fmt: skip
            for one, end, there in ((self, ends[0], other), (other, ends[1], self)):
                _ip("-n", f"{one.name}-fabric", "link", "set", end, "master", "br-mgmt", "up")
                one.run("headnode", "ip", "route", "replace", f"{there.outside}.0/24", "dev", "eth0")
            try:
                yield other
            finally:  # the cable goes with the other one
                self.run("headnode", "ip", "route", "del", f"{other.outside}.0/24")

    # -- what there is -------------------------------------------------------------------------------------------------
    @property
    def workers(self) -> tuple[str, ...]:
        """The names of the workers."""
        return tuple(worker["name"] for worker in self.inventory["workers"])

    @property
    def image(self) -> Path:
        """The disk of the tiny guest, qcow2."""
        return Path(self.inventory["image"])

    @property
    def key_file(self) -> Path:
        """The private key that all hosts let in."""
        return Path(self.inventory["ssh_key"])

    def hosts(self) -> Iterator[Host]:
        """All hosts: the bastion, the headnode, the workers."""
        for entry in (self.inventory["bastion"], self.inventory["headnode"], *self.inventory["workers"]):
            yield Host(entry["name"], entry["host"], entry["port"], entry["user"])

    def host(self, name: str) -> Host:
        """One of them; StopIteration when there is none of this name."""
        return next(host for host in self.hosts() if host.name == name)

    def host_keys(self, name: str) -> str:
        """The host's public keys, as lines of known_hosts."""
        host = self.host(name)
        known = host.address if host.port == 22 else f"[{host.address}]:{host.port}"
        lines = Path(self.inventory["known_hosts"]).read_text().splitlines()
        return "\n".join(line for line in lines if line.split()[0] == known)

    # -- the way in for Olimpus ----------------------------------------------------------------------------------------
    def way(self, *roles: str) -> dict[str, Any]:
        """The settings of these hops (`bastion`, `headnode`), as every driver behind a bastion takes them."""
        return {name: value for role in roles for name, value in self._hop(role).items()}

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Settings of the Linux driver for this cluster; `changes` win."""
        workers = [self.host(name) for name in self.workers]
        settings = {
            **self.way("bastion", "headnode"),
            "workers": "\n".join(f"{one.name} {one.address} user={one.user} port={one.port}" for one in workers),
            "worker_key_file": str(self.key_file),
            "worker_host_keys": "\n".join(self.host_keys(name) for name in self.workers),
            "bridge": self.inventory["workers"][0]["ovs_bridge"],
            "vlans": VLANS,
            "outside_interface": "eth0",
            "floating_pool": f"{self.outside}.220-{self.outside}.229",
            "virt_type": self.inventory["virt_type"],
        }
        return settings | changes

    def driver(self, home: Path, name: str = "cluster", **changes: Any) -> Driver:
        """A driver of this cluster that keeps its files in `home`; whoever makes one calls `close`."""
        return driver_class("linux")(name, self.settings(**changes), home)

    def offer(self, home: Path, name: str = "tiny") -> str:
        """Lay the tiny guest's image down on all workers; the name under which machines ask for it."""
        driver = self.driver(home)
        with self.image.open("rb") as file:
            sheet = look(name, file)
            for member in driver.cluster.members.values():
                file.seek(0)
                member.pool.write(sheet.volume, file, sheet.size_bytes)
                member.pool.write(f"{sheet.volume}.json", sheet.dump(), len(sheet.dump()))
        driver.close()
        return sheet.name

    def empty(self, home: Path) -> None:
        """Destroy all machines, also those that a test left which ended badly; images stay."""
        driver = self.driver(home)
        for vm in driver.list():
            driver.destroy(vm.ref)
        for uid in driver.gateway.look().ways:
            driver.gateway.leave(uid)
        for member in driver.cluster.members.values():
            member.pool.remove_all(name for name in member.pool.names() if name.startswith("vm-"))
        driver.close()

    # -- hands inside --------------------------------------------------------------------------------------------------
    def run(self, host: str, *argv: str, check: bool = True, data: str | None = None) -> str:
        """What a program says that root runs inside the host, not by SSH: `run("worker-1", "virsh", "list")`.

        An AssertionError with the program's complaint when it fails, unless `check` is off.
        """
        done = self._script("enter", host, *argv, data=data)
        assert done.returncode == 0 or not check, f"{host}: {' '.join(argv)}: {done.stderr or done.stdout}"
        return done.stdout

    def start(self, host: str, *argv: str) -> subprocess.Popen[str]:
        """A program that root begins inside the host and that goes on; whoever begins it talks to it and ends it."""
        command, environment = [str(SCRIPTS / "enter"), host, *argv], os.environ | self.variables
        return subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def alive(self, host: str) -> bool:
        """Whether the host is switched on."""
        return self._script("enter", host, "true").returncode == 0

    def kill(self, host: str) -> None:
        """Pull its plug: processes, machines and network are gone at once; its disks stay."""
        assert self._script("crash", host).returncode == 0, f"{host} could not be killed"

    def revive(self, host: str) -> None:
        """Switch on what `kill` switched off (and whatever else is off); returns when it answers, after about 1 s."""
        done = self._script("up", "--no-image")
        assert done.returncode == 0, done.stderr or done.stdout
        assert self.alive(host), f"{host} is not back"

    def leftovers(self) -> list[str]:
        """What machines and networks have left behind on the hosts, a line each."""
        return self._script("leftovers").stdout.splitlines()

    @property
    def name(self) -> str:
        """What its namespaces' names begin with."""
        return (os.environ | self.variables).get("LINUX_LAB_NAME", "lab")

    @property
    def outside(self) -> str:
        """The first three numbers of the network that the headnode and the bastion share: the outside of the gateway."""
        return str(self.host("headnode").address).rpartition(".")[0]

    def _hop(self, role: str) -> dict[str, Any]:
        host = self.host(role)
        return {
            f"{role}_host": host.address,
            f"{role}_port": host.port,
            f"{role}_user": host.user,
            f"{role}_key_file": str(self.key_file),
            f"{role}_host_key": self.host_keys(role),
        }

    def _script(self, name: str, *argv: str, data: str | None = None) -> subprocess.CompletedProcess[str]:
        return _script(self.variables, name, *argv, data=data)


def _script(
    variables: dict[str, str], name: str, *argv: str, data: str | None = None
) -> subprocess.CompletedProcess[str]:
    """One of the lab's own programs to its end."""
    given = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    command, environment = [str(SCRIPTS / name), *argv], os.environ | variables
    return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=PATIENCE, **given)


def _ip(*words: str) -> None:
    """Something about the network of this machine."""
    subprocess.run(["ip", *words], check=True)
