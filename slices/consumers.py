"""The WebSocket of one open drawing: `/ws/slices/{id}`, for browsers by their session, for programs by a token.

Server → client, when it changes: `{"others": ["ana"], "version": 3, "by": "ana", "at": "…"}`: who else has the slice open
to edit it (you again: in another window), and who saved or deployed it last. Nothing is heard from the client. Closed with
4401: not, or no longer, signed in; with 4403: it is not there, or may no longer be seen; with 4429, after
`{"end": {"code", "message", "hint"}}`: this person has too many open.
"""

from __future__ import annotations

import json

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import path
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import sockets
from accounts.models import User
from accounts.sockets import FULL, NOT_ALLOWED, NOT_SIGNED_IN
from descriptors.access import Access
from descriptors.feed import feed
from descriptors.permissions import can
from olimpus.errors import NotFound
from slices import actions, selectors
from slices.company import MOST_WINDOWS, company
from slices.selectors import Company


class DrawingConsumer(AsyncWebsocketConsumer):
    """One window."""

    user: User
    visit: int | None = None
    told = ""

    async def connect(self) -> None:
        """Accepted first, so that the client reads the reason when nothing comes of it."""
        self.user, self.folder = self.scope["user"], int(self.scope["url_route"]["kwargs"]["pk"])
        self.paths: set[str] = set()  # nothing of the feed but changes of rights
        await self.accept()
        if not self.user.is_authenticated:
            await self.close(code=NOT_SIGNED_IN)
        elif not company.admit(self):
            await self._turn_away()
        elif await self._enter():
            await feed.join(self)
            await company.join(self)

    async def disconnect(self, code: int) -> None:
        """The window is gone."""
        company.leave(self)
        feed.leave(self)
        await self._leave()

    async def meet(self, company: Company) -> None:
        """Who else is there, and what was saved last; told when it is news."""
        others = list(dict.fromkeys(name for visit, name in company.visits.items() if visit != self.visit))
        at = company.at.isoformat() if company.at else None
        text = json.dumps({"others": others, "version": company.version, "by": company.by, "at": at})
        if text != self.told:
            self.told = text
            await self.send(text)

    # -- called by the feed --------------------------------------------------------------------------------------------

    async def tell(self, text: str) -> None:
        """What happens to its machines is told by the page's own feed."""

    async def recheck(self, access: Access) -> None:
        """Rights, or the slice's place, have changed."""
        await self._enter()

    async def prove(self) -> None:
        """Who has signed out has left."""
        if not await sockets.is_still_signed_in(self.scope):
            await self.close(code=NOT_SIGNED_IN)

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _turn_away(self) -> None:
        with translation.override(sockets.language(self.scope)):
            message = _("You have %(n)d drawings open: this window is not told who else edits it.")
            await sockets.end(self, FULL, message % {"n": MOST_WINDOWS}, _("Close one, and load this one again."))

    async def _enter(self) -> bool:
        """Whether the slice may be seen; who may edit it is seen by the others."""
        try:
            edits = await _may_edit(self.user, self.folder)
            if edits and not self.visit:
                self.visit = await _begin(self.user, self.folder)
        except NotFound:
            await self.close(code=NOT_ALLOWED)
            return False
        if not edits:
            await self._leave()
        return True

    async def _leave(self) -> None:
        if self.visit:
            await _leave(self.visit)
            self.visit = None


@database_sync_to_async
def _may_edit(user: User, key: int) -> bool:
    return can(user, "edit", selectors.get(user, key))


@database_sync_to_async
def _begin(user: User, key: int) -> int:
    return actions.enter(selectors.get(user, key), actor=user).pk


@database_sync_to_async
def _leave(visit: int) -> None:
    actions.leave(visit)


websocket_urlpatterns = [path("ws/slices/<int:pk>", DrawingConsumer.as_asgi())]
