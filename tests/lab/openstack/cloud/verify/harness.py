"""What the checks share: a step is timed, its outcome kept, and a failure does not end the run."""

from __future__ import annotations

import functools
import os
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any

FOLDER = os.environ.get("OPENSTACK_LAB_DIR", "/var/tmp/openstack-lab")
# Before openstacksdk looks for it.
os.environ.setdefault("OS_CLIENT_CONFIG_FILE", os.path.join(FOLDER, "clouds.yaml"))

import openstack  # noqa: E402

TAG = "verify-" + uuid.uuid4().hex[:6]
#: Title, whether it went well, whether it had to, seconds, remark.
RESULTS: list[tuple[str, bool, bool, float, str]] = []
Note = str | None


def check(title: str, optional: bool = False) -> Callable[[Callable[..., Note]], Callable[..., None]]:
    """Time a step, keep its outcome, and go on after a failure."""

    def decorate(function: Callable[..., Note]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any) -> None:
            began, ok = time.perf_counter(), True
            try:
                note = function(*args) or ""
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this check's result
                ok, note = False, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
                if "-v" in sys.argv:
                    traceback.print_exc()
            seconds = time.perf_counter() - began
            name = title + (" (optional)" if optional else "")
            RESULTS.append((name, ok, not optional, seconds, note))
            print(f"{name:44} {'ok' if ok else 'FAILED':6} {seconds:7.2f} s  {note[:90]}", flush=True)

        return run

    return decorate


class Lab:
    """What the steps share; also what clean-up has to remove."""

    def __init__(self) -> None:
        self.cloud = openstack.connect(cloud="lab")
        self.servers: list[Any] = []
        self.network = self.subnet = self.router = self.group = None
        self.project = self.user = self.volume = self.floating_ip = None
        self.server_group = self.snapshot = None

    def wait(self, server: Any, *states: str, seconds: float = 180) -> Any:
        deadline = time.time() + seconds
        while True:
            server = self.cloud.compute.get_server(server.id)
            if server.status in states and not server.task_state:
                return server
            if server.status == "ERROR" and "ERROR" not in states:
                raise RuntimeError("ERROR: {}".format((server.fault or {}).get("message")))
            if time.time() > deadline:
                raise TimeoutError(f"{server.name} is {server.status}/{server.task_state}")
            time.sleep(0.25)

    def create(self, name: str, zone: str, **options: Any) -> Any:
        body = {
            "name": name,
            "flavor_id": self.flavor.id,
            "image_id": self.image.id,
            "networks": [{"uuid": self.network.id}],
            "availability_zone": zone,
        }
        body.update(options)
        body = {key: value for key, value in body.items() if value is not None}
        server = self.cloud.compute.create_server(**body)
        self.servers.append(server)
        return server
