"""Pages of the console that are no list of Django's, below `/admin/`."""

from __future__ import annotations

app_name = "console"
urlpatterns: list = []
