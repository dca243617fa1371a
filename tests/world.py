"""A small named world: one course on one mock hypervisor, its manager, two students with two machines each.

    /courses            hypervisor mock-1, image, size; mia is its manager
      /TEL141
        /sam  web db    sam's, he is a simple user of the folder
        /ana  web db    ana's
    /lab                nobody's but the superuser's
      probe

Everything is made by the real actions when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from descriptors import actions
from descriptors.models import Descriptor, Node, Operation
from descriptors.worker.engine import Engine
from hypervisors.gateway import forget_gateways
from hypervisors.models import Hypervisor
from tests import factories

NETWORKS = {"lan": {"cidr": "10.0.0.0/24"}}
COURSE = {"hypervisor": "mock-1", "image": "debian-12", "flavor": "small", "networks": NETWORKS}


@dataclass(frozen=True)
class Student:
    """A student: an account, a folder, two machines."""

    user: User
    folder: Node
    web: Descriptor
    db: Descriptor


class World:
    """Lazy properties over the factories; `world.sam.web` makes all that it needs."""

    def __init__(self, home: Path):
        #: Where the mock hypervisor keeps its VMs.
        self.home = home

    @cached_property
    def root(self) -> User:
        """The superuser."""
        return factories.superuser()

    @cached_property
    def mia(self) -> User:
        """The manager of /courses."""
        made = factories.user("mia", kind="manager")
        actions.grant(self.courses, "manager", user=made, actor=self.root)
        return made

    @cached_property
    def stranger(self) -> User:
        """Somebody without any grant."""
        return factories.user("stranger")

    @cached_property
    def hypervisor(self) -> Hypervisor:
        """mock-1, without latency."""
        return factories.hypervisor(self.root)

    @cached_property
    def courses(self) -> Node:
        """/courses, which says everything a machine needs."""
        return factories.folder("/courses", self.root, {**COURSE, "hypervisor": self.hypervisor.name})

    @cached_property
    def tel141(self) -> Node:
        """/courses/TEL141."""
        return factories.folder(f"{self.courses.path}/TEL141", self.root, {"labels": {"course": "TEL141"}})

    @cached_property
    def sam(self) -> Student:
        """A student."""
        return self._student("sam")

    @cached_property
    def ana(self) -> Student:
        """Another student."""
        return self._student("ana")

    @cached_property
    def lab(self) -> Node:
        """/lab, outside of every grant."""
        return factories.folder("/lab", self.root, {"hypervisor": self.hypervisor.name, "image": "debian-12"})

    @cached_property
    def probe(self) -> Descriptor:
        """/lab/probe."""
        return factories.machine(f"{self.lab.path}/probe", self.root)

    def _student(self, name: str) -> Student:
        folder = factories.folder(f"{self.tel141.path}/{name}", self.root, {"student": name})
        account = factories.user(name)
        actions.grant(folder, "user", user=account, actor=self.root)
        web = factories.machine(f"{folder.path}/web", self.root, {"nics": [{"network": "lan"}]})
        return Student(account, folder, web, factories.machine(f"{folder.path}/db", self.root))

    def api(self, who: User) -> APIClient:
        """An API client signed in as this person."""
        return factories.client(who)

    def perform(self) -> int:
        """Do what is due on the hypervisor, as a worker would; returns how many operations ended."""
        return Engine(name="test").drain([self.hypervisor.pk])

    def do(self, verb: str, *machines: Node, **arguments: Any) -> Operation:
        """Ask for a verb on each as the superuser and let it be done; returns the last operation."""
        for node in machines:
            operation = actions.request(verb, node, actor=self.root, arguments=arguments)
        self.perform()
        for node in machines:
            node.refresh_from_db()
        operation.refresh_from_db()
        return operation


@pytest.fixture
def world(db: Any, settings: Any, tmp_path: Path) -> Iterator[World]:
    """An empty world; the mock hypervisor keeps its VMs in a folder of this test."""
    settings.OLIMPUS_HOME = tmp_path
    yield World(tmp_path)
    forget_gateways()
