"""Routes of this app, included below `/api/`."""

from __future__ import annotations

from hypervisors.api.views import DriverViewSet, HypervisorViewSet
from olimpus.api import Router

routes = [
    ("hypervisors", HypervisorViewSet, "hypervisor"),
    ("drivers", DriverViewSet, "driver"),
]

router = Router()
router.include_root_view = False
for prefix, viewset, basename in routes:
    router.register(prefix, viewset, basename=basename)

urlpatterns = router.urls
