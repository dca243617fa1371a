"""Signed-in browsers without a browser: Django's client."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User

Browser = Callable[[User], Client]


@pytest.fixture
def browser() -> Browser:
    """`browser(user)` is a client signed in as this person, who reads English."""

    def made(user: User, language: str = "en") -> Client:
        client = Client(headers={"Accept-Language": language})
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return made
