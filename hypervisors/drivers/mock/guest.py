"""What a pretended guest says and uses: pure functions of the VM and the time, so that they can be asked twice."""

from __future__ import annotations

import math
import zlib
from datetime import datetime

from hypervisors.drivers.base import Power, VmInfo

#: Seconds after power-on at which a line appears on the serial console.
BOOT_LOG = (
    (0.0, "SeaBIOS (version 1.16.2-mock)"),
    (0.2, "Booting from Hard Disk..."),
    (0.6, "GNU GRUB  version 2.06"),
    (1.0, "[    0.000000] Linux version 6.1.0-mock-amd64 (gcc 12.2.0)"),
    (1.1, "[    0.004211] smpboot: Allowing {cpus} CPUs, 0 hotplug CPUs"),
    (1.2, "[    0.031870] Memory: {memory_kib}K available"),
    (1.6, "[    0.512038] virtio_blk virtio1: [vda] {disk_gib:g} GiB"),
    (2.2, "[    1.120491] EXT4-fs (vda1): mounted filesystem with ordered data mode"),
    (2.8, "[    1.702214] systemd[1]: Hostname set to <{name}>."),
    (3.5, "[  OK  ] Started systemd-networkd - Network Configuration."),
    (4.2, "[  OK  ] Started ssh - OpenBSD Secure Shell server."),
    (5.0, "[  OK  ] Reached target multi-user.target - Multi-User System."),
    (5.2, ""),
    (5.3, "{name} login: "),
)
METRICS = (
    "cpu_percent",
    "memory_used_mib",
    "memory_percent",
    "disk_read_kib_s",
    "disk_write_kib_s",
    "net_rx_kib_s",
    "net_tx_kib_s",
    "uptime_seconds",
)


def console_text(vm: VmInfo, now: datetime) -> str:
    """The boot log up to now; "" while the VM is off."""
    if vm.since is None:
        return ""
    age = (now - vm.since).total_seconds()
    facts = {"name": vm.name, "cpus": vm.cpus, "memory_kib": vm.memory_mib * 1024, "disk_gib": vm.disk_gib}
    return "\n".join(line.format(**facts) for second, line in BOOT_LOG if second <= age)


def metrics(vm: VmInfo, now: datetime) -> dict[str, float]:
    """Plausible figures that wander with the time, each VM in a phase of its own; zeros while off."""
    if vm.power is Power.OFF or vm.since is None:
        return dict.fromkeys(METRICS, 0.0)
    phase = zlib.crc32((vm.uid or vm.ref).encode()) / 2**32
    load = _wave(now.timestamp(), phase) if vm.power is Power.ON else 0.0
    memory = 0.25 + 0.5 * _wave(now.timestamp() / 7, phase)
    values = (
        100 * load,
        vm.memory_mib * memory,
        100 * memory,
        2048 * load * phase,
        1024 * load,
        512 * load,
        256 * load * (1 - phase),
        (now - vm.since).total_seconds(),
    )
    return {name: round(value, 2) for name, value in zip(METRICS, values, strict=True)}


def _wave(seconds: float, phase: float) -> float:
    """Between 0 and 1: a slow swell with a fast ripple on it."""
    swell = math.sin(2 * math.pi * (seconds / 300 + phase))
    ripple = math.sin(2 * math.pi * (seconds / 17 + 3 * phase))
    return 0.5 + 0.35 * swell + 0.15 * ripple
