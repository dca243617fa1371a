"""Addresses below `/api/openstack/`, each with and without trailing slash."""

from __future__ import annotations

from typing import Any

from django.urls import re_path

from hypervisors.api.openstack.advice import AdviceViewSet
from hypervisors.api.openstack.base import ID
from hypervisors.api.openstack.catalogue import FlavorViewSet, KeypairViewSet, ZoneViewSet
from hypervisors.api.openstack.images import ImageViewSet
from hypervisors.api.openstack.networks import NetworkViewSet, RouterViewSet, SubnetViewSet
from hypervisors.api.openstack.projects import ProjectViewSet, QuotaViewSet
from hypervisors.api.openstack.volumes import VolumeSnapshotViewSet, VolumeViewSet

LIST, BOTH = {"get": "list"}, {"get": "list", "post": "create"}
ONE = {"delete": "destroy"}
#: Address, views, method → action.
ROUTES: list[tuple[str, Any, dict[str, str]]] = [
    ("flavors", FlavorViewSet, BOTH),
    ("flavors/recommend", AdviceViewSet, {"post": "recommend"}),
    (f"flavors/{ID}", FlavorViewSet, ONE),
    ("availability-zones", ZoneViewSet, LIST),
    ("availability-zones/suggest", AdviceViewSet, {"post": "suggest"}),
    ("images", ImageViewSet, BOTH),
    (f"images/{ID}", ImageViewSet, ONE),
    ("keypairs", KeypairViewSet, LIST),
    ("networks", NetworkViewSet, BOTH),
    (f"networks/{ID}", NetworkViewSet, ONE),
    ("subnets", SubnetViewSet, BOTH),
    (f"subnets/{ID}", SubnetViewSet, ONE),
    ("routers", RouterViewSet, BOTH),
    (f"routers/{ID}", RouterViewSet, ONE),
    ("volumes", VolumeViewSet, BOTH),
    (f"volumes/{ID}", VolumeViewSet, ONE),
    *((f"volumes/{ID}/{verb}", VolumeViewSet, {"post": verb}) for verb in ("attach", "detach", "extend", "snapshot")),
    ("volume-snapshots", VolumeSnapshotViewSet, LIST),
    (f"volume-snapshots/{ID}", VolumeSnapshotViewSet, ONE),
    ("projects", ProjectViewSet, BOTH),
    (f"projects/{ID}", ProjectViewSet, ONE),
    (f"quotas/{ID}", QuotaViewSet, {"get": "retrieve", "patch": "partial_update"}),
]


def _name(address: str) -> str:
    return "openstack-" + address.replace(f"/{ID}", "-one").replace("/", "-")


urlpatterns = [
    re_path(f"^openstack/{address}/?$", views.as_view(actions), name=_name(address))
    for address, views, actions in ROUTES
]
