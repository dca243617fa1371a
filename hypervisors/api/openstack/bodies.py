"""What the service API is sent. Unknown fields are told, not dropped."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from hypervisors.images import FORMATS
from hypervisors.placement import TOPOLOGIES
from olimpus.strict import Strict

NAME = 255
MOST_NODES, MOST_LINKS = 1000, 20_000
LARGEST = 2**31 - 1


class Name(serializers.CharField):
    """A name that people give to things of the cloud."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": NAME, **kwargs})


class Limit(serializers.IntegerField):
    """How much a project may use; -1 is unbounded."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": -1, "max_value": LARGEST, **kwargs})


class RequirementsSerializer(Strict):
    """What a machine needs; what is not said does not matter."""

    vcpus = serializers.IntegerField(required=False, default=0, min_value=0, max_value=4096)
    ram = serializers.IntegerField(required=False, default=0, min_value=0, max_value=LARGEST, help_text="MiB.")
    disk = serializers.FloatField(required=False, default=0, min_value=0, max_value=10**6, help_text="GiB.")


class RecommendSerializer(Strict):
    """For example `{"requirements": {"vcpus": 2, "ram": 2048, "disk": 20}}`."""

    requirements = RequirementsSerializer()


class SliceNodeSerializer(Strict):
    """A node of a slice, by flavor or by sizes; without either it counts as small. `availability_zone` pins it."""

    name = Name()
    flavor = Name(required=False, default="", allow_blank=True)
    requirements = RequirementsSerializer(required=False, allow_null=True, default=None)
    availability_zone = Name(required=False, default="", allow_blank=True)
    image = Name(required=False, allow_blank=True, help_text="Does not matter here.")
    parameters = serializers.DictField(required=False, help_text="Do not matter here.")

    def to_internal_value(self, data: Any) -> Any:
        """A node may be just its name."""
        return super().to_internal_value({"name": data} if isinstance(data, str) else data)


class SliceConfigSerializer(Strict):
    """Nodes, how they hang together, and whether a fault should harm few of them."""

    topology = serializers.ChoiceField(sorted(TOPOLOGIES), required=False, default="custom")
    nodes = SliceNodeSerializer(many=True, allow_empty=False, max_length=MOST_NODES)
    links = serializers.ListField(
        child=serializers.ListField(child=Name(), min_length=2, max_length=2),
        required=False,
        default=list,
        max_length=MOST_LINKS,
        help_text="Pairs of names, beside those of the topology.",
    )
    high_availability = serializers.BooleanField(required=False, default=False)


class SuggestSerializer(Strict):
    """For example `{"slice_config": {"topology": "tree", "nodes": […], "high_availability": true}}`."""

    slice_config = SliceConfigSerializer()


class NewFlavorSerializer(Strict):
    """A predefined flavor by its name, or one with sizes of its own."""

    name = Name()
    vcpus = serializers.IntegerField(source="cpus", required=False, min_value=1, max_value=4096)
    ram = serializers.IntegerField(source="memory_mib", required=False, min_value=1, max_value=LARGEST)
    disk = serializers.FloatField(source="disk_gib", required=False, min_value=0, max_value=10**6)


class NewImageSerializer(Strict):
    """A file, streamed; its format is told by its content."""

    name = Name()
    file = serializers.FileField(allow_empty_file=False)
    format = serializers.ChoiceField(FORMATS, required=False, help_text="What it should be; told otherwise.")
    public = serializers.BooleanField(required=False, default=False)


class Cidr(serializers.CharField):
    """A network address such as 192.168.100.0/24."""

    def to_internal_value(self, data: Any) -> str:
        """As text, without host bits. ValidationError."""
        try:
            return str(ipaddress.ip_network(super().to_internal_value(data)))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class AddressesSerializer(Strict):
    """The addresses of a subnet: those that it names lie inside it."""

    cidr = Cidr(max_length=64)
    gateway = serializers.IPAddressField(required=False, help_text="Left out: the first address.")
    dhcp = serializers.BooleanField(required=False, default=True)
    dns = serializers.ListField(child=serializers.IPAddressField(), required=False, default=list, max_length=10)
    pool = serializers.ListField(
        child=serializers.IPAddressField(), required=False, min_length=2, max_length=2, help_text="First and last."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Gateway and pool lie in the network, the pool in its order."""
        if "cidr" not in attrs:
            return attrs
        network = ipaddress.ip_network(attrs["cidr"])
        named = {"gateway": [attrs["gateway"]] if "gateway" in attrs else [], "pool": attrs.get("pool", [])}
        for name, addresses in named.items():
            if any(ipaddress.ip_address(address) not in network for address in addresses):
                raise serializers.ValidationError({name: _("This is outside of %s.") % network})
        pool = [ipaddress.ip_address(address) for address in named["pool"]]
        if pool and pool[0] > pool[1]:
            raise serializers.ValidationError({"pool": _("The first address comes after the last.")})
        return attrs


