"""Pages of the console that are no list of Django's, below `/admin/`."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path, re_path, reverse_lazy
from django.views.generic import RedirectView

from descriptors.admin import attention, drifting

app_name = "console"
view = admin.site.admin_view
urlpatterns = [
    path("", view(attention.index), name="attention"),
    path("now/", view(attention.now), name="now"),
    path("recover/", view(attention.recover), name="recover"),
    path("drift/", view(drifting.report), name="drift"),
    # Django's page of one app lists what the menu lists.
    re_path(
        r"^(?:accounts|auth|axes|descriptors|hypervisors)/$", RedirectView.as_view(url=reverse_lazy("admin:index"))
    ),
]
