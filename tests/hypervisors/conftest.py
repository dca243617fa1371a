"""People and a hypervisor of their own home folder."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from descriptors.models import Descriptor
from hypervisors import actions, clouds, inventory
from hypervisors.drivers.mock import MockDriver
from hypervisors.gateway import Gateway, forget_gateways
from hypervisors.models import Hypervisor
from tests import factories
from tests.hypervisors.recorded import SERVER, Recorded, Silent


@pytest.fixture(autouse=True)
def own_home(settings, tmp_path):
    settings.OLIMPUS_HOME = tmp_path
    yield tmp_path
    forget_gateways()


@pytest.fixture
def root(db) -> User:
    return User.objects.create_superuser("root", "root@example.org", "pw-of-the-root")


@pytest.fixture
def teacher(db) -> User:
    return User.objects.create_user("teacher", kind="manager")


@pytest.fixture
def hypervisor(root):
    settings = {"latency": 0, "api_token": "s3cr3t-token"}
    return actions.create({"name": "rack-1", "driver": "mock", "settings": settings}, actor=root)


@pytest.fixture
def api(root) -> APIClient:
    client = APIClient()
    client.force_authenticate(root)
    return client


@pytest.fixture
def teacher_api(teacher) -> APIClient:
    client = APIClient()
    client.force_authenticate(teacher)
    return client


@pytest.fixture
def cloud(db) -> Hypervisor:
    """The record of an OpenStack."""
    return Hypervisor.objects.create(name="campus", driver="openstack")


@pytest.fixture
def in_charge(cloud, root, teacher, teacher_api) -> APIClient:
    """The teacher, who manages the cloud."""
    actions.update(cloud, {"managers": ["teacher"]}, actor=root)
    return teacher_api


@pytest.fixture
def machine(cloud, root) -> Descriptor:
    """A machine of the tree that has the recorded volume; the teacher does not manage it."""
    factories.folder("/sam", root)
    made = factories.machine("/sam/web", root)
    Descriptor.objects.filter(pk=made.pk).update(hypervisor=cloud, vm_ref=SERVER)
    return made


@pytest.fixture
def listen(monkeypatch, own_home):
    """`listen(answers)`: whoever asks a cloud is answered by this, through a real gateway."""

    def put(answers):
        driver = MockDriver("campus", {}, own_home)
        driver.cloud = answers
        gateway = Gateway(driver, 8)
        for module in (inventory, clouds):
            monkeypatch.setattr(module, "gateway_for", lambda _record: gateway)
        return answers

    return put


@pytest.fixture
def spoken(listen) -> Recorded:
    """The cloud says what was recorded."""
    return listen(Recorded())


@pytest.fixture
def speak(listen):
    """`speak()`: from now on it does."""
    return lambda: listen(Recorded())


@pytest.fixture
def silent(listen):
    """`silent(error)`: from now on the cloud fails with this."""
    return lambda error: listen(Silent(error))
