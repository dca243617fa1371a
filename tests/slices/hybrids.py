"""A slice on two mock hypervisors, the doors to it, and a look at what they are asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from descriptors.models import Descriptor
from descriptors.worker.engine import Engine
from hypervisors.drivers import mock
from olimpus.errors import HypervisorError, VMNotFound
from tests import factories
from tests.slices.conftest import Slices

HYBRID: dict[str, Any] = {
    "name": "hybrid",
    "folder": "/courses",
    "nodes": [
        {"name": "a1"},
        {"name": "a2", "x": 10, "y": 20},
        {"name": "b1", "hypervisor": "far"},
        {"name": "b2", "hypervisor": "far"},
    ],
    "links": [["a1", "a2"], ["a2", "b1"]],
    "networks": [{"name": "lan", "ends": ["a1", "b2"]}],
}
GATEWAYS = ["gw-far", "gw-mock-1"]


class Hybrid(Slices):
    """Slices on mock-1, where /courses is, and on another mock."""

    def __init__(self, world: Any):
        super().__init__(world, world.root)
        self.hypervisors = [world.hypervisor, factories.hypervisor(world.root, "far")]

    def make(self, **changes: Any) -> Any:
        return self.client.post("/api/slices", {**HYBRID, **changes}, format="json")

    def work(self) -> None:
        Engine(name="test").drain([one.pk for one in self.hypervisors])

    def plan(self, key: int, **body: Any) -> Any:
        answer = self.post(key, "plan", body)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def deploy(self, key: int, **body: Any) -> Any:
        plan = self.plan(key, **body)
        answer = self.post(key, "deploy", {"digest": plan["digest"]})
        assert answer.status_code == 202, (answer.content, plan["refusals"])
        self.work()
        return answer.json()

    def hypervisor(self, name: str) -> None:
        """One more."""
        self.hypervisors.append(factories.hypervisor(self.world.root, name))

    def machine(self, key: int, name: str) -> Descriptor:
        return Descriptor.objects.select_related("hypervisor").get(parent=key, name=name)

    def running(self, key: int) -> int:
        return int(self.get(key, "/status")["progress"]["running"])


class Watched:
    """What was asked of the mocks: user data of what was made, addresses that are kept for machines, and in which order.

    Here an address is another one each time that it was let go, as on a hypervisor that many use.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.made: dict[str, str] = {}
        self.kept: dict[str, str] = {}
        self.done: list[tuple[str, str]] = []
        self.tidied: list[tuple[str, list[str]]] = []
        self.given = 0
        names = ("create", "destroy", "outside", "tidy")
        self.real = {name: getattr(mock.MockDriver, name) for name in names}
        for name in names:
            monkeypatch.setattr(mock.MockDriver, name, self.instead(name))

    def instead(self, name: str) -> Any:
        told = getattr(self, name)
        return lambda driver, *asked, **options: told(driver, *asked, **options)

    def create(self, driver: Any, spec: Any) -> Any:
        self.made[spec.name] = str(spec.parameters.get("user_data") or "")
        self.done.append(("create", spec.name))
        return self.real["create"](driver, spec)

    def outside(self, driver: Any, spec: Any) -> str:
        self.real["outside"](driver, spec)
        if spec.uid not in self.kept:
            self.given += 1
            self.kept[spec.uid] = f"203.0.113.{self.given}"
        return self.kept[spec.uid]

    def destroy(self, driver: Any, ref: str, *, spare_held: bool = False) -> None:
        with suppress(VMNotFound):
            vm = driver.get(ref)
            self.done.append(("destroy", vm.name))
            self.let_go(vm.uid, spare_held)
        self.real["destroy"](driver, ref)

    def tidy(self, driver: Any, spec: Any, *, spare_held: bool = False) -> None:
        self.tidied.append((spec.name, [nic.network for nic in spec.nics]))
        self.let_go(spec.uid, spare_held)
        self.real["tidy"](driver, spec)

    def let_go(self, uid: str, spare_held: bool) -> None:
        if not spare_held:
            self.kept.pop(uid, None)

    def peers(self, machine: Descriptor) -> set[str]:
        """The addresses that the machine was told."""
        text = self.made[f"{machine.path.split('/')[-2]}-{machine.name}"]
        return set(re.findall(r"203\.0\.113\.\d+", text))


@contextmanager
def refused(
    monkeypatch: pytest.MonkeyPatch, call: str, hypervisor: str, error: type[HypervisorError], message: str
) -> Iterator[None]:
    """Meanwhile this hypervisor answers this call of its driver with an error."""
    real = getattr(mock.MockDriver, call)

    def instead(driver: Any, *asked: Any, **options: Any) -> Any:
        if driver.hypervisor == hypervisor:
            raise error(message, where=hypervisor)
        return real(driver, *asked, **options)

    with monkeypatch.context() as patch:
        patch.setattr(mock.MockDriver, call, instead)
        yield


@pytest.fixture
def hybrid(world: Any) -> Hybrid:
    assert world.courses
    return Hybrid(world)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)
