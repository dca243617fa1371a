"""All addresses: the portal at `/`, the console at `/admin/`, the API at `/api/`, sign-in pages at `/accounts/`."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy as _
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from accounts.web.views import ConsoleLoginView
from hypervisors.api.watching import MetricsView, OpenStackHealthView
from olimpus.api import not_found
from olimpus.health import health

admin.site.site_header = admin.site.site_title = "Olimpus"
admin.site.index_title = _("Console")
handler400 = "olimpus.api.bad_request"

api = [
    re_path(r"^schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(
        r"^docs/?$", SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="api_docs.html"), name="docs"
    ),
    path("", include("accounts.api.urls")),
    path("", include("hypervisors.api.urls")),
    path("", include("slices.api.urls")),
    path("", include("descriptors.api.urls")),
    re_path(r"^[\s\S]*$", not_found),
]

urlpatterns = [
    re_path(r"^health/?$", health, name="health"),
    re_path(r"^health/openstack/?$", OpenStackHealthView.as_view(), name="health-openstack"),
    re_path(r"^metrics/?$", MetricsView.as_view(), name="metrics"),
    path("api/", include(api)),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}icons/olimpus.svg")),
    path("admin/login/", ConsoleLoginView.as_view()),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password_change")),
    path("admin/", include("descriptors.admin.urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("accounts.web.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("slices.web.urls")),
    path("", include("descriptors.web.urls")),
]
