"""Bodies that stay in a file until the application asks for the next piece."""

from __future__ import annotations

import io
from typing import Any

import pytest

from olimpus.uploads import BODY, PIECE, piecewise


async def played(content: bytes | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What the application hears until the browser goes, and its scope."""
    heard: list[dict[str, Any]] = []
    seen: dict[str, Any] = {}
    server = [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        while not heard or heard[-1]["type"] != "http.disconnect":
            heard.append(await receive())

    async def receive() -> Any:
        return server.pop(0)

    scope = {"type": "http"} | ({BODY: io.BytesIO(content)} if content is not None else {})
    await piecewise(application)(scope, receive, None)
    assert server == []
    assert content is None or scope[BODY].closed
    return heard[:-1], seen


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7])
async def test_all_of_a_body_arrives_in_small_pieces(size):
    content = bytes(index % 251 for index in range(1000)) * (size // 1000 + 1)
    heard, seen = await played(content[:size])
    assert b"".join(message["body"] for message in heard) == content[:size]
    assert [message["more_body"] for message in heard] == [True] * (len(heard) - 1) + [False]
    assert all(len(message["body"]) <= PIECE for message in heard)
    assert BODY not in seen


async def test_other_requests_are_left_alone():
    heard, seen = await played(None)
    assert (heard, seen) == ([{"type": "http.request", "body": b"", "more_body": False}], {"type": "http"})
