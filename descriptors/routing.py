"""WebSocket addresses."""

from __future__ import annotations

from django.urls import path

from descriptors.consumers import FeedConsumer

websocket_urlpatterns = [path("ws/feed", FeedConsumer.as_asgi())]
