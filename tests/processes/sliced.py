"""A slice whose worker, or whose web process, is killed with -9 at every stage: nothing doubled, nothing lost.

The same story on every hypervisor; `Ground` says what differs.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from hypervisors.drivers.base import Driver
from tests.processes.installation import Installation, kill, until

SIZE = 6


@dataclass
class Ground:
    """A hypervisor of an installation, and a driver of our own that tells what is really there."""

    installation: Installation
    hypervisor: str
    driver: Driver
    #: The definition that all nodes share.
    defaults: dict[str, Any] = field(default_factory=dict)
    size: int = SIZE
    #: Seconds that a stage may take.
    patience: float = 60.0
    #: Machines that were there before.
    others: frozenset[str] = frozenset()

    def there(self) -> Counter[str]:
        """How often each of our machines is on the hypervisor."""
        return Counter(info.uid for info in self.driver.list() if info.uid and info.uid not in self.others)


class Story:
    """One slice on this ground, from its birth to its end, with somebody who kills."""

    def __init__(self, ground: Ground):
        self.ground, self.key = ground, 0
        self.web = ground.installation.web()
        self.worker: subprocess.Popen[str] | None = None

    # -- asking --------------------------------------------------------------------------------------------------------
    def ask(self, method: str, what: str = "", **options: Any) -> httpx.Response:
        with self.ground.installation.api() as api:
            return api.request(method, f"/slices/{self.key}{what}" if self.key else "/slices", **options)

    def good(self, method: str, what: str = "", **options: Any) -> Any:
        answer = self.ask(method, what, **options)
        assert answer.is_success, answer.text
        return answer.json()

    def status(self) -> dict[str, Any]:
        return dict(self.good("GET", "/status"))

    # -- killing -------------------------------------------------------------------------------------------------------
    def work(self) -> None:
        self.worker = self.ground.installation.worker()

    def kill_when(self, moment: Callable[[], bool], stage: str) -> None:
        """Kill the worker at this moment; another one goes on."""
        assert self.worker is not None
        assert until(moment, self.ground.patience, 0.01), (stage, self.ground.installation.output())
        kill(self.worker)
        self.work()

    def ends(self, status: str, nodes: int, stage: str) -> None:
        """The slice comes to this status with so many machines, each there once."""
        assert until(lambda: self.status()["status"] == status, self.ground.patience, 0.2), (stage, self.status())
        told = self.status()
        assert (len(told["nodes"]), told["health"]) == (nodes, "ok"), (stage, told)
        assert list(self.ground.there().values()) == [1] * nodes, stage
        assert self.ask("POST", "/resume").status_code == 409, stage  # nothing was left half-way

    # -- the stages ----------------------------------------------------------------------------------------------------
    def written(self) -> None:
        """The tree is written and nobody works yet when the web process dies: what was asked for is done nevertheless."""
        body = {
            "name": "killed",
            "hypervisor": self.ground.hypervisor,
            "defaults": self.ground.defaults,
            "topology": {"kind": "ring", "size": self.ground.size},
            "deploy": True,
        }
        told = self.good("POST", json=body)
        assert told["deployment"], told["plan"]["refusals"]
        kill(self.web)
        self.web = self.ground.installation.web()
        self.key = told["slice"]["id"]
        assert self.status()["progress"]["busy"] == self.ground.size
        self.work()

    def creating(self) -> None:
        """Some machines are there, others are not; then some of those run."""
        self.kill_when(lambda: len(self.ground.there()) > 0, "creating")
        self.kill_when(lambda: self.status()["progress"]["running"] > 0, "starting")
        self.ends("running", self.ground.size, "created")

    def changing(self) -> None:
        """A node more, linked to two that run: they are restarted with a card more."""
        told = self.good("GET")
        document = told["document"]
        document["nodes"].append({"name": "more"})
        document["links"] += [["r1", "more"], ["more", "r3"]]
        self.good("PATCH", json={"document": document, "version": told["version"]})
        plan = self.good("POST", "/plan", json={})
        assert {row["node"]: row["change"] for row in plan["rows"] if row["change"] != "keep"} == {
            "r1": "change", "r3": "change", "more": "add",
        }  # fmt: skip
        self.good("POST", "/deploy", json={"digest": plan["digest"]})
        self.kill_when(lambda: self.begun(), "changing")
        self.ends("running", self.ground.size + 1, "changed")
        assert self.cards("r1") == 3

    def undoing(self) -> None:
        """The node goes, its neighbours lose their cards again."""
        self.good("POST", "/undo")
        self.kill_when(lambda: self.begun(), "undoing")
        self.ends("running", self.ground.size, "undone")
        assert self.cards("r1") == 2

    def tearing(self) -> None:
        """The first machines are gone when the worker dies: the others go all the same, and the folder with the last."""
        self.good("DELETE")
        self.kill_when(lambda: len(self.ground.there()) < self.ground.size, "tearing down")
        assert until(lambda: self.ask("GET").status_code == 404, self.ground.patience, 0.2), self.status()
        assert self.ground.there() == Counter()

    # -- looking -------------------------------------------------------------------------------------------------------
    def begun(self) -> bool:
        """A worker has begun with something."""
        return any(row["stage"] and row["stage"]["status"] == "running" for row in self.status()["nodes"])

    def cards(self, name: str) -> int:
        """How many cards its machine really has."""
        with self.ground.installation.api() as api:
            row = next(row for row in self.status()["nodes"] if row["name"] == name)
            ref = api.get(f"/nodes/{row['id']}").json()["vm_ref"]
        return len(self.ground.driver.get(ref).nics)


def through_all_stages(ground: Ground) -> None:
    """From birth to end, killed at every stage."""
    story = Story(ground)
    story.written()
    story.creating()
    story.changing()
    story.undoing()
    story.tearing()
