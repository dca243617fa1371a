"""The way of tokens into WebSockets: `Authorization: Bearer <API token or JWT>` at the handshake, beside the session."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import translation
from rest_framework_simplejwt.exceptions import TokenError

from accounts import tokens
from accounts.api.authentication import note_use
from accounts.models import ApiToken, User

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[Any]]

#: Codes with which sockets are closed: not, or no longer, signed in; not, or no longer, allowed; too many are open.
NOT_SIGNED_IN, NOT_ALLOWED, FULL = 4401, 4403, 4429


class BearerAuth:
    """Puts the owner of a token into the scope, and the token as `bearer`; nobody when the token is no good.

    Without such a header the scope stays as it is: whoever the session says.
    """

    def __init__(self, inner: Application):
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> Any:
        """Go on to the consumer."""
        if text := _bearer_of(scope):
            scope = {**scope, "user": await owner(text, used=True) or AnonymousUser(), "bearer": text}
        return await self.inner(scope, receive, send)


def _bearer_of(scope: Scope) -> str:
    header = dict(scope.get("headers", ())).get(b"authorization", b"").decode("latin-1")
    scheme, _space, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() in ("bearer", "token") else ""


async def is_still_signed_in(scope: Scope) -> bool:
    """Whether who opened this socket may still use the token or the session that it was opened with."""
    if bearer := scope.get("bearer"):
        return await owner(bearer) is not None
    # Read anew: the session of the handshake remembers what it was then.
    store = import_module(settings.SESSION_ENGINE).SessionStore
    fresh = {"session": store(scope["session"].session_key)}
    return (await get_user(fresh)).is_authenticated


def language(scope: Scope) -> str:
    """The language of who opened this socket: as of a page that this browser asks for."""
    accepted = dict(scope.get("headers", ())).get(b"accept-language", b"").decode("latin-1")
    asking = SimpleNamespace(COOKIES=scope.get("cookies", {}), META={"HTTP_ACCEPT_LANGUAGE": accepted})
    return translation.get_language_from_request(asking)  # type: ignore[arg-type]


async def end(socket: AsyncWebsocketConsumer, code: int, message: str, hint: str = "") -> None:
    """Say why in words, and close."""
    await socket.send(json.dumps({"end": {"code": code, "message": message, "hint": hint}}))
    await socket.close(code=code)


@database_sync_to_async
def owner(text: str, *, used: bool = False) -> User | None:
    """Whose token this is; None when it is unknown, expired or revoked, or the account is closed. One query.

    `used`: note on a personal token that it was used now.
    """
    if not text.startswith(ApiToken.PREFIX):
        try:
            return tokens.verify(text)[0]
        except TokenError:
            return None
    token = ApiToken.objects.of(text).usable().select_related("user").first()
    if token is None:
        return None
    if used:
        note_use(token)
    return token.user
