"""What all tests of the lab share: the running OpenStack, a bastion and a head node, and the proof that nothing is left.

Without the lab they fail, with a sentence that says what to do; they are never skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hypervisors import actions
from hypervisors.drivers.base import Driver
from hypervisors.gateway import forget_gateways
from hypervisors.models import Hypervisor
from hypervisors.registry import driver_class
from tests import factories
from tests.lab.cloud import Cloud
from tests.lab.sshd import Sshd

#: On a cloud that others use meanwhile, only what is named so is looked for after the tests.
SHARED = os.environ.get("OPENSTACK_LAB_PREFIX", "")
BEFORE = pytest.StashKey[dict[tuple[str, str], str]]()


@pytest.fixture(scope="session")
def lab() -> Cloud:
    """The running lab."""
    return Cloud.running()


def pytest_configure(config: pytest.Config) -> None:
    """What openstacksdk says of its own insides is not ours to mend."""
    config.addinivalue_line("filterwarnings", r"ignore:::openstack\..*")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember what is in the cloud before the first test; in one place, however many workers pytest has."""
    quiet = hasattr(session.config, "workerinput") or session.config.option.collectonly
    if not quiet and Cloud.answers():
        session.config.stash[BEFORE] = Cloud.running().inventory()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Whatever the tests have made in the cloud is gone when they end, or they have failed."""
    before = session.config.stash.get(BEFORE, None)
    if before is None or not Cloud.answers():  # nobody's, or stopped meanwhile by whoever runs it
        return
    if left := Cloud.running().left(before, SHARED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        told = session.config.get_terminal_writer()
        told.line()
        told.line(f"left behind in the cloud: {', '.join(left)}", red=True)


@pytest.fixture
def settings_of(lab: Cloud) -> Callable[..., dict[str, Any]]:
    """`settings_of(created_power="on")`: the driver's settings for the admin account (`who="lab-demo"`: for demo)."""
    return lambda who="lab", **more: lab.account(who, **more)


@pytest.fixture
def driver(lab: Cloud, tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """`driver(created_power="on", **bastion.settings())`: a driver of the lab's cloud; closed when the test ends."""
    made: list[Driver] = []

    def make(who: str = "lab", **more: Any) -> Driver:
        made.append(driver_class("openstack")("lab", lab.account(who, **more), tmp_path))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def record(db: None, settings: Any, tmp_path: Path, lab: Cloud) -> Iterator[Callable[..., Hypervisor]]:
    """`record("campus", created_power="on")`: a hypervisor of the lab's cloud, made as a superuser makes one."""
    settings.OLIMPUS_HOME = tmp_path
    people: list[Any] = []

    def make(name: str = "lab", who: str = "lab", **more: Any) -> Hypervisor:
        if not people:
            people.append(factories.superuser())
        fields = {"name": name, "driver": "openstack", "settings": lab.account(who, **more)}
        return actions.create(fields, actor=people[0])

    yield make
    forget_gateways()


@pytest.fixture
def bastion(tmp_path: Path) -> Iterator[Sshd]:
    """A jump host."""
    server = Sshd(tmp_path / "bastion")
    yield server
    server.close()


@pytest.fixture
def headnode(tmp_path: Path) -> Iterator[Sshd]:
    """What is reached through the jump host: another key, another host key."""
    server = Sshd(tmp_path / "headnode")
    yield server
    server.close()
