"""The OpenAPI document of the accounts API."""

from __future__ import annotations

import pytest


@pytest.fixture
def document(client, db) -> dict:
    """What `/api/schema` says."""
    answer = client.get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert answer.status_code == 200
    return answer.json()


def operation(document: dict, address: str, method: str) -> dict:
    paths = document["paths"]
    return (paths.get(address) or paths[f"{address}/"])[method]


@pytest.mark.parametrize(
    ("address", "method", "codes"),
    [
        ("/api/auth/login", "post", {"200", "400", "401", "429"}),
        ("/api/auth/token", "post", {"200", "400", "429"}),
        ("/api/auth/logout", "post", {"204", "401"}),
        ("/api/auth/tokens", "post", {"201", "400", "409"}),
        ("/api/users/{id}", "patch", {"200", "400", "403", "404", "409"}),
        ("/api/users/{id}", "delete", {"204", "403", "404", "409"}),
        ("/api/journal/export", "get", {"200", "400", "401"}),
    ],
)
def test_each_answer_is_documented(document, address, method, codes):
    assert codes <= set(operation(document, address, method)["responses"])


def test_the_ways_in_are_described(document):
    assert {"apiToken", "jwt", "basic", "cookieAuth"} <= set(document["components"]["securitySchemes"])


def test_secrets_are_never_in_an_answer_but_once(document):
    schemas = document["components"]["schemas"]
    assert "password" not in schemas["User"]["properties"]
    assert "token" not in schemas["Token"]["properties"]
    assert "digest" not in schemas["NewToken"]["properties"]
