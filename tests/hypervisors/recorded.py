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

CREATED = datetime.datetime(2026, 11, 21, 18, 22, 28, tzinfo=datetime.UTC)
#: Some of its flavors, so that two of the predefined ones are there and three are not.
FLAVORS = [
    CloudFlavor("2", "micro", 1, 1024, 5.0),
    CloudFlavor("4", "medium", 2, 2560, 20.0),
]
ROOM = {"cpus_total": 2048, "memory_mib_total": 392_448, "disk_gib_total": 8192}
ZONES = [
    Zone(
        "zone-1",
        hosts=(
            Host("compute-01", "zone-1", **ROOM),
            Host("compute-02", "zone-1", cpus_used=2, memory_mib_used=3072, disk_gib_used=20.0, vms=2, **ROOM),
        ),
    ),
    Zone(
        "zone-2",
        hosts=(Host("compute-03", "zone-2", cpus_used=3, memory_mib_used=3072, disk_gib_used=16.0, vms=3, **ROOM),),
    ),
]
IMAGES = [
    Image("45ac963b-76af-4365-9851-29a2348ded15", "cirros", "active", "qcow2", 196_616, 0, 0, "public", CREATED),
    Image("fe3f26aa-c81a-43f7-b4a0-3643cf37f5ce", "ubuntu-20.04", "active", "qcow2", 196_616, 0, 0, "public", CREATED),
]
SUBNET = Subnet(
    "36569872-0504-4f9b-890a-6ae9f86c4978",
    "test-net",
    "3dd8452e-8b7f-48d6-97d5-c0fb27073d7e",
    "192.168.100.0/24",
    "192.168.100.1",
    pools=(("192.168.100.2", "192.168.100.254"),),
)
NETWORK = Network(
    SUBNET.network_id,
    "test-net",
    "ACTIVE",
    mtu=1450,
    project_id="e8b862f461d04c0ca2cb1bb2e65af016",
    subnets=(SUBNET,),
)
ROUTER = Router(
    "24c023ac-8669-4e97-8bb1-fbd65d81bc34", "way-out", "ACTIVE", "f5208df4-d634-4c62-b50b-d0d50217e70a", (SUBNET.id,)
)
#: A machine of the lab that has the volume.
SERVER = "c26b708d-8c69-4291-a945-55e8512fa6fd"
VOLUME = Volume(
    "f3f054f9-7181-4ca5-8ede-82086a5419dc",
    "data",
    "in-use",
    1,
    "files",
    False,
    (Attachment(SERVER, "/dev/sdb"),),
    CREATED,
)
FREE_VOLUME = Volume("2704855b-02aa-440e-88f7-7acc0e3d58e3", "spare", "available", 1, "files", False, (), CREATED)
SNAPSHOT = VolumeSnapshot("f50acb8f-bfe9-4340-8257-36ffd1be56b2", "monday", FREE_VOLUME.id, "available", 1, CREATED)
QUOTAS = [
    Quota("compute", "instances", 1000, 0),
    Quota("compute", "ram", 20_000_000, 0),
    Quota("network", "subnetpools", None, 0),
]
KEYPAIRS = [Keypair("olimpus-recorded", "8e:1c:0f:ba:c4:26:7e:91:46:96:15:df:94:77:ef:18")]
PROJECTS = [
    Project("e8b862f461d04c0ca2cb1bb2e65af016", "admin", "Bootstrap project for initializing the cloud."),
    Project("9cb5f11ea2c647f1bab7d23d43d21ef8", "demo"),
]


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
        return self._tell("flavor_use", {"micro": 1, "nano": 1, "small": 4})

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
