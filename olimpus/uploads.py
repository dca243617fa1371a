"""Large requests through daphne: a body stays in the file where Twisted put it until the application asks for the next piece.

By itself daphne would parse forms first, in many times their size of memory, and then hand the whole body on at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import IO, Any, Final

import daphne.http_protocol

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

#: Where the scope of a request carries its body.
BODY: Final = "olimpus.body"
PIECE: Final = 1 << 18


class Request(daphne.http_protocol.WebRequest):
    """A request whose body, when it is large enough to be in a file, goes to the application as that file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parsePOSTFormSubmission = False  # Django does it, piece by piece

    def process(self) -> Any:
        """Called when all has arrived."""
        if not isinstance(self.content, BytesIO):
            self.server = Server(self.server, self.content)
            self.content = BytesIO()
        return super().process()


class Server:
    """Daphne's server, as one request with a large body sees it."""

    def __init__(self, server: Any, body: IO[bytes]):
        self._server = server
        self._body = body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """The application of a request; its scope carries the body."""
        return self._server.create_application(protocol, {**scope, BODY: self._body})


def tame() -> None:
    """Have daphne make such requests from now on. May be repeated."""
    daphne.http_protocol.WebRequest = Request


def piecewise(application: Application) -> Application:
    """The same application, for requests that may carry their body in the scope."""

    async def run(scope: Any, receive: Receive, send: Send) -> None:
        body = scope.get(BODY)
        if body is None:
            return await application(scope, receive, send)
        scope = {name: value for name, value in scope.items() if name != BODY}
        with body:
            return await application(scope, _pieces(body, receive), send)

    return run


def _pieces(body: IO[bytes], receive: Receive) -> Receive:
    """Messages with a piece of the body each; after the last one, those of the server."""
    body.seek(0)
    ended = False

    async def piece() -> Message:
        nonlocal ended
        if ended:
            return await receive()
        chunk = body.read(PIECE)
        ended = len(chunk) < PIECE
        if ended:
            await receive()  # the server's own message of an empty body
        return {"type": "http.request", "body": chunk, "more_body": not ended}

    return piece
