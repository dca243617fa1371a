"""Addresses of the tree below `/api/`, each with and without trailing slash."""

from __future__ import annotations

from django.urls import include, path, re_path

from descriptors.api.definitions import ApplyView, ParametersView
from descriptors.api.doing import DoManyView, StatesView, VerbsView
from descriptors.api.hypervisors import HypervisorTreeViewSet
from descriptors.api.nodes import DescriptorViewSet, FolderViewSet
from descriptors.api.openstack import InstanceViewSet, SliceViewSet
from descriptors.api.operations import OperationViewSet
from descriptors.api.views import NodeViewSet, RootView
from olimpus.api import Router

BOTH, ONE = {"get": "list", "post": "create"}, {"get": "retrieve", "delete": "destroy"}

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
    re_path(r"^openstack/instances/?$", InstanceViewSet.as_view(BOTH), name="openstack-instances"),
    re_path(r"^openstack/instances/(?P<id>[^/]{1,255})/?$", InstanceViewSet.as_view(ONE), name="openstack-instance"),
    re_path(r"^openstack/deploy-slice/?$", SliceViewSet.as_view({"post": "create"}), name="openstack-deploy-slice"),
    path("", include(router.urls)),
]