class NewSubnetSerializer(AddressesSerializer):
    """A subnet of a network that there is."""

    network = Name(help_text="Its id.")
    name = Name(required=False, default="", allow_blank=True)


class NewNetworkSerializer(AddressesSerializer):
    """A private network; with `cidr` it gets its first subnet at once."""

    name = Name()
    project = Name(required=False, default="", allow_blank=True)
    mtu = serializers.IntegerField(required=False, min_value=68, max_value=65_535)
    cidr = Cidr(required=False, max_length=64)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What belongs to a subnet needs its addresses."""
        for name in ("gateway", "pool"):
            if name in attrs and "cidr" not in attrs:
                raise serializers.ValidationError({"cidr": _("This is needed together with “%s”.") % name})
        return super().validate(attrs)


class NewRouterSerializer(Strict):
    """A router joining subnets, with a way out through an external network."""

    name = Name()
    external = Name(required=False, default="", allow_blank=True, help_text="Name or id of an external network.")
    subnets = serializers.ListField(child=Name(), required=False, default=list, max_length=100, help_text="Ids.")
    project = Name(required=False, default="", allow_blank=True)


class NewVolumeSerializer(Strict):
    """An empty volume, or one filled from an image or a snapshot."""

    name = Name()
    size = serializers.IntegerField(min_value=1, max_value=10**6, help_text="GiB.")
    type = Name(required=False, default="", allow_blank=True)
    image = Name(required=False, default="", allow_blank=True, help_text="Id.")
    snapshot = Name(required=False, default="", allow_blank=True, help_text="Id.")
    project = Name(required=False, default="", allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """It is filled from one thing."""
        if attrs["image"] and attrs["snapshot"]:
            raise serializers.ValidationError({"snapshot": _("Name an image or a snapshot, not both.")})
        return attrs


class AttachSerializer(Strict):
    """Into which machine."""

    instance = Name(help_text="Id of the server, or our id or uid of the machine.")


class DetachSerializer(Strict):
    """Out of which machine; without it, out of the one that has it."""

    instance = Name(required=False, default="", allow_blank=True)


class ExtendSerializer(Strict):
    """To which size."""

    size = serializers.IntegerField(min_value=1, max_value=10**6, help_text="GiB.")


class SnapshotSerializer(Strict):
    """What the moment is called."""

    name = Name()


class QuotasSerializer(Strict):
    """Limits to write, by resource; -1 is unbounded. For example `{"quotas": {"instances": 10, "cores": 20}}`."""

    quotas = serializers.DictField(child=Limit(), allow_empty=False)


class NewProjectSerializer(Strict):
    """A project with limits, and users of the cloud who get a role in it."""

    name = Name(max_length=64)
    description = serializers.CharField(required=False, default="", allow_blank=True, max_length=2000)
    quotas = serializers.DictField(child=Limit(), required=False)
    users = serializers.ListField(child=Name(), required=False, default=list, max_length=1000)
    role = Name(required=False, default="member")
