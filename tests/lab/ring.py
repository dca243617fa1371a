"""The story of a ring of four, from its plan to its end, by the API or by the command line, on any hypervisor.

A `Door` is the way in, a `Ground` the hypervisor as its own tools tell of it: what is really there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from ruamel.yaml import YAML
from websockets.sync.client import connect

from tests.cli.terminal import Ended, Terminal
from tests.processes.installation import until

PLACE: Final = "/rings"
#: Seconds to wait for a deployment, and for a console to say something.
PATIENCE: Final = 300.0
SAYS: Final = 20.0
Json = dict[str, Any]
#: Range ("" where the hypervisor knows of none) by the cards that are joined in it: (node, address) of each.
Wires = dict[frozenset[tuple[str, str]], str]


class Patient(Terminal):
    """Waits as long as a cloud may take that shares its processors with others."""

    def _ended(self, arguments: tuple[str, ...], typed: str, environment: dict[str, str]) -> Ended:
        process = self.begin(*arguments, env=environment)
        out, err = process.communicate(typed, timeout=PATIENCE)
        return Ended(process.returncode, out, err)


class Ground(ABC):
    """A hypervisor by its name in Olimpus, looked at without Olimpus."""

    hypervisor: str
    defaults: Mapping[str, str]
    #: What a machine's text console says first.
    greeting: str

    @abstractmethod
    def wires(self, refs: Mapping[str, str]) -> Wires:
        """How the machines are really joined; `refs` has the hypervisor's own id of each node."""

    @abstractmethod
    def left(self) -> list[str]:
        """What is still there of all that `wires` has seen."""


@dataclass
class Door(ABC):
    """One way in to the slice `name`."""

    name: str

    @property
    def path(self) -> str:
        """Where the slice is."""
        return f"{PLACE}/{self.name}"

    @abstractmethod
    def make(self, ground: Ground) -> None:
        """The place and in it a ring of four; definitions only."""

    @abstractmethod
    def plan(self) -> Json:
        """What becomes of each node, where, and why."""

    @abstractmethod
    def deploy(self, digest: str) -> None:
        """Exactly this plan, to the end of it."""

    @abstractmethod
    def refused(self, digest: str) -> str:
        """What is said when that plan is deployed, which may not be."""

    @abstractmethod
    def status(self) -> Json | None:
        """How each node is; None: there is no such slice."""

    @abstractmethod
    def refs(self) -> dict[str, str]:
        """The hypervisor's own id of each node's machine."""

    @abstractmethod
    def console(self, node: str) -> str:
        """What the text console of a machine says."""

    @abstractmethod
    def export(self) -> Json:
        """The document."""

    @abstractmethod
    def edit(self, document: Json) -> None:
        """Make this the draft."""

    @abstractmethod
    def undo(self) -> None:
        """Take the last deployment back, to the end of that."""

    @abstractmethod
    def tear_down(self) -> None:
        """Destroy and delete it, to the end of that."""


# -- the story ---------------------------------------------------------------------------------------------------------


def from_a_ring_to_nothing(door: Door, ground: Ground) -> None:
    """Planned with reasons, deployed exactly so, looked at, grown by a node, taken back, torn down."""
    door.make(ground)
    first = door.plan()
    assert changes(first) == dict.fromkeys(("r1", "r2", "r3", "r4"), "add")
    assert [row["node"] for row in first["rows"] if not (row["reason"] and row["flavor_reason"])] == []
    assert {row["hypervisor"] for row in first["rows"]} == {ground.hypervisor}
    door.deploy(first["digest"])
    as_drawn(door, ground, 4)
    assert ground.greeting in door.console("r1")

    grow(door)
    assert door.refused(first["digest"])  # what would be deployed is not what was shown
    second = door.plan()
    assert changes(second) == {"r1": "change", "r2": "keep", "r3": "keep", "r4": "keep", "r5": "add"}
    door.deploy(second["digest"])
    as_drawn(door, ground, 5)

    door.undo()
    as_drawn(door, ground, 4)
    door.tear_down()
    assert door.status() is None
    assert ground.left() == []


def changes(plan: Json) -> dict[str, str]:
    """Node → what becomes of it."""
    assert plan["fits"], plan["refusals"]
    return {row["node"]: row["change"] for row in plan["rows"]}


def grow(door: Door) -> None:
    """A node and a link more, in the document."""
    document = door.export()
    document["nodes"].append({"name": "r5"})
    document["links"].append(["r1", "r5"])
    door.edit(document)


def as_drawn(door: Door, ground: Ground, nodes: int) -> None:
    """So many nodes, all of which run; each has the cards, in the ranges and at the addresses, that were planned."""
    told = door.status()
    assert told is not None
    assert (told["status"], told["health"], told["progress"]["running"]) == ("running", "ok", nodes)
    drawn = {_ends(link): str(link["cidr"]) for link in door.export()["links"]}
    there = ground.wires(door.refs())
    assert {ends: cidr or drawn.get(ends) for ends, cidr in there.items()} == drawn
    for node in told["nodes"]:  # a cloud may go on telling an address for a while after its card has gone
        assert set(node["ips"]) >= {ip for ends in drawn for name, ip in ends if name == node["name"]}


def _ends(link: Json) -> frozenset[tuple[str, str]]:
    return frozenset((end["node"], end["ip"]) for end in link["ends"])


