"""What a cloud offers to build with: flavors, images and zones; and the account's key pairs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from hypervisors.drivers.base import Capacity
from hypervisors.drivers.cloud import CloudFlavor, Flavors, Host, Image, Images, Keypair, Keypairs, Zone, Zones
from hypervisors.drivers.openstack.capacity import rooms
from hypervisors.drivers.openstack.errors import Denied
from hypervisors.drivers.openstack.plan import SNAPSHOT_OF, offered
from hypervisors.drivers.openstack.rest import PAGE, Json, Part, at, missing, when
from olimpus.errors import Missing, Rejected
from olimpus.words import gettext as _

#: The zone of Nova's own services, where no machine can be.
INTERNAL_ZONE = "internal"


class Catalogue(Part):
    """Flavors, images, zones, key pairs."""

    def flavors(self) -> Flavors:
        """All flavors that the account may see (an administrator the private ones, too), smallest first."""
        items = self.rest.pages("compute", "/flavors/detail", "flavors", {"is_public": "None"})
        return sorted(map(flavor_of, items), key=lambda flavor: (*_sizes(flavor), flavor.name))

    def flavor_use(self) -> dict[str, int]:
        """Name of a flavor → how many machines have it, from one paged list of all projects' (or the own) machines."""
        try:
            servers = self._servers(all_tenants=True)
        except Denied:
            servers = self._servers(all_tenants=False)
        return dict(Counter(str(server["flavor"]["original_name"]) for server in servers))

    def images(self) -> Images:
        """Those that machines are made from: neither snapshots, which belong to their machines, nor others' private ones."""
        return sorted(map(image_of, self._offered_images()), key=lambda image: (image.name.casefold(), image.id))

    def zones(self, *, capacity: bool = False) -> Zones:
        """Zones by name. Only an administrator sees their hosts, and with `capacity` the room of each."""
        try:
            answer = self.rest.get("compute", "/os-availability-zone/detail")
        except Denied:
            answer = self.rest.get("compute", "/os-availability-zone")
        known = rooms(self.rest) if capacity else {}
        zones = [_zone(item, known) for item in answer["availabilityZoneInfo"] if item["zoneName"] != INTERNAL_ZONE]
        return sorted(zones, key=lambda zone: zone.name)

    def keypairs(self) -> Keypairs:
        items = self.rest.pages("compute", "/os-keypairs", "keypairs")
        return sorted((_keypair(item["keypair"]) for item in items), key=lambda pair: pair.name)

    # -- changing ---------------------------------------------------------------------------------------------------

    def create_flavor(self, name: str, cpus: int, memory_mib: int, disk_gib: float) -> CloudFlavor:
        """A public flavor; a part of a GiB becomes a whole one, as Nova knows no others."""
        wanted = (cpus, memory_mib, math.ceil(disk_gib))
        if known := self._flavor(name):
            return self._same(known, wanted)
        body = {"name": name, "vcpus": cpus, "ram": memory_mib, "disk": math.ceil(disk_gib)}
        try:
            return flavor_of(self.rest.post("compute", "/flavors", {"flavor": body})["flavor"])
        except Rejected:
            known = self._flavor(name)  # somebody else made it in between
            if not known:
                raise
            return self._same(known, wanted)

    def delete_flavor(self, name: str) -> None:
        """Forget the flavor of this name, else of this id; fine when there is none."""
        found = [flavor for flavor in self.flavors() if name in (flavor.name, flavor.id)]
        if known := min(found, key=lambda flavor: flavor.name != name, default=None):
            self.rest.delete("compute", at("/flavors", known.id))

    # -- inside -----------------------------------------------------------------------------------------------------

    def _servers(self, *, all_tenants: bool) -> list[Json]:
        query = {"all_tenants": "True"} if all_tenants else {}
        return list(self.rest.pages("compute", "/servers/detail", "servers", query))

    def _flavor(self, name: str) -> CloudFlavor | None:
        return next((flavor for flavor in self.flavors() if flavor.name == name), None)

    def _same(self, flavor: CloudFlavor, wanted: tuple[int, int, float]) -> CloudFlavor:
        if _sizes(flavor) == wanted:
            return flavor
        message = _("There is a flavor “%(name)s” of another size: %(cpus)d CPUs, %(memory)d MiB, %(disk)g GiB.")
        told = {"name": flavor.name, "cpus": flavor.cpus, "memory": flavor.memory_mib, "disk": flavor.disk_gib}
        raise Rejected(message % told, where=self.where, hint=_("Choose another name, or delete that flavor first."))

    def _known_image(self, image: str) -> Json:
        """The image with this id; `Missing` with the nearest one. Snapshots belong to their machines."""
        found = self._image(image)
        if not found or found.get(SNAPSHOT_OF):
            raise missing(_("There is no image “%(name)s”."), image, self._offered_images(), self.where)
        return found

    def _offered_images(self) -> list[Json]:
        found = self.rest.pages("image", "/images", "images", {"limit": PAGE})
        return [item for item in found if offered(self.session, item)]

    def _image(self, image: str) -> Json | None:
        """The image with this id; Glance answers with the image itself, not with an object around it."""
        if not image:
            return None
        try:
            return self.rest.get("image", at("/images", image))
        except Missing:
            return None


def flavor_of(item: Json) -> CloudFlavor:
    return CloudFlavor(
        id=str(item["id"]),
        name=item["name"],
        cpus=item["vcpus"],
        memory_mib=item["ram"],
        disk_gib=float(item["disk"]),
        public=item.get("os-flavor-access:is_public", True),
    )


def image_of(item: Json) -> Image:
    return Image(
        id=item["id"],
        name=item.get("name") or "",
        status=item["status"],
        format=item.get("disk_format") or "",
        size_bytes=item.get("size") or 0,
        min_disk_gib=item.get("min_disk") or 0,
        min_memory_mib=item.get("min_ram") or 0,
        visibility=item.get("visibility") or "",
        created_at=when(item.get("created_at")),
    )


def _sizes(flavor: CloudFlavor) -> tuple[int, int, float]:
    return flavor.cpus, flavor.memory_mib, flavor.disk_gib


def _keypair(item: Json) -> Keypair:
    return Keypair(name=item["name"], fingerprint=item["fingerprint"], type=item.get("type") or "ssh")


def _zone(item: Json, known: dict[str, Capacity]) -> Zone:
    name = item["zoneName"]
    hosts = (_host(host, name, services, known) for host, services in sorted((item.get("hosts") or {}).items()))
    return Zone(name, available=item["zoneState"]["available"], hosts=tuple(hosts))


def _host(name: str, zone: str, services: Json, known: dict[str, Capacity]) -> Host:
    states: Iterable[Json] = services.values()
    up, enabled = all(state["available"] for state in states), all(state["active"] for state in states)
    room = {part: value for part, value in vars(known.get(name, Capacity())).items() if part != "vms_max"}
    return Host(name, zone, up=up, enabled=enabled, **room)
