"""Addresses of slices below `/api/`, each with and without trailing slash."""

from __future__ import annotations

from olimpus.api import Router
from slices.api.views import SliceViewSet

router = Router()
router.include_root_view = False
router.register("slices", SliceViewSet, basename="slice")

urlpatterns = router.urls
