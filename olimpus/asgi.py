"""ASGI entry point: HTTP to Django, WebSockets to Channels (signed-in, same-origin only)."""

from __future__ import annotations

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "olimpus.settings.dev")
http = get_asgi_application()

from descriptors.routing import websocket_urlpatterns  # noqa: E402 - models load after Django is set up

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
