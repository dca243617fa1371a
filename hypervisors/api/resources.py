"""What all hypervisors have and what of it is in use, over REST. The rules are in `hypervisors.resources`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hypervisors import resources
from hypervisors.models import Health
from olimpus.api import problem_responses

SOURCES = ("live", "cached", "last_known", "none")


class RoomSerializer(serializers.Serializer[Any]):
    """What there is of each resource, and what is in use; a total of null is unbounded or unknown."""

    cpus_total = serializers.IntegerField(allow_null=True)
    cpus_used = serializers.IntegerField()
    memory_mib_total = serializers.IntegerField(allow_null=True)
    memory_mib_used = serializers.IntegerField()
    disk_gib_total = serializers.FloatField(allow_null=True)
    disk_gib_used = serializers.FloatField()
    vms = serializers.IntegerField()


class ResourceHostSerializer(RoomSerializer):
    """A worker, or a compute host of a cloud."""

    name = serializers.CharField()
    zone = serializers.CharField()
    up = serializers.BooleanField()
    enabled = serializers.BooleanField(help_text="False: in maintenance, it takes nothing new.")
    cpu_percent = serializers.FloatField(allow_null=True, help_text="How busy it is now.")
    detail = serializers.CharField(allow_blank=True, help_text="Why it is down, or in maintenance.")


class ResourceSerializer(RoomSerializer):
    """One hypervisor."""

    name = serializers.CharField()
    driver = serializers.CharField()
    health = serializers.ChoiceField(Health.choices)
    maintenance = serializers.BooleanField()
    maintenance_reason = serializers.CharField(allow_blank=True)
    source = serializers.ChoiceField(SOURCES, help_text="`last_known`: it does not answer now. `none`: it never did.")
    age_seconds = serializers.FloatField(allow_null=True)
    error = serializers.CharField(allow_blank=True, help_text="Why it is not newer.")
    cpu_percent = serializers.FloatField(allow_null=True)
    vms_max = serializers.IntegerField(allow_null=True)
    hosts = ResourceHostSerializer(many=True)


class ResourceTotalsSerializer(RoomSerializer):
    """All together."""

    hosts = serializers.IntegerField()
    hosts_up = serializers.IntegerField()
    silent = serializers.IntegerField(help_text="Hypervisors that do not answer now.")


class ResourcesSerializer(serializers.Serializer[Any]):
    """All hypervisors that you are in charge of."""

    totals = ResourceTotalsSerializer()
    hypervisors = ResourceSerializer(many=True)


class ResourceStatusView(APIView):
    """`GET /api/resources/status`"""

    @extend_schema(operation_id="resources_status", responses={200: ResourcesSerializer, **problem_responses(401, 403)})
    def get(self, request: Request) -> Response:
        """CPUs, memory, disk and machines of OpenStack, of clusters with their workers and of single hosts, with the sums.

        For superusers and the managers of the hypervisors. What is told is at most some seconds old; `source`,
        `age_seconds` and `error` say of a hypervisor that does not answer how old its figures are, and why.
        """
        found = resources.reports(request.user)
        told = {"totals": resources.totals(found), "hypervisors": [resources.plain(report) for report in found]}
        return Response(ResourcesSerializer(told).data)
