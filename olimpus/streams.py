"""Answers that are made piece by piece, under ASGI and WSGI alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse


def streamed(request: HttpRequest, pieces: Iterator[str], content_type: str) -> StreamingHttpResponse:
    """Answer with the pieces as they come. Each is made on the request's own thread: the event loop stays free."""
    content: Any = _apart(pieces) if isinstance(request, ASGIRequest) else pieces
    answer = StreamingHttpResponse(content, content_type=content_type)
    answer["X-Accel-Buffering"] = "no"  # a proxy would keep them until the last
    answer["Cache-Control"] = "no-store"
    return answer


async def _apart(pieces: Iterator[str]) -> AsyncIterator[str]:
    fetch = sync_to_async(next)
    while (piece := await fetch(pieces, None)) is not None:
        yield piece
