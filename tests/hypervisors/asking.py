"""How tests ask the service API."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response
from rest_framework.test import APIClient

URL = "/api/openstack"


def ask(client: APIClient, method: str, path: str, body: Any = None) -> Response:
    """The answer to `GET flavors` and the like."""
    answer: Response = getattr(client, method)(f"{URL}/{path}", body, format="json")
    return answer
