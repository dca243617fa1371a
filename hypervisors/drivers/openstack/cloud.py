"""Everything of an OpenStack that is not one machine."""

from __future__ import annotations

from typing import ClassVar

from hypervisors.drivers.cloud import KINDS, Cloud
from hypervisors.drivers.openstack.health import HealthService
from hypervisors.drivers.openstack.images import ImageService
from hypervisors.drivers.openstack.networks import NetworkService
from hypervisors.drivers.openstack.projects import ProjectService


class OpenStackCloud(ImageService, NetworkService, ProjectService, HealthService, Cloud):
    """Flavors, images, zones, networks, volumes, quotas and projects of the cloud that a session reaches.

    Nothing is contacted before the first call. Each part is in a module of its own; they share the session.
    """

    kinds: ClassVar[frozenset[str]] = frozenset(KINDS) - {"copies"}
    label: ClassVar[str] = "OpenStack"
