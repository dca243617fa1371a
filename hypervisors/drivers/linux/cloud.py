"""What a cluster has beside machines: its images, its workers as zones, the networks on its gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, ClassVar

from hypervisors.drivers.base import Hosts, Power, VmInfo
from hypervisors.drivers.cloud import Cleared, Cloud, Image, Images, Network, Networks, Subnet, Zone, Zones
from hypervisors.drivers.linux.cluster import Cluster
from hypervisors.drivers.linux.facts import volume_of
from hypervisors.drivers.linux.gateway.client import Gateway
from hypervisors.drivers.linux.images import ImageStore
from olimpus.errors import Rejected
from olimpus.words import gettext as _


class LinuxCloud(Cloud):
    """Of one cluster. Nothing is contacted before the first call; images have no owners, all may use them."""

    kinds: ClassVar[frozenset[str]] = frozenset({"images", "copies", "zones", "networks"})
    label: ClassVar[str] = "Linux/KVM"

    def __init__(self, cluster: Cluster, images: ImageStore, gateway: Gateway | None, hosts: Callable[[], Hosts]):
        self.where = cluster.hypervisor
        self._cluster = cluster
        self._images = images
        self._gateway = gateway
        self._hosts = hosts

    # -- looking ----------------------------------------------------------------------------------------------------

    def images(self) -> Images:
        return self._images.images()

    def zones(self, *, capacity: bool = False) -> Zones:
        """Each worker is one."""
        return [Zone(host.name, host.up and host.enabled, (host,)) for host in self._hosts()]

    def networks(self, project: str = "") -> Networks:
        """Those that machines are in now."""
        known = self._gateway.look().networks if self._gateway else {}
        return sorted((_network(key, told) for key, told in known.items()), key=lambda network: network.name)

    # -- changing ---------------------------------------------------------------------------------------------------

    def upload_image(self, name: str, data: BinaryIO, format: str, *, public: bool = False) -> Image:
        return self._images.upload(name, data, format)

    def delete_image(self, image: str) -> None:
        self._images.delete(image)

    def tidy_images(self, days: float = 0.0) -> list[Cleared]:
        return self._images.tidy(days)

    def publish(self, ref: str, name: str) -> Image:
        member, uuid = self._cluster.of(ref)
        _require_off(member.machines.get(uuid), self.where)
        disks = member.machines.facts(uuid).disks
        if not disks or not disks[0].startswith(f"{member.pool.path}/"):
            message = _("The system disk of this machine is not in the folder of disks: no image can be made of it.")
            raise Rejected(message, where=self.where)
        return self._images.publish(member.name, volume_of(disks[0]), name, ref)


def _require_off(info: VmInfo, where: str) -> None:
    if info.power is not Power.OFF:
        hint = _("Stop it first, so that its disk is complete.")
        raise Rejected(_("The machine is on: stop it first."), where=where, hint=hint)


def _network(key: str, told: Mapping[str, Any]) -> Network:
    """One of the gateway's networks."""
    cidr = str(told["cidr"] or "")
    subnet = Subnet(key, told["name"], key, cidr, str(told["gateway"] or ""), bool(told["dhcp"]), tuple(told["dns"]))
    return Network(key, told["name"], "active", mtu=int(told["mtu"] or 0), subnets=(subnet,) if cidr else ())
