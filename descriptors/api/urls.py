"""Addresses of the tree below `/api/`, each with and without trailing slash."""

from __future__ import annotations

from django.urls import include, path, re_path

from descriptors.api.definitions import ApplyView, ParametersView
from descriptors.api.doing import DoManyView, StatesView, VerbsView
from descriptors.api.hypervisors import HypervisorTreeViewSet
from descriptors.api.nodes import DescriptorViewSet, FolderViewSet
from descriptors.api.operations import OperationViewSet
from descriptors.api.views import NodeViewSet, RootView
from olimpus.api import Router

router = Router()
router.include_root_view = False
router.register("nodes", NodeViewSet, basename="node")
router.register("folders", FolderViewSet, basename="folder")
router.register("descriptors", DescriptorViewSet, basename="descriptor")
router.register("operations", OperationViewSet, basename="operation")
router.register("hypervisors", HypervisorTreeViewSet, basename="hypervisor-tree")

urlpatterns = [
    re_path(r"^$", RootView.as_view(), name="api-root"),
    re_path(r"^apply/?$", ApplyView.as_view(), name="apply"),
    re_path(r"^do/(?P<verb>[a-z_]{1,32})/?$", DoManyView.as_view({"post": "create"}), name="do-many"),
    re_path(r"^parameters/?$", ParametersView.as_view(), name="parameters"),
    re_path(r"^verbs/?$", VerbsView.as_view(), name="verbs"),
    re_path(r"^states/?$", StatesView.as_view(), name="states"),
    path("", include(router.urls)),
]
