"""One installation on the lab for all tests that need processes; and the cloud alone for those that need none."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hypervisors.drivers.openstack import OpenStackDriver, watch
from hypervisors.drivers.openstack.cloud import OpenStackCloud
from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.settings import SETTINGS
from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import Campus, standing
from tests.lab.openstack.world import World, world

DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
HERE = Path(__file__).parent


#: Files that take long begin first, so that two workers end together.
LONG = ("contract", "faults", "driver", "once", "whole", "story", "curl", "counts", "topology", "instances")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first; in the contract those tests last that share a machine, as the others begin with none."""
    rank = {HERE / f"test_{name}.py": place for place, name in enumerate(LONG)}

    def key(item: pytest.Item) -> tuple[int, bool]:
        shares = item.path.stem == "test_contract" and "vm" in item.fixturenames  # type: ignore[attr-defined]
        return rank.get(item.path, len(LONG)), shares

    items.sort(key=key)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a server looks more often: here it takes a second or two, and there are hundreds of them."""
    monkeypatch.setattr(watch, "PAUSE", 0.3)


@pytest.fixture(scope="session")
def campus(lab: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    """A running Olimpus with the hypervisors `cloud` and `behind`."""
    with standing(lab, tmp_path_factory.mktemp("campus")) as found:
        yield found


@pytest.fixture(scope="module")
def shared(lab: Cloud) -> Iterator[World]:
    """The project of a module."""
    with world(lab) as made:
        yield made


@pytest.fixture
def project(shared: World) -> Iterator[World]:
    """Empty again after each test."""
    yield shared
    shared.empty()


@pytest.fixture
def make(project: World, tmp_path: Path) -> Iterator[Callable[..., OpenStackDriver]]:
    """`make(created_power="on")`: a driver of the test's project."""
    drivers: list[OpenStackDriver] = []

    def one(**settings: Any) -> OpenStackDriver:
        drivers.append(project.driver(tmp_path, **settings))
        return drivers[-1]

    yield one
    for driver in drivers:
        driver.close()


@pytest.fixture
def running(make: Callable[..., OpenStackDriver]) -> OpenStackDriver:
    """A driver whose new machines stay on."""
    return make(created_power="on")


@pytest.fixture
def reach(lab: Cloud, tmp_path: Path) -> Iterator[Callable[..., OpenStackCloud]]:
    """`reach("lab-demo", timeout=5)`: the cloud as one of the lab's accounts sees it."""
    sessions: list[Session] = []

    def make(who: str = "lab", **more: Any) -> OpenStackCloud:
        sessions.append(Session("lab", DEFAULTS | lab.account(who, **more), tmp_path))
        return OpenStackCloud(sessions[-1])

    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def cloud(reach: Callable[..., OpenStackCloud]) -> OpenStackCloud:
    return reach()


@pytest.fixture
def name() -> str:
    """A name of this test alone."""
    return f"cloud-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def server(lab: Cloud, name: str) -> Iterator[str]:
    """A machine without cards, switched on."""
    api = lab.sdk().compute
    flavor, image = api.find_flavor("nano").id, lab.sdk().image.find_image("cirros").id
    made = api.create_server(name=name, flavor_id=flavor, image_id=image, networks="none")
    api.wait_for_server(made, interval=0.5)
    yield made.id
    api.delete_server(made.id)
    api.wait_for_delete(made, interval=0.5)
