"""The lab's Linux cluster as the hypervisor of a benchmark, with a folder of tiny machines, and OpenSSH's own way there."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt

from accounts.models import User
from descriptors.models import Descriptor, Node
from hypervisors import actions as hypervisors
from hypervisors.models import Hypervisor
from tests.bench.servers import process, until
from tests.bench.world import folder, machines, superuser
from tests.lab.linux.cluster import Cluster

NAME = "rack"
#: What a cluster may promise of each processor at most.
MOST_RATIO = 64
SIZE = {"cpus": 1, "memory_mib": 128, "disk_gib": 1}
LIBVIRT = "/run/libvirt/libvirt-sock"


@dataclass(frozen=True)
class Rack:
    """An empty cluster, known to Olimpus, and a folder of machines that are not made yet."""

    cluster: Cluster
    hypervisor: Hypervisor
    place: Node
    root: User

    @classmethod
    def of(cls, number: int, **common: Any) -> Rack:
        """With so many machines, and room for all of them; `common` is added to their definition."""
        cluster, root = Cluster.running(), superuser()
        hypervisor, definition = known(cluster, number, root)
        place = folder(f"/{NAME}", {**definition, **common})
        machines(place, {f"vm-{each:03}": {} for each in range(number)})
        return cls(cluster, hypervisor, Node.objects.get(pk=place.pk), root)

    def machines(self) -> list[Descriptor]:
        """As they are now."""
        return list(Descriptor.objects.filter(parent=self.place).order_by("path").select_related("hypervisor"))

    def virsh(self, machine: Descriptor, verb: str, *words: str) -> None:
        """What somebody does by hand."""
        self.cluster.run(host_of(machine), "virsh", "-q", verb, uuid_of(machine), *words)


def known(cluster: Cluster, number: int, root: User) -> tuple[Hypervisor, dict[str, Any]]:
    """The cluster, emptied, with room for so many machines, and the definition of a tiny one."""
    with tempfile.TemporaryDirectory() as home:
        cluster.empty(Path(home))
        image = cluster.offer(Path(home))
    given = cluster.settings(cpu_ratio=min(number, MOST_RATIO))
    fields = {"name": NAME, "driver": "linux", "settings": given, "reconcile_interval": 3600}
    return hypervisors.create(fields, actor=root), {"hypervisor": NAME, "image": image, **SIZE}


def host_of(machine: Descriptor) -> str:
    """The worker that has it."""
    return machine.vm_ref.partition("/")[0]


def uuid_of(machine: Descriptor) -> str:
    """What libvirt calls it there."""
    return machine.vm_ref.partition("/")[2]


@contextmanager
def forwarded(cluster: Cluster, host: str, *pairs: tuple[str | int, str | int]) -> Iterator[subprocess.Popen[bytes]]:
    """OpenSSH's client carries these ports and Unix sockets, (here, there), over a connection of its own, through the
    bastion.
    """
    words = [word for here, there in pairs for word in ("-L", f"{_end(here)}:{_end(there)}")]
    with process([*openssh(cluster), "-N", *words, host]) as client:
        until(lambda: all(_is_there(here) for here, _there in pairs), 20)
        yield client


def openssh(cluster: Cluster) -> list[str]:
    """`ssh` to a worker, which shares its connections with nobody."""
    alone = ["ssh", "-F", str(cluster.folder / "ssh_config"), "-o", "ControlMaster=no", "-o", "ControlPath=none"]
    return [*alone, "-o", f"ProxyCommand={shlex.join(alone)} -W %h:%p bastion"]


@contextmanager
def bare_libvirt(cluster: Cluster, hosts: Sequence[str]) -> Iterator[dict[str, libvirt.virConnect]]:
    """libvirt of these workers through OpenSSH, by name; nothing of Olimpus has a part in it."""
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        found = {}
        for host in hosts:
            here = f"{home}/{host}"
            stack.enter_context(forwarded(cluster, host, (here, LIBVIRT)))
            found[host] = libvirt.open(f"qemu+unix:///system?socket={here}")
            stack.callback(found[host].close)
        yield found


def _end(end: str | int) -> str:
    return f"127.0.0.1:{end}" if isinstance(end, int) else end


def _is_there(end: str | int) -> bool:
    """Whether the client listens already; nobody connects for that."""
    if isinstance(end, int):
        return f":{end:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()
    return Path(end).exists()
