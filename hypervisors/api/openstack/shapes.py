"""What the service API answers, in the words of OpenStack: vcpus, ram in MiB, disk and size in GiB."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

Row = serializers.Serializer[Any]


class FlavorSerializer(Row):
    """A named size. `predefined`: one of the five that serve everywhere; `on_cloud`: the cloud has one of this name."""

    id = serializers.CharField(help_text="Empty while it is not on the cloud.")
    name = serializers.CharField()
    vcpus = serializers.IntegerField(source="cpus")
    ram = serializers.IntegerField(source="memory_mib", help_text="MiB.")
    disk = serializers.FloatField(source="disk_gib", help_text="GiB.")
    public = serializers.BooleanField(default=True)
    on_cloud = serializers.BooleanField(default=True)
    predefined = serializers.BooleanField(default=False)
    instances = serializers.IntegerField(required=False, help_text="How many have it; with `stats`.")


class ShortageSerializer(Row):
    """What is missing of one resource."""

    resource = serializers.ChoiceField(["vcpus", "ram", "disk"])
    needed = serializers.FloatField()
    offered = serializers.FloatField(help_text="By the nearest flavor.")
    largest = serializers.FloatField(help_text="The most that any flavor has.")
    text = serializers.CharField()


class RecommendationSerializer(Row):
    """The cheapest flavor that is large enough, the next one, and why; or what is missing when none is."""

    hypervisor = serializers.CharField()
    source = serializers.ChoiceField(["live", "cached", "last_known", "predefined"])
    age_seconds = serializers.FloatField(allow_null=True)
    error = serializers.CharField()
    recommended = FlavorSerializer(allow_null=True)
    reason = serializers.CharField()
    code = serializers.CharField(help_text="The reason for programs.")
    runner_up = FlavorSerializer(allow_null=True)
    runner_up_reason = serializers.CharField()
    nearest = FlavorSerializer(allow_null=True, help_text="When none is large enough.")
    missing = ShortageSerializer(many=True)


class ImageSerializer(Row):
    """What a system disk is made from."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    format = serializers.CharField()
    size_bytes = serializers.IntegerField()
    min_disk = serializers.IntegerField(source="min_disk_gib", help_text="GiB.")
    min_ram = serializers.IntegerField(source="min_memory_mib", help_text="MiB.")
    visibility = serializers.CharField()
    created_at = serializers.DateTimeField(allow_null=True)
    hosts = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Which have a copy, where images are kept on hosts."
    )
    sha256 = serializers.CharField(required=False, help_text="Checksum of the file; empty where nobody tells.")


class ClearedSerializer(Row):
    """A copy of an image that was removed from a host."""

    name = serializers.CharField()
    host = serializers.CharField()
    size_bytes = serializers.IntegerField()


class HostSerializer(Row):
    """A compute host; the figures with `capacity`, overcommit counted in, null where the cloud does not say."""

    name = serializers.CharField()
    up = serializers.BooleanField()
    enabled = serializers.BooleanField()
    instances = serializers.IntegerField(source="vms", required=False)
    vcpus_total = serializers.IntegerField(source="cpus_total", required=False, allow_null=True)
    vcpus_used = serializers.IntegerField(source="cpus_used", required=False)
    ram_total = serializers.IntegerField(source="memory_mib_total", required=False, allow_null=True)
    ram_used = serializers.IntegerField(source="memory_mib_used", required=False)
    disk_total = serializers.FloatField(source="disk_gib_total", required=False, allow_null=True)
    disk_used = serializers.FloatField(source="disk_gib_used", required=False)

    def to_representation(self, host: dict[str, Any]) -> dict[str, Any]:
        """What the host tells; its figures stay out when they were taken out."""
        told = super().to_representation(host)
        return {name: value for name, value in told.items() if self.fields[name].source in host}


class ZoneSerializer(Row):
    """An availability zone and its hosts."""

    name = serializers.CharField()
    available = serializers.BooleanField()
    hosts = HostSerializer(many=True)


class StatisticsSerializer(Row):
    """All hosts together; totals of those that are up."""

    hosts = serializers.IntegerField()
    hosts_up = serializers.IntegerField()
    instances = serializers.IntegerField(source="vms")
    vcpus_total = serializers.IntegerField(source="cpus_total", allow_null=True)
    vcpus_used = serializers.IntegerField(source="cpus_used")
    ram_total = serializers.IntegerField(source="memory_mib_total", allow_null=True)
    ram_used = serializers.IntegerField(source="memory_mib_used")
    disk_total = serializers.FloatField(source="disk_gib_total", allow_null=True)
    disk_used = serializers.FloatField(source="disk_gib_used")


class SuggestionSerializer(Row):
    """Where a node of a slice goes, and why; `availability_zone` null: nowhere."""

    node = serializers.CharField()
    availability_zone = serializers.CharField(allow_null=True)
    flavor = serializers.CharField(help_text="The flavor that was reckoned with; empty for sizes of its own.")
    reason = serializers.CharField()
    code = serializers.CharField(help_text="The reason for programs.")


class SubnetSerializer(Row):
    """Addresses of a network."""

    id = serializers.CharField()
    name = serializers.CharField()
    network_id = serializers.CharField()
    cidr = serializers.CharField()
    gateway = serializers.CharField()
    dhcp = serializers.BooleanField()
    dns = serializers.ListField(child=serializers.CharField())
    pools = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()), help_text="First and last address of each."
    )


class NetworkSerializer(Row):
    """A layer-2 network."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    shared = serializers.BooleanField()
    external = serializers.BooleanField()
    mtu = serializers.IntegerField()
    project_id = serializers.CharField()
    subnets = SubnetSerializer(many=True)


class RouterSerializer(Row):
    """What joins subnets, and leads out of them."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    external_network_id = serializers.CharField()
    subnet_ids = serializers.ListField(child=serializers.CharField())


class AttachmentSerializer(Row):
    """A volume in a machine."""

    instance = serializers.CharField(source="vm_ref")
    device = serializers.CharField()


class VolumeSerializer(Row):
    """A disk that lives on its own."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    size = serializers.IntegerField(source="size_gib", help_text="GiB.")
    type = serializers.CharField()
    bootable = serializers.BooleanField()
    attachments = AttachmentSerializer(many=True)
    created_at = serializers.DateTimeField(allow_null=True)


class VolumeSnapshotSerializer(Row):
    """A moment of a volume."""

    id = serializers.CharField()
    name = serializers.CharField()
    volume_id = serializers.CharField()
    status = serializers.CharField()
    size = serializers.IntegerField(source="size_gib", help_text="GiB.")
    created_at = serializers.DateTimeField(allow_null=True)


class QuotaSerializer(Row):
    """How much of one resource a project may use."""

    service = serializers.CharField(help_text="compute, network, volume.")
    resource = serializers.CharField()
    limit = serializers.IntegerField(allow_null=True, help_text="null: unbounded.")
    used = serializers.IntegerField()
    free = serializers.SerializerMethodField(help_text="null: unbounded.")

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_free(self, row: dict[str, Any]) -> int | None:
        return None if row["limit"] is None else max(0, row["limit"] - row["used"])


class KeypairSerializer(Row):
    """A public key that the cloud puts into machines."""

    name = serializers.CharField()
    fingerprint = serializers.CharField()
    type = serializers.CharField()


class CloudProjectSerializer(Row):
    """Owner of machines, networks and volumes."""

    id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    enabled = serializers.BooleanField()
