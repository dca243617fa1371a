"""ASGI entry point: HTTP to Django, WebSockets to Channels (signed-in by session or token, same-origin only)."""

from __future__ import annotations

import os
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "olimpus.settings.dev")
http = get_asgi_application()

from accounts.sockets import BearerAuth  # noqa: E402 - models load after Django is set up
from descriptors import routing  # noqa: E402 - the same
from olimpus import uploads  # noqa: E402 - the same
from slices import consumers  # noqa: E402 - the same

uploads.tame()


class SameOrigin(OriginValidator):
    """Refuses browsers on other sites. A client without an Origin is no browser, so no foreign page can be behind it."""

    def valid_origin(self, parsed_origin: Any) -> bool:
        """Whether the socket may be opened."""
        return parsed_origin is None or super().valid_origin(parsed_origin)


async def nowhere(scope: Any, receive: Any, send: Any) -> None:
    """Refuses a socket of which there is none: a wrong address is no fault of ours, to be told in the log."""
    await send({"type": "websocket.close"})


application = ProtocolTypeRouter(
    {
        "http": uploads.piecewise(http),
        "websocket": SameOrigin(
            AuthMiddlewareStack(
                BearerAuth(
                    URLRouter([*routing.websocket_urlpatterns, *consumers.websocket_urlpatterns, re_path("", nowhere)])
                )
            ),
            settings.ALLOWED_HOSTS,
        ),
    }
)