# -- two doors ---------------------------------------------------------------------------------------------------------


@dataclass
class Commands(Door):
    """`olimpus`, as a process."""

    terminal: Terminal
    folder: Path

    def make(self, ground: Ground) -> None:
        self.terminal("mkdir", PLACE, code=None)
        given = [word for name, value in ground.defaults.items() for word in (f"--{name}", value)]
        made = self.terminal("slice", "new", "ring", "4", self.path, "-H", ground.hypervisor, *given)
        assert made.out == f"{self.path}: made, 4 nodes, 4 links.\n"
        assert f"olimpus slice plan {self.path}" in made.err
        assert self.terminal("slice", "status", self.path).table[1][:2] == ["r1", "○ provisioned"]

    def plan(self) -> Json:
        return dict(self._slice("plan", "-o", "json").data)

    def deploy(self, digest: str) -> None:
        assert "succeeded" in self._slice("deploy", "--digest", digest, "--yes", "--follow").out

    def refused(self, digest: str) -> str:
        return self._slice("deploy", "--digest", digest, "--yes", code=7).err

    def status(self) -> Json | None:
        told = self._slice("status", "-o", "json", code=None)
        assert told.code in (0, 6), told
        return None if told.code else dict(told.data)

    def refs(self) -> dict[str, str]:
        names = [row["name"] for row in self._slice("status", "-o", "json").data["nodes"]]
        return {name: self.terminal("show", f"{self.path}/{name}", "-o", "json").data["vm_ref"] for name in names}

    def console(self, node: str) -> str:
        return self.terminal("console", f"{self.path}/{node}", typed="hostname\r").out

    def export(self) -> Json:
        self._slice("export", "-o", str(self._file))
        return dict(YAML(typ="safe").load(self._file))

    def edit(self, document: Json) -> None:
        YAML(typ="safe").dump(document, self._file)
        assert "draft saved" in self._slice("edit", "-f", str(self._file)).out

    def undo(self) -> None:
        self._slice("undo", "--yes", "--wait")

    def tear_down(self) -> None:
        assert "4 succeeded" in self._slice("rm", "--yes", "--wait").out

    @property
    def _file(self) -> Path:
        return self.folder / "ring.yaml"

    def _slice(self, verb: str, *more: str, code: int | None = 0) -> Ended:
        return self.terminal("slice", verb, self.path, *more, code=code)


@dataclass
class Rest(Door):
    """The API, by a client that is signed in with a token."""

    api: httpx.Client
    key: int = field(default=0, init=False)

    def make(self, ground: Ground) -> None:
        self.api.post("folders", json={"path": PLACE})
        body = {"name": self.name, "folder": PLACE, "hypervisor": ground.hypervisor, "defaults": ground.defaults}
        self.key = self._good("POST", json={**body, "topology": {"kind": "ring", "size": 4}})["slice"]["id"]

    def plan(self) -> Json:
        return dict(self._good("POST", "/plan", json={}))

    def deploy(self, digest: str) -> None:
        self._done(self._good("POST", "/deploy", json={"digest": digest}))

    def refused(self, digest: str) -> str:
        answer = self._ask("POST", "/deploy", json={"digest": digest})
        assert answer.status_code == 409, answer.text
        return str(answer.json()["title"])

    def status(self) -> Json | None:
        answer = self._ask("GET", "/status")
        assert answer.status_code in (200, 404), answer.text
        return dict(answer.json()) if answer.is_success else None

    def refs(self) -> dict[str, str]:
        rows = (self.status() or {})["nodes"]
        return {row["name"]: self.api.get(f"nodes/{row['id']}").json()["vm_ref"] for row in rows}

    def console(self, node: str) -> str:
        row = next(row for row in (self.status() or {})["nodes"] if row["name"] == node)
        ticket = self.api.post(f"nodes/{row['id']}/console", json={"kind": "serial"}).raise_for_status().json()
        headers, said = {"Authorization": self.api.headers["Authorization"]}, b""
        with connect(ticket["url"], additional_headers=headers) as socket:
            while not said:
                message = socket.recv(SAYS)
                said = message if isinstance(message, bytes) else b""
        return said.decode()

    def export(self) -> Json:
        answer = self._ask("GET", "/export", params={"format": "own"})
        assert answer.is_success, answer.text
        return dict(answer.json())

    def edit(self, document: Json) -> None:
        self._good("PATCH", json={"document": document, "version": self._good("GET")["version"]})

    def undo(self) -> None:
        self._done(self._good("POST", "/undo"))

    def tear_down(self) -> None:
        self._done(self._good("DELETE"))

    def _done(self, answer: Json) -> None:
        """All that was asked for has ended well."""
        for operation in answer["operations"]:
            address = f"operations/{operation['id']}"
            assert until(lambda address=address: self.api.get(address).json()["finished_at"], PATIENCE, 0.3)
            told = self.api.get(address).json()
            assert told["status"] == "succeeded", (told, self.status())

    def _good(self, method: str, what: str = "", **options: Any) -> Json:
        answer = self._ask(method, what, **options)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def _ask(self, method: str, what: str = "", **options: Any) -> httpx.Response:
        return self.api.request(method, f"slices/{self.key}{what}" if self.key else "slices", **options)
