"""A slice on the mock, and the doors to it."""

from __future__ import annotations

from typing import Any

import pytest

from descriptors.models import Node
from tests.worker.conftest import effects as effects
from tests.worker.conftest import sent as sent
from tests.worker.conftest import tune as tune

RING: dict[str, Any] = {
    "name": "ring",
    "folder": "/courses",
    "defaults": {"image": "debian-12"},
    "topology": {"kind": "ring", "size": 4},
}


class Slices:
    """Slices by their API, as somebody."""

    def __init__(self, world: Any, who: Any):
        self.world, self.who, self.client = world, who, world.api(who)

    def make(self, **changes: Any) -> Any:
        """The answer to POST /api/slices, of a ring of four."""
        return self.client.post("/api/slices", {**RING, **changes}, format="json")

    def made(self, **changes: Any) -> int:
        """The id of a new slice."""
        answer = self.make(**changes)
        assert answer.status_code == 201, answer.content
        return int(answer.json()["slice"]["id"])

    def get(self, key: int, what: str = "", **query: Any) -> Any:
        answer = self.client.get(f"/api/slices/{key}{what}", query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def post(self, key: int, what: str, body: Any = None) -> Any:
        return self.client.post(f"/api/slices/{key}/{what}", body or {}, format="json")

    def patch(self, key: int, **body: Any) -> Any:
        return self.client.patch(f"/api/slices/{key}", body, format="json")

    def delete(self, key: int) -> Any:
        return self.client.delete(f"/api/slices/{key}")

    def deploy(self, key: int, **body: Any) -> Any:
        """Plan, deploy exactly that, and let the workers do it."""
        plan = self.post(key, "plan", body).json()
        answer = self.post(key, "deploy", {"digest": plan["digest"]})
        assert answer.status_code == 202, (answer.content, plan["refusals"])
        self.world.perform()
        return answer.json()

    def draw(self, key: int, **changes: Any) -> Any:
        """Save a draft that differs from the tree in this."""
        told = self.get(key)
        return self.patch(key, document={**told["document"], **changes}, version=told["version"])


@pytest.fixture
def slices(world):
    """As the superuser, with /courses there."""
    assert world.courses
    return Slices(world, world.root)


def names(folder: int) -> list[str]:
    """The nodes in the tree."""
    return list(Node.objects.filter(parent=folder).order_by("lft").values_list("name", flat=True))
