"""Descriptors on the lab's cloud go through every verb from each door: API, command line, portal, console; also by a bastion.

Real processes all along: the web process, the worker, `olimpus`. What each verb has really done is asked of Nova, by bare
openstacksdk. The machines walk at the same time, each led by its own door.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from descriptors.verbs import VERBS
from tests.cli.terminal import Terminal
from tests.lab import document as anywhere
from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import Campus
from tests.processes.installation import PASSWORD, until

HERE = "/story"
PATIENCE = 600.0
NAMED = {"name": "before"}
#: Verb, its arguments, the state in which it leaves the machine, what Nova says then.
WALK: tuple[tuple[str, dict[str, str], str, str], ...] = (
    ("create", {}, "created", "SHUTOFF"),
    ("start", {}, "running", "ACTIVE"),
    ("pause", {}, "paused", "PAUSED"),
    ("resume", {}, "running", "ACTIVE"),
    ("restart", {}, "running", "ACTIVE"),
    ("snapshot", NAMED, "running", "ACTIVE"),
    ("stop", {}, "stopped", "SHUTOFF"),
    ("revert", NAMED, "stopped", "SHUTOFF"),
    ("delete_snapshot", NAMED, "stopped", "SHUTOFF"),
    ("reapply", {}, "stopped", "SHUTOFF"),
    ("publish", {"name": "gold", "folder": HERE}, "stopped", "SHUTOFF"),
    ("start", {}, "running", "ACTIVE"),
    ("force_off", {}, "stopped", "SHUTOFF"),
    ("destroy", {}, "provisioned", ""),
)


@dataclass
class Door(ABC):
    """One way in. `press` asks for a verb as a person does there; it need not wait for the end."""

    campus: Campus
    place: Path
    name: str
    hypervisor: str = "cloud"
    uid: str = ""
    verbs: list[str] = field(default_factory=list)

    @abstractmethod
    def press(self, verb: str, node: dict[str, Any], arguments: dict[str, str]) -> None:
        """Ask for the verb; an AssertionError when it is refused."""

    @property
    def path(self) -> str:
        """The machine that is led through this door."""
        return f"{HERE}/{self.name}"


class Rest(Door):
    """The API."""

    def press(self, verb: str, node: dict[str, Any], arguments: dict[str, str]) -> None:
        with self.campus.api() as api:
            answer = api.post(f"/nodes/{node['id']}/do/{verb}", json=arguments)
            assert answer.status_code == 202, answer.text


class Commands(Door):
    """`olimpus`, as a process."""

    def press(self, verb: str, node: dict[str, Any], arguments: dict[str, str]) -> None:
        home = self.place / "olimpus"
        home.mkdir(exist_ok=True)
        terminal = Terminal(home, self.campus.installation.address)
        terminal.cold = True
        if not self.verbs:
            words = ("login", self.campus.installation.address, "--user", "admin", "--password-stdin")
            terminal(*words, typed=f"{PASSWORD}\n")
        given = [part for name, value in arguments.items() for part in (f"--{name}", value)]
        terminal(verb.replace("_", "-"), node["path"], "--yes", *given)


class Pages(Door):
    """Forms of a browser; the ones of the portal."""

    def press(self, verb: str, node: dict[str, Any], arguments: dict[str, str]) -> None:
        with self.signed_in() as browser:
            answer = browser.post(f"/-/nodes/{node['id']}/do/{verb}", data=self.form(browser, arguments))
            assert answer.status_code == 302, answer.text

    def signed_in(self) -> httpx.Client:
        """A browser in which the admin is signed in."""
        cookies = dict(one.split("=", 1) for one in self.campus.installation.sign_in().split("; "))
        return httpx.Client(base_url=self.campus.installation.address, cookies=cookies, timeout=60)

    @staticmethod
    def form(browser: httpx.Client, fields: dict[str, str]) -> dict[str, str]:
        """What a form of ours sends."""
        return fields | {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}


class Console(Pages):
    """Actions on the list of the console, confirmed where it asks."""

    def press(self, verb: str, node: dict[str, Any], arguments: dict[str, str]) -> None:
        chosen = {"action": f"do_{verb}", "_selected_action": str(node["id"]), "confirmed": "1"}
        with self.signed_in() as browser:
            fields = self.form(browser, chosen | arguments)
            answer = browser.post(f"/admin/descriptors/node/?q={self.name}", data=fields)
            assert answer.status_code == 302, answer.text


@pytest.fixture
def doors(campus: Campus, lab: Cloud, tmp_path: Path) -> Iterator[list[Door]]:
    """A machine for each door, two of them behind the bastion; nothing is created yet. Their images go at the end."""
    found: list[Door] = [
        Rest(campus, tmp_path, "api"),
        Commands(campus, tmp_path, "cli", "behind"),
        Pages(campus, tmp_path, "portal", "behind"),
        Console(campus, tmp_path, "console"),
    ]
    common = {"image": "cirros", "flavor": "nano", "nics": [{"network": campus.network}]}
    machines = {door.name: {"hypervisor": door.hypervisor} for door in found}
    with campus.api() as api:
        answer = api.post("/apply", json={"path": HERE, "common": common, "descriptors": machines})
        assert answer.status_code in (200, 201), answer.text
    uids = campus.installation.run("say({one.path: str(one.uid) for one in Descriptor.objects.all()})")
    for door in found:
        door.uid = uids[door.path]
    yield found
    for image in lab.sdk().image.images():
        if image.name in {named(door, "gold") for door in found}:
            lab.sdk().image.delete_image(image)


def look(door: Door) -> dict[str, Any]:
    """The machine now, as the API tells it."""
    with door.campus.api() as api:
        found: dict[str, Any] = api.get("/nodes/by-path", params={"path": door.path}).json()
        return found


def settle(door: Door) -> dict[str, Any]:
    """The machine, once nothing goes on."""
    assert until(lambda: not look(door)["operation"], PATIENCE, 1.0), look(door)
    return look(door)


def status(lab: Cloud, uid: str) -> str:
    """What Nova says of the one server with our tag; "" when there is none."""
    query = f"/servers/detail?all_tenants=1&tags=olimpus-{uid}"
    rows = lab.sdk().compute.get(query, microversion="2.52").json()["servers"]
    assert len(rows) <= 1, rows
    return str(rows[0]["status"]) if rows else ""


def press(door: Door, verb: str, arguments: dict[str, str]) -> dict[str, Any]:
    """The verb to its end; returns the machine."""
    door.press(verb, look(door), arguments)
    door.verbs.append(verb)
    return settle(door)


def named(door: Door, what: str) -> str:
    """A name that no other door and no other run uses."""
    return f"{what}-{door.name}-{door.uid[:8]}"


def walk(door: Door, lab: Cloud) -> None:
    """Every verb, and after each what Nova says of it."""
    for verb, arguments, state, wanted in WALK:
        node = press(door, verb, {**arguments, "name": named(door, arguments["name"])} if arguments else {})
        assert (verb, node["state"], node.get("reason", "")) == (verb, state, "")
        assert (verb, status(lab, door.uid)) == (verb, wanted)
    behind_our_back(door, lab)


def behind_our_back(door: Door, lab: Cloud) -> None:
    """A server that somebody has deleted: the next verb says so, and recovering begins anew."""
    lab.sdk().compute.delete_server(press(door, "create", {})["vm_ref"])
    assert until(lambda: not status(lab, door.uid), 30, 1.0)
    node = press(door, "start", {})
    assert (node["state"], bool(node["reason"])) == ("failed", True)
    assert press(door, "recover", {})["state"] == "provisioned"


def failed(campus: Campus) -> set[tuple[str, str, str]]:
    """The operations on machines that did not end well: path, verb, id of the error."""
    code = "say([[one.path, one.verb, (one.error or {}).get('id')] for one in Operation.objects.exclude(open_for=None, "
    code += "status='succeeded').filter(total=0)])"
    return {(path, verb, error) for path, verb, error in campus.installation.run(code)}


def published(doors: list[Door], lab: Cloud) -> set[str]:
    """The images that came of the walks, each with its prototype in the folder."""
    with doors[0].campus.api() as api:
        node = api.get("/nodes/by-path", params={"path": HERE}).json()
        definition = api.get(f"/nodes/{node['id']}/definition").json()["local"]
    return {image.name for image in lab.sdk().image.images()} & definition["prototypes"].keys()


def test_every_verb_by_every_door(doors: list[Door], lab: Cloud) -> None:
    with ThreadPoolExecutor(len(doors)) as pool:
        for ended in [pool.submit(walk, door, lab) for door in doors]:
            ended.result()
    for door in doors:
        assert set(door.verbs) == set(VERBS), door.name
    assert failed(doors[0].campus) == {(door.path, "start", "hypervisor:vm-not-found") for door in doors}
    assert published(doors, lab) == {named(door, "gold") for door in doors}
    behind = [door for door in doors if door.hypervisor == "behind"]
    assert behind[0].campus.bastion.log().count("Accepted publickey") >= 1


def test_the_document_of_all_hypervisors(campus: Campus) -> None:
    """The one that the mock and the Linux lab get: what it calls debian-12 is cirros here."""
    with campus.api() as api:
        anywhere.call(api, "cloud", images={"debian-12": "cirros"})
        anywhere.lay_out(api)
        made = anywhere.deploys_on(api, "cloud")
    assert [machine["state"] for machine in made] == ["created", "created"]
