"""The OpenStack of the lab as its tests see it: how to sign in, what is in it, how much computing it has done."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openstack
import psutil
from ruamel.yaml import YAML

from tests.processes.installation import ROOT

SCRIPTS = ROOT / "tests" / "lab" / "openstack" / "cloud"
FOLDER = Path(os.environ.get("OPENSTACK_LAB_DIR", "/var/tmp/openstack-lab"))
ADMIN, DEMO = "lab", "lab-demo"
WHAT_TO_DO = "the OpenStack lab is down: `make lab-openstack` brings it up (Debian 12, root), `make test-openstack` too"
#: Seconds in which what was deleted last is really gone.
SETTLE = 20.0


@dataclass
class Cloud:
    """A running lab. `sdk` is the bare openstacksdk: the witness that has nothing to do with our code."""

    folder: Path
    clouds: dict[str, dict[str, Any]]
    _connections: dict[str, openstack.connection.Connection] = field(default_factory=dict)

    @staticmethod
    def answers() -> bool:
        """Whether a lab has been brought up and not been stopped."""
        return (FOLDER / "run" / "ready").exists()

    @classmethod
    def running(cls) -> Cloud:
        """The lab that runs now; an AssertionError that says what to do when none does."""
        assert cls.answers(), WHAT_TO_DO
        clouds = YAML(typ="safe").load(FOLDER / "clouds.yaml")["clouds"]
        found = cls(FOLDER, clouds)
        try:
            found.sdk().authorize()
        except openstack.exceptions.SDKException as error:
            raise AssertionError(WHAT_TO_DO) from error
        return found

    def account(self, who: str = ADMIN, **more: Any) -> dict[str, Any]:
        """Settings of the driver for one of the lab's accounts."""
        entry = self.clouds[who]
        return {**entry["auth"], "region_name": entry["region_name"], **more}

    def sdk(self, who: str = ADMIN) -> openstack.connection.Connection:
        """openstacksdk, signed in as one of the lab's accounts, not by way of our code."""
        if who not in self._connections:
            entry = self.clouds[who]
            self._connections[who] = openstack.connect(
                auth=entry["auth"], region_name=entry["region_name"], load_yaml_config=False, load_envvars=False
            )
        return self._connections[who]

    def ports(self) -> dict[str, int]:
        """Type of service → its port on 127.0.0.1."""
        endpoints = self.sdk().identity.endpoints(interface="public")
        names = {service.id: service.type for service in self.sdk().identity.services()}
        return {names[one.service_id]: int(one.url.split(":")[2].split("/")[0]) for one in endpoints}

    def inventory(self) -> dict[tuple[str, str], str]:
        """(kind, id) → name of all that may be left behind, over all projects."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of openstacksdk about itself
            return {(kind, one.id): one.name or "" for kind, ones in self._everything() for one in ones}

    def left(self, before: dict[tuple[str, str], str], prefix: str = "") -> list[str]:
        """What is there and was not there before, once what was deleted last is gone."""
        end = time.monotonic() + SETTLE
        while True:
            now = self.inventory()
            found = [f"{kind} {now[kind, pk] or pk}" for kind, pk in now.keys() - before.keys()]
            found = sorted(one for one in found if one.split(" ", 1)[1].startswith(prefix))
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.5)

    def cpu_seconds(self) -> float:
        """What all its processes have computed so far; the difference of two readings hardly depends on other work."""
        leaders = [int(file.read_text().split()[0]) for file in (self.folder / "run").glob("*.pid")]
        return sum(_cpu_of_group(leader) for leader in leaders)

    def _everything(self) -> Iterator[tuple[str, list[Any]]]:
        sdk = self.sdk()
        yield "server", list(sdk.compute.servers(details=False, all_projects=True))
        yield "port", list(sdk.network.ports())
        yield "network", list(sdk.network.networks())
        yield "router", list(sdk.network.routers())
        yield "volume", list(sdk.block_storage.volumes(details=False, all_projects=True))
        yield "volume snapshot", list(sdk.block_storage.snapshots(details=False, all_projects=True))
        yield "image", list(sdk.image.images())
        yield "project", list(sdk.identity.projects())
        yield "user", list(sdk.identity.users())


def _cpu_of_group(leader: int) -> float:
    """User and system time of a service and of all its workers, those that have ended included."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(leader)
        for process in [first, *first.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
    return total
