"""Numbers: how much room there is, and what one machine is doing."""

from __future__ import annotations

import threading
import time
from functools import reduce
from typing import Any, Final

from hypervisors.drivers.base import Capacity, Power
from hypervisors.drivers.openstack.capacity import rooms, total
from hypervisors.drivers.openstack.rest import at
from hypervisors.drivers.openstack.servers import Servers
from hypervisors.drivers.openstack.view import power_of
from olimpus.errors import VMNotFound

Json = dict[str, Any]

REMEMBERED: Final = 10_000  # machines whose last reading is kept
NOTHING: Final = {"cpu_percent": 0.0, "memory_used_mib": 0.0, "uptime_seconds": 0.0}


class Figures:
    """Capacity of the cloud or of the account's project, and diagnostics of machines. Thread-safe."""

    def __init__(self, servers: Servers, *, whole_cloud: bool):
        self.servers = servers
        self.whole_cloud = whole_cloud
        self._lock = threading.Lock()
        self._readings: dict[str, tuple[float, float]] = {}  # ref → when, and its CPU seconds then

    # -- room -------------------------------------------------------------------------------------------------------

    def capacity(self) -> Capacity:
        """Of all hosts, if the account may see them; else what the project may use."""
        found = list(rooms(self.servers.rest).values()) if self.whole_cloud else []
        return reduce(total, found) if found else self._of_project()

    def _of_project(self) -> Capacity:
        limits = self.servers.rest.get("compute", "/limits")["limits"]["absolute"]
        return Capacity(
            cpus_total=_limit(limits["maxTotalCores"]),
            cpus_used=limits["totalCoresUsed"],
            memory_mib_total=_limit(limits["maxTotalRAMSize"]),
            memory_mib_used=limits["totalRAMUsed"],
            vms=limits["totalInstancesUsed"],
            vms_max=_limit(limits["maxTotalInstances"]),
        )

    # -- one machine ------------------------------------------------------------------------------------------------

    def of(self, server: Json) -> dict[str, float]:
        """What it uses now; all zero while it is off."""
        if power_of(server) is not Power.ON:
            return dict(NOTHING)
        path = at("/servers", server["id"]) + "/diagnostics"
        told = self.servers.rest.get("compute", path, missing=VMNotFound)
        memory, uptime = told.get("memory_details") or {}, float(told.get("uptime") or 0)
        # A driver that does not look into the guest says nothing of what it uses: all of it is given to it, then.
        used = memory.get("used") or memory.get("maximum") or server["flavor"]["ram"]
        found = {"cpu_percent": self._cpu_percent(server, told, uptime), "uptime_seconds": uptime}
        found |= {"memory_used_mib": float(min(used, server["flavor"]["ram"]))}
        return found | _traffic(told)

    def _cpu_percent(self, server: Json, told: Json, uptime: float) -> float:
        """Of all its CPUs since it was last asked; the first time since its start."""
        now = time.monotonic()
        seconds = sum(cpu.get("time") or 0 for cpu in told.get("cpu_details") or []) / 1e9
        with self._lock:
            if len(self._readings) >= REMEMBERED:
                self._readings.clear()
            before, used = self._readings.get(server["id"], (now - uptime, 0.0))
            self._readings[server["id"]] = (now, seconds)
        if seconds < used:  # it was started anew in between
            before, used = now - uptime, 0.0
        elapsed = (now - before) * max(1, server["flavor"]["vcpus"])
        return round(min(100.0, max(0.0, 100 * (seconds - used) / elapsed)), 2) if elapsed > 0 else 0.0


def _traffic(told: Json) -> dict[str, float]:
    """Bytes since its start, over all cards and disks; only what the driver counts."""
    sources = {
        "network_in_bytes": ("nic_details", "rx_octets"),
        "network_out_bytes": ("nic_details", "tx_octets"),
        "disk_read_bytes": ("disk_details", "read_bytes"),
        "disk_written_bytes": ("disk_details", "write_bytes"),
    }
    found = {}
    for name, (part, field) in sources.items():
        values = [item[field] for item in told.get(part) or [] if item.get(field) is not None]
        if values:
            found[name] = float(sum(values))
    return found


def _limit(value: int) -> int | None:
    return None if value < 0 else value
