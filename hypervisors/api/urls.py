"""Routes of this app, included below `/api/`."""

from __future__ import annotations

from django.urls import re_path

from hypervisors.api.images import HypervisorImageViewSet, TidyViewSet
from hypervisors.api.openstack.base import ID
from hypervisors.api.openstack.urls import urlpatterns as openstack
from hypervisors.api.resources import ResourceStatusView
from hypervisors.api.tunnels import TunnelReconnectView, TunnelStatusView
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

IMAGES = r"^hypervisors/(?P<pk>[0-9]{1,18})/images"
#: An image may be called “tidy”, too.
TIDY = {"post": "tidy", "delete": "destroy"}

urlpatterns = [
    *router.urls,
    re_path(
        f"{IMAGES}/?$", HypervisorImageViewSet.as_view({"get": "list", "post": "create"}), name="hypervisor-images"
    ),
    re_path(f"{IMAGES}/tidy/?$", TidyViewSet.as_view(TIDY), {"id": "tidy"}, name="hypervisor-images-tidy"),
    re_path(f"{IMAGES}/{ID}/?$", HypervisorImageViewSet.as_view({"delete": "destroy"}), name="hypervisor-image"),
    *openstack,
    re_path(r"^ssh-tunnel/status/?$", TunnelStatusView.as_view(), name="ssh-tunnel-status"),
    re_path(r"^resources/status/?$", ResourceStatusView.as_view(), name="resources-status"),
    re_path(r"^ssh-tunnel/reconnect/?$", TunnelReconnectView.as_view(), name="ssh-tunnel-reconnect"),
]
