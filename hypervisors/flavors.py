"""The predefined flavors, which serve on every hypervisor and when none can be asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flavor:
    """A named size of VM: virtual CPUs, memory in MiB, system disk in GiB."""

    name: str
    cpus: int
    memory_mib: int
    disk_gib: float


PREDEFINED: dict[str, Flavor] = {
    flavor.name: flavor
    for flavor in (
        Flavor("nano", cpus=1, memory_mib=512, disk_gib=1),
        Flavor("micro", cpus=1, memory_mib=1024, disk_gib=5),
        Flavor("small", cpus=1, memory_mib=1536, disk_gib=10),
        Flavor("medium", cpus=2, memory_mib=2560, disk_gib=20),
        Flavor("large", cpus=4, memory_mib=6144, disk_gib=40),
    )
}
