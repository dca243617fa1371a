"""WebSocket addresses."""

from __future__ import annotations

from django.urls import path

from descriptors.consoles.consumer import ConsoleConsumer
from descriptors.consumers import FeedConsumer

websocket_urlpatterns = [path("ws/feed", FeedConsumer.as_asgi()), path("ws/console", ConsoleConsumer.as_asgi())]
