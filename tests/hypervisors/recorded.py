"""Answers of the lab's OpenStack as our dataclasses, a cloud that repeats them, and one that is silent.

Nothing here plays an OpenStack: what was not recorded is not answered.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from hypervisors.drivers.cloud import (
    Attachment,
    CloudFlavor,
    Host,
    Image,
    Keypair,
    Network,
    Project,
    Quota,
    Router,
    Subnet,
    Volume,
    VolumeSnapshot,
    Zone,
)
from olimpus.errors import HypervisorError

#: A machine of the lab that has the attached volume.
SERVER = "f3a1c5de-6c1a-4d4b-9f5e-6f5b6c0c6c11"

FLAVORS = [
    CloudFlavor("2", "micro", 1, 1024, 5.0),
    CloudFlavor("4", "medium", 2, 2560, 20.0),
    CloudFlavor("9", "olimpus-2c-1024m-10g", 2, 1024, 10.0),
]
ROOM = {"cpus_total": 2048, "memory_mib_total": 393_216, "disk_gib_total": 8192.0}
ZONES = [
    Zone(
        "zone-1",
        hosts=(
            Host("compute-01", "zone-1", cpus_used=3, memory_mib_used=3072, disk_gib_used=15.0, vms=3, **ROOM),
            Host("compute-02", "zone-1", **ROOM),
        ),
    ),
    Zone("zone-2", hosts=(Host("compute-03", "zone-2", **ROOM),)),
]
CREATED = datetime.datetime(2026, 11, 21, 18, 12, 5, tzinfo=datetime.UTC)
IMAGES = [
    Image("0f1", "cirros", "active", "qcow2", 196_616, 0, 0, "public", CREATED),
    Image("0f2", "ubuntu-20.04", "active", "qcow2", 196_616, 0, 0, "public", CREATED),
]
SUBNET = Subnet(
    "5b1", "test-net", "7c1", "192.168.100.0/24", "192.168.100.1", True, (), (("192.168.100.2", "192.168.100.254"),)
)
NETWORK = Network("7c1", "test-net", "ACTIVE", False, False, 1500, "a11", (SUBNET,))
ROUTER = Router("8d1", "way-out", "ACTIVE", "7c0", ("5b1",))
VOLUME = Volume("9e1", "data", "in-use", 1, "files", False, (Attachment(SERVER, "/dev/vdb"),), CREATED)
FREE_VOLUME = Volume("9e2", "spare", "available", 1, "files", False, (), CREATED)
SNAPSHOT = VolumeSnapshot("9f1", "monday", "9e2", "available", 1, CREATED)
QUOTAS = [
    Quota("compute", "instances", 1000, 3),
    Quota("compute", "ram", None, 3072),
    Quota("network", "port", 5000, 4),
]
KEYPAIRS = [Keypair("olimpus", "aa:bb:cc")]
PROJECTS = [Project("a11", "admin", "Bootstrap project"), Project("a12", "demo")]


class Recorded:
    """Repeats what was recorded and notes what it was asked. `meanwhile` happens while an answer is under way."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done: list[tuple[str, dict[str, Any]]] = []
        self.meanwhile: Callable[[], Any] = lambda: None

    def _tell(self, question: str, answer: Any) -> Any:
        self.asked.append(question)
        self.meanwhile()
        return answer

    def flavors(self) -> Any:
        return self._tell("flavors", FLAVORS)

    def flavor_use(self) -> Any:
        return self._tell("flavor_use", {"micro": 3})

    def images(self) -> Any:
        return self._tell("images", IMAGES)

    def zones(self, *, capacity: bool = False) -> Any:
        return self._tell("zones", ZONES)

    def networks(self, project: str = "") -> Any:
        return self._tell("networks", [NETWORK])

    def routers(self, project: str = "") -> Any:
        return self._tell("routers", [ROUTER])

    def volumes(self, project: str = "") -> Any:
        return self._tell("volumes", [VOLUME, FREE_VOLUME])

    def volume_snapshots(self, project: str = "") -> Any:
        return self._tell("volume_snapshots", [SNAPSHOT])

    def quotas(self, project: str) -> Any:
        return self._tell(f"quotas {project}", QUOTAS)

    def keypairs(self) -> Any:
        return self._tell("keypairs", KEYPAIRS)

    def projects(self) -> Any:
        return self._tell("projects", PROJECTS)

    #: Changes and what the lab answered to them.
    CHANGES = {
        "create_flavor": CloudFlavor("3", "small", 1, 1536, 10.0),
        "upload_image": IMAGES[0],
        "create_network": NETWORK,
        "create_subnet": SUBNET,
        "create_router": ROUTER,
        "create_volume": FREE_VOLUME,
        "attach_volume": VOLUME,
        "detach_volume": FREE_VOLUME,
        "extend_volume": FREE_VOLUME,
        "snapshot_volume": SNAPSHOT,
        "ensure_project": PROJECTS[1],
        **dict.fromkeys(
            f"delete_{kind}"
            for kind in ("flavor", "image", "network", "subnet", "router", "volume", "volume_snapshot", "project")
        ),
    }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self.CHANGES:
            raise AttributeError(name)

        def change(**fields: Any) -> Any:
            said = {field: value.read() if hasattr(value, "read") else value for field, value in fields.items()}
            self.done.append((name, said))
            return self.CHANGES[name]

        return change


class Silent:
    """Fails whatever it is asked."""

    def __init__(self, error: HypervisorError) -> None:
        self.error = error
        self.asked = 0
        self.meanwhile: Callable[[], Any] = lambda: None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_args: Any, **_fields: Any) -> Any:
            self.asked += 1
            self.meanwhile()
            raise self.error

        return fail
