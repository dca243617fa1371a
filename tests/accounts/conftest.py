"""A few people."""

from __future__ import annotations

import base64
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.test import Client

from accounts.api.authentication import BasicAuthentication
from accounts.models import User

PASSWORD = "correct horse battery"
WRONG = "wrong horse"


@pytest.fixture(autouse=True)
def _forget_passwords():
    BasicAuthentication.memory._until.clear()


@pytest.fixture
def people(db) -> SimpleNamespace:
    """A superuser, a manager and a simple user, all with the same password."""
    return SimpleNamespace(
        root=User.objects.create_superuser("root", "root@example.org", PASSWORD),
        manager=User.objects.create_user("mia", "mia@example.org", PASSWORD, kind="manager"),
        simple=User.objects.create_user("sam", "sam@example.org", PASSWORD, first_name="Sam"),
    )


@pytest.fixture
def api(people) -> Callable[..., Client]:
    """`api(user)`: a client with a session of this user; `api(token=…)`, `api(basic=(name, password))`."""

    def client(user: User | None = None, *, token: str = "", basic: tuple[str, str] | None = None) -> Client:
        headers = {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if basic:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
        made = Client(headers=headers)
        if user:
            made.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return made

    return client


@pytest.fixture
def login(client) -> Callable[..., dict]:
    """`login(name)`: the answer of auth/login."""

    def sign_in(name: str, password: str = PASSWORD) -> dict:
        answer = client.post("/api/auth/login", {"username": name, "password": password}, "application/json")
        assert answer.status_code == 200, answer.content
        return answer.json()

    return sign_in
