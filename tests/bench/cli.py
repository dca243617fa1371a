"""`olimpus ls` and `olimpus tree` on 20,000 nodes, beside `curl` of the same API.

Measured: the whole process, from its start to its end, its output to a file: 200 folders of 99 machines and the folder of
both, listed with `ls -R` and drawn with `tree`, by a superuser with a token. Floor: `curl` of `GET /api/nodes/brief?path=…`,
which both of them ask. Medians of 9 rounds after 2 that warm up; the three take turns.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from django.db import connection
from django.utils import timezone

from accounts.actions import issue_token
from accounts.models import User
from descriptors import tree
from descriptors.models import Descriptor, Kind
from hypervisors import actions as hypervisors
from tests.bench.figures import Figure, say, timed
from tests.bench.servers import web
from tests.bench.world import folder, superuser

FOLDERS, EACH = 200, 99
NODES = FOLDERS * (EACH + 1)
ROUNDS, WARM_UP = 9, 2
RATIO, MORE = 2.0, 0.5
OLIMPUS = str(Path(sys.executable).parent / "olimpus")


def run() -> list[Figure]:
    """One figure for each command."""
    root = superuser()
    build(root)
    _row, token = issue_token(root, "bench")
    with web() as address, tempfile.TemporaryDirectory(prefix="olimpus-bench-cli-") as home:
        commands = {
            "curl": ["curl", "-sf", "-H", f"Authorization: Bearer {token}", f"{address}/api/nodes/brief?path=/farm"],
            "ls": [OLIMPUS, "ls", "-R", "/farm"],
            "tree": [OLIMPUS, "tree", "/farm"],
        }
        environment = os.environ | {
            "OLIMPUS_SERVER": address,
            "OLIMPUS_TOKEN": token,
            "HOME": home,
            "LC_ALL": "C.UTF-8",
        }
        times = measure(commands, environment, Path(home) / "output")
    say(", ".join(f"{name} {seconds:.2f} s" for name, seconds in times.items()))
    return [figure(f"olimpus {name}", times[name], times["curl"]) for name in ("ls", "tree")]


def build(root: User) -> None:
    """A folder with folders of machines, all of them running."""
    mock = hypervisors.create({"name": "mock", "driver": "mock"}, actor=root)
    farm = folder("/farm", {"hypervisor": "mock", "image": "debian-12", "flavor": "nano"})
    below = tree.insert([(farm, [tree.Draft(f"group-{number:03}", Kind.FOLDER) for number in range(FOLDERS)])])
    tree.insert([(one, [tree.Draft(f"vm-{number:02}", Kind.DESCRIPTOR) for number in range(EACH)]) for one in below])
    Descriptor.objects.update(state="running", state_since=timezone.now(), hypervisor=mock, vm_ref="mock-1")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "ANALYZE TABLE descriptors_node")


def measure(commands: dict[str, list[str]], environment: dict[str, str], output: Path) -> dict[str, float]:
    """Seconds of each command, the median of its rounds."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(WARM_UP + ROUNDS):
        for name, command in commands.items():
            seconds = timed(lambda command=command: once(command, environment, output))
            if number >= WARM_UP:
                taken[name].append(seconds)
            check(name, output)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def once(command: list[str], environment: dict[str, str], output: Path) -> None:
    """Run it to its end."""
    with output.open("w") as file:
        subprocess.run(command, env=environment, stdout=file, check=True)


def check(name: str, output: Path) -> None:
    """It has printed all of them."""
    text = output.read_text()
    machines = text.count("running")
    assert machines == FOLDERS * EACH, f"{name}: {machines} machines"


def figure(name: str, seconds: float, floor: float) -> Figure:
    """Within both bounds: so many times `curl`, and so many seconds more."""
    ok = seconds <= RATIO * floor and seconds - floor <= MORE
    reach = f"≤ {RATIO:g} × curl, ≤ {MORE:g} s more"
    return Figure(f"{name}, {NODES:,} nodes", seconds, "s", reach, ok, floor, {"more": seconds - floor})
