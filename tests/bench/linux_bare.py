"""The floor of the Linux benchmark, in which Olimpus has no part: the lab's shell script."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass

from tests.lab.linux.cluster import SCRIPTS, Cluster

#: MiB of translated code that each machine may keep: as Olimpus' machines have it.
CACHE_MIB = 32


@dataclass
class Round:
    """Seconds until all machines are started, and until they are gone."""

    started: float
    gone: float


def floor(cluster: Cluster, number: int, links: int = 0) -> Round:
    """One SSH session and one shell script for each worker, whose machines are made all at once: one after another takes
    four times as long, as those that boot already are in the way. They go as soon as all are started.

    With `links` each machine has a card in each of its own: networks apart from each other, each with a DHCP server.
    """
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        command = [str(SCRIPTS / "floor"), "-n", str(number), "--jobs", str(number), "--tb-cache", str(CACHE_MIB)]
        command += ["--links", str(links)]
        more = ["--timeout", "900", "--json", file.name, "--started"]
        environment = os.environ | {"LINUX_LAB_DIR": str(cluster.folder)}
        subprocess.run([*command, *more], check=True, stdout=subprocess.DEVNULL, env=environment)
        told = json.load(file)
    return Round(told["started_s"], told["stop_s"])
