"""Bodies and answers of `/api/slices`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from descriptors.api.serializers import OperationSerializer, PathField
from descriptors.states import CHOICES
from hypervisors.placement import Strategy
from olimpus.strict import Strict
from slices import selectors
from slices.graph import MOST_LINKS, MOST_NODES
from slices.models import Kind

NAME = 128


@extend_schema_field(OpenApiTypes.OBJECT)
class DocumentField(serializers.JSONField):
    """The own document of a slice."""


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "object", "additionalProperties": True}]})
class TopologyField(serializers.Field):  # type: ignore[type-arg]
    """A name (links between the nodes given), or `{"kind": "ring", "size": 4}`."""

    def to_internal_value(self, data: Any) -> Any:
        """As it is."""
        if not isinstance(data, str | dict):
            raise serializers.ValidationError("A name, or a mapping with “kind”.")
        return data

    def to_representation(self, value: Any) -> Any:
        """As it is."""
        return value


def _many(most: int, **options: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.JSONField(), required=False, max_length=most, **options)


# -- bodies ------------------------------------------------------------------------------------------------------------


class NewSliceSerializer(Strict):
    """A slice: the own document's fields, or a topology with parameters; for example `{"name": "s", "infrastructure":
    "openstack", "nodes": [{"name": "vm1", "image": "ubuntu-20.04", "flavor": "small"}], "networks": [{"name": "test-net",
    "cidr": "192.168.100.0/24", "network_type": "private"}]}`."""

    olimpus = serializers.CharField(required=False, max_length=32)
    name = serializers.CharField(max_length=NAME)
    description = serializers.CharField(required=False, max_length=10_000, allow_blank=True)
    infrastructure = serializers.CharField(
        required=False, max_length=255, help_text="mock, openstack, linux, hybrid, or the name of a hypervisor."
    )
    hypervisor = serializers.CharField(required=False, max_length=255, help_text="The name of a hypervisor.")
    folder = PathField(required=False, help_text="That gets the slice. Default: `/<hypervisor>`.")
    topology = TopologyField(required=False)
    defaults = serializers.DictField(required=False, help_text="The definition that all nodes share.")
    routed = serializers.BooleanField(required=False)
    template = serializers.IntegerField(required=False, min_value=1, help_text="The id of a slice that is copied.")
    parameters = serializers.DictField(
        required=False, help_text="What it asks for when it is used as a template; with `template`, values for that."
    )
    nodes = _many(MOST_NODES)
    links = _many(MOST_LINKS)
    networks = _many(MOST_LINKS)
    deploy = serializers.BooleanField(required=False, default=False, help_text="Deploy it at once, if it fits.")


class SliceChangeSerializer(Strict):
    """A draft with the version that was read, or another name or description."""

    document = DocumentField(required=False)
    version = serializers.IntegerField(required=False, min_value=0)
    name = serializers.CharField(required=False, max_length=NAME)
    description = serializers.CharField(required=False, max_length=10_000, allow_blank=True)
    template = serializers.BooleanField(required=False, help_text="Whether it is offered as a template.")


class PlanBodySerializer(Strict):
    """How to plan."""

    strategy = serializers.ChoiceField([str(one) for one in Strategy], required=False, default=str(Strategy.SPREAD))
    optimise = serializers.BooleanField(required=False, default=True, help_text="Larger flavors for critical nodes.")
    pins = serializers.DictField(
        child=serializers.CharField(max_length=255), required=False, default=dict, help_text="Node → zone or worker."
    )
    document = DocumentField(required=False, help_text="Instead of the draft.")


class DeployBodySerializer(Strict):
    """What to deploy."""

    digest = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=64, help_text="Of the plan. Left out: one made now."
    )


class ResumeBodySerializer(Strict):
    """What to go on with."""

    nodes = serializers.ListField(
        child=serializers.CharField(max_length=NAME), required=False, default=list, help_text="Left out: all of them."
    )


class GenerateBodySerializer(serializers.Serializer[Any]):
    """A topology of `GET /api/slices/topologies` with its parameters, or a `template` with values for its `parameters`."""

    kind = serializers.CharField(max_length=64, required=False)
    template = serializers.IntegerField(required=False, min_value=1, help_text="The id of a slice.")


class ImportBodySerializer(Strict):
    """A text, or a file of a form."""

    format = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=32, help_text="Left out: the text says it."
    )
    text = serializers.CharField(required=False, trim_whitespace=False)
    file = serializers.FileField(required=False)
    hypervisor = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=255,
        help_text="Whose images and flavors are looked at.",
    )
    mapping = serializers.JSONField(
        required=False,
        default=dict,
        help_text='Names of the file → names of ours: {"images": {"frr:10": "debian-12"}, "flavors": {}}. It is remembered.',
    )


class SlicesQuery(serializers.Serializer[Any]):
    """Which slices."""

    templates = serializers.BooleanField(required=False, default=False)


class ExportQuery(serializers.Serializer[Any]):
    """In which form."""

    format = serializers.CharField(required=False, default="own", max_length=32)


class DigestQuery(serializers.Serializer[Any]):
    """Which plan."""

    digest = serializers.CharField(required=False, default="", max_length=64)


# -- answers -----------------------------------------------------------------------------------------------------------

STATUSES = ("empty", "defined", "deploying", "tearing_down", "running", "stopped", "partial", "degraded", "failed")
HEALTHS = selectors.HEALTHS
CHANGES = ("add", "anew", "change", "keep", "remove")


class SliceSerializer(serializers.Serializer[Any]):
    """A slice as in lists."""

    id = serializers.IntegerField()
    path = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    template = serializers.BooleanField()
    parameters = serializers.DictField()
    status = serializers.ChoiceField(STATUSES)
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="State → machines.")
    nodes = serializers.IntegerField()
    links = serializers.IntegerField()
    hypervisors = serializers.ListField(child=serializers.CharField())


DRAFT = inline_serializer(
    "SliceDraft",
    {
        "document": DocumentField(),
        "version": serializers.IntegerField(),
        "by": serializers.CharField(),
        "at": serializers.DateTimeField(),
    },
    allow_null=True,
)
FAULTS = serializers.ListField(child=serializers.DictField(), help_text="What is wrong with the draft.")


class SliceDetailSerializer(SliceSerializer):
    """One slice, with its document as the tree has it."""

    document = DocumentField()
    draft = DRAFT
    version = serializers.IntegerField(help_text="That a save of the draft names.")
    faults = FAULTS
    can = serializers.ListField(child=serializers.CharField(), help_text="edit, plan, deploy, undo, teardown.")
    progress = serializers.DictField(child=serializers.IntegerField())


ROW = inline_serializer(
    "SlicePlanRow",
    {
        "node": serializers.CharField(),
        "change": serializers.ChoiceField(CHANGES),
        "hypervisor": serializers.CharField(),
        "place": serializers.CharField(help_text="Zone or worker; empty: the hypervisor chooses."),
        "room": serializers.CharField(),
        "flavor": serializers.CharField(),
        "cpus": serializers.FloatField(),
        "memory_mib": serializers.FloatField(),
        "disk_gib": serializers.FloatField(),
        "reason": serializers.CharField(),
        "code": serializers.CharField(),
        "flavor_reason": serializers.CharField(),
        "flavor_code": serializers.CharField(),
        "note": serializers.CharField(
            help_text="What to know besides: routes that a machine keeps, why a gateway is made anew."
        ),
        "restart": serializers.BooleanField(help_text="It runs, and is restarted by the change."),
    },
    many=True,
)


class SlicePlanSerializer(serializers.Serializer[Any]):
    """What a slice would become, and where."""

    digest = serializers.CharField()
    fits = serializers.BooleanField()
    rows = ROW
    networks = inline_serializer(
        "SlicePlanNetwork",
        {
            "name": serializers.CharField(),
            "change": serializers.ChoiceField(CHANGES),
            "cidr": serializers.CharField(),
        },
        many=True,
    )
    refusals = inline_serializer(
        "SlicePlanRefusal",
        {
            "node": serializers.CharField(help_text="Empty: the slice as a whole."),
            "hypervisor": serializers.CharField(),
            "message": serializers.CharField(),
            "code": serializers.CharField(),
        },
        many=True,
    )
    totals = serializers.ListField(child=serializers.DictField(), help_text="What each place has of it.")
    tunnels = serializers.ListField(child=serializers.DictField(), help_text="Links between hypervisors.")
    document = DocumentField(help_text="What was planned, with addresses.")
    at = serializers.DateTimeField()


class DeploymentSerializer(serializers.Serializer[Any]):
    """A change that was asked for."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Kind.choices)
    by = serializers.CharField()
    at = serializers.DateTimeField()
    undone = serializers.BooleanField()


DEPLOYED = inline_serializer(
    "SliceDeployed", {"deployment": DeploymentSerializer(allow_null=True), "operations": OperationSerializer(many=True)}
)
CREATED = inline_serializer(
    "SliceCreated",
    {
        "slice": SliceDetailSerializer(),
        "plan": SlicePlanSerializer(),
        "deployment": DeploymentSerializer(allow_null=True),
        "operations": OperationSerializer(many=True),
    },
)
NODE = inline_serializer(
    "SliceNodeStatus",
    {
        "name": serializers.CharField(),
        "id": serializers.IntegerField(),
        "path": serializers.CharField(),
        "state": serializers.ChoiceField(CHOICES),
        "health": serializers.ChoiceField(HEALTHS),
        "error": serializers.CharField(),
        "stage": serializers.DictField(allow_null=True, help_text="operation, verb, status, attempts, since."),
        "ips": serializers.ListField(child=serializers.CharField()),
        "hypervisor": serializers.CharField(),
        "host": serializers.CharField(),
        "ways": serializers.ListField(child=serializers.DictField(), help_text="kind, address, port, target, command."),
    },
    many=True,
)
STATUS = inline_serializer(
    "SliceStanding",
    {
        "status": serializers.ChoiceField(STATUSES),
        "health": serializers.ChoiceField(HEALTHS),
        "progress": serializers.DictField(child=serializers.IntegerField()),
        "deployment": DeploymentSerializer(allow_null=True),
        "nodes": NODE,
    },
)
NOTES = serializers.ListField(child=serializers.DictField(), help_text="what, line")
IMPORTED = inline_serializer(
    "SliceImported",
    {
        "document": DocumentField(),
        "report": inline_serializer(
            "SliceImportReport",
            {
                "understood": NOTES,
                "ignored": NOTES,
                "unmapped": NOTES,
                "unknown": serializers.DictField(
                    help_text="images and flavors that it does not have, each with what was said before, or is most alike."
                ),
                "known": serializers.DictField(help_text="All that it has of the kinds of which something is unknown."),
            },
        ),
    },
)
FORMAT = inline_serializer(
    "SliceFormat",
    {
        "name": serializers.CharField(),
        "title": serializers.CharField(),
        "endings": serializers.ListField(child=serializers.CharField()),
        "reads": serializers.BooleanField(),
        "writes": serializers.BooleanField(),
    },
    many=True,
)
TOPOLOGY = inline_serializer(
    "SliceTopology",
    {
        "name": serializers.CharField(),
        "title": serializers.CharField(),
        "schema": serializers.DictField(help_text="JSON Schema of its parameters."),
    },
    many=True,
)
