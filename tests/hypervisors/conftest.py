"""People and a hypervisor of their own home folder."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from hypervisors import actions
from hypervisors.gateway import forget_gateways


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
