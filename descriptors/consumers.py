"""The WebSocket door of the live feed: for browsers by their session, for programs by a token at the handshake.

Client → server: `{"subscribe": ["/courses"], "since": 123}` (replaces the paths listened to; `since` null: from now on).
Server → client: `{"events": […], "settled": 120}`, `{"resync": true}` (too much was missed: read the page again),
`{"closed": ["/path"]}` (may no longer be listened to), `{"error": "…"}`. Closed with 4401: not, or no longer, signed in;
with 4403: nothing is left that may be listened to.
"""

from __future__ import annotations

import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from accounts import sockets
from accounts.models import User
from accounts.sockets import NOT_ALLOWED, NOT_SIGNED_IN
from descriptors.access import Access
from descriptors.feed import feed, may_listen
from descriptors.selectors import folder_path

MOST_PATHS, MOST_CHARACTERS = 200, 65536


class FeedConsumer(AsyncWebsocketConsumer):
    """One browser window or program."""

    user: User

    async def connect(self) -> None:
        """Signed-in users only; the socket is accepted first so that the client reads the reason."""
        self.paths: set[str] = set()
        self.user = self.scope["user"]
        await self.accept()
        if not self.user.is_authenticated:
            await self.close(code=NOT_SIGNED_IN)

    async def disconnect(self, code: int) -> None:
        """Nobody listens here any more."""
        feed.leave(self)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Change what is listened to."""
        if not self.user.is_authenticated:
            return
        wanted = _read(text_data)
        if wanted is None:
            await self.send(json.dumps({"error": 'expected {"subscribe": [paths], "since": id or null}'}))
            return
        paths, since = wanted
        access = await feed.access(self.user)
        self.paths = {path for path in paths if may_listen(access, path)}
        if refused := sorted(paths - self.paths):
            await self.send(json.dumps({"closed": refused}))
        if not self.paths:
            feed.leave(self)
            return
        await feed.join(self)
        await self._catch_up(since)

    async def _catch_up(self, since: int | None) -> None:
        """From the cursor that the client has, or from now."""
        if since is None:
            await self.send(json.dumps({"events": [], "settled": await feed.cursor()}))
            return
        missed = await feed.backlog(self, since)
        await self.send(missed or json.dumps({"resync": True, "settled": await feed.cursor()}))

    async def tell(self, text: str) -> None:
        """Called by the feed."""
        await self.send(text)

    async def prove(self) -> None:
        """Called by the feed now and then: a token that is no good any more closes the socket."""
        bearer = self.scope.get("bearer")
        if bearer and await sockets.owner(bearer) is None:
            feed.leave(self)
            await self.close(code=NOT_SIGNED_IN)

    async def recheck(self, access: Access) -> None:
        """Rights may have been taken away: stop telling, and close when nothing is left."""
        lost = sorted(path for path in self.paths if not may_listen(access, path))
        if not lost:
            return
        self.paths -= set(lost)
        await self.send(json.dumps({"closed": lost}))
        if not self.paths:
            await self.close(code=NOT_ALLOWED)


def _read(text: str | None) -> tuple[set[str], int | None] | None:
    """The wish of the client, None when it makes no sense."""
    try:
        data: Any = json.loads(text) if text and len(text) <= MOST_CHARACTERS else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    paths, since = data.get("subscribe"), data.get("since")
    if not isinstance(paths, list) or len(paths) > MOST_PATHS or not all(isinstance(path, str) for path in paths):
        return None
    if since is not None and (not isinstance(since, int) or isinstance(since, bool) or not 0 <= since < 2**63):
        return None
    return {folder_path(path) for path in paths}, since
