"""The tunnels through bastions over REST. The rules are in `hypervisors.bastions`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hypervisors import bastions
from hypervisors.bastions import Report
from hypervisors.models import NAME_LENGTH
from olimpus.api import problem_responses
from olimpus.strict import Strict

STATES = ("up", "connecting", "down", bastions.IDLE)


class FlowSerializer(serializers.Serializer[Any]):
    """How something that goes through SSH is."""

    state = serializers.ChoiceField(STATES, help_text="`idle`: no process has needed it yet.")
    since = serializers.DateTimeField(allow_null=True)
    reconnects = serializers.IntegerField()
    latency_ms = serializers.FloatField(
        allow_null=True, help_text="Round trip to the last SSH host; of a service, the time that its last opening took."
    )
    bytes_in = serializers.IntegerField(help_text="From the cloud.")
    bytes_out = serializers.IntegerField(help_text="Towards the cloud.")
    connections = serializers.IntegerField(help_text="Open now.")
    last_error = serializers.CharField(allow_blank=True)
    last_error_at = serializers.DateTimeField(allow_null=True)


class TunnelServiceSerializer(FlowSerializer):
    """One service behind the bastion, in all processes together."""

    service = serializers.CharField(allow_blank=True, help_text="identity, compute, network… as the catalog says.")
    host = serializers.CharField()
    port = serializers.IntegerField()


class TunnelProcessSerializer(FlowSerializer):
    """The SSH connection of one process."""

    process = serializers.CharField()
    machine = serializers.CharField()
    pid = serializers.IntegerField()
    host_keys = serializers.ListField(
        child=serializers.CharField(), help_text="Fingerprints of the keys that the hosts showed."
    )


class TunnelSerializer(FlowSerializer):
    """The tunnel of one hypervisor: of its processes the worst state, and sums."""

    hypervisor = serializers.CharField()
    hops = serializers.ListField(child=serializers.CharField(), help_text="host:port of the bastion and the headnode.")
    services = TunnelServiceSerializer(many=True)
    processes = TunnelProcessSerializer(many=True)


class TunnelsSerializer(serializers.Serializer[Any]):
    """All tunnels that you are in charge of."""

    tunnels = TunnelSerializer(many=True)


class TunnelReconnectSerializer(Strict):
    """Which tunnel; may be left out when there is one."""

    hypervisor = serializers.CharField(required=False, allow_blank=True, default="", max_length=NAME_LENGTH)


class TunnelStatusView(APIView):
    """`GET /api/ssh-tunnel/status`"""

    @extend_schema(operation_id="ssh_tunnel_status", responses={200: TunnelsSerializer, **problem_responses(401, 403)})
    def get(self, request: Request) -> Response:
        """State, since, reconnects, latency, bytes and last error of each bastion and each service behind it.

        For superusers and the managers of the hypervisors. What is told is at most some two seconds old.
        """
        told = [_told(report) for report in bastions.reports(request.user)]
        return Response(TunnelsSerializer({"tunnels": told}).data)


class TunnelReconnectView(APIView):
    """`POST /api/ssh-tunnel/reconnect`"""

    @extend_schema(
        operation_id="ssh_tunnel_reconnect",
        request=TunnelReconnectSerializer,
        responses={202: TunnelSerializer, **problem_responses(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request) -> Response:
        """Every process connects the tunnel anew, within about two seconds; calls in flight fail and are repeated."""
        body = TunnelReconnectSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        hypervisor = bastions.chosen(body.validated_data["hypervisor"], actor=request.user)
        bastions.reconnect(hypervisor, actor=request.user)
        (report,) = [each for each in bastions.reports(request.user) if each.hypervisor == hypervisor]
        return Response(TunnelSerializer(_told(report)).data, status=202)


def _told(report: Report) -> dict[str, Any]:
    return {
        "hypervisor": report.hypervisor.name,
        "hops": report.hops,
        **asdict(report.flow),
        "services": [_flat(service) for service in report.services],
        "processes": [_flat(process) for process in report.processes],
    }


def _flat(part: Any) -> dict[str, Any]:
    """The part with its flow beside its own fields."""
    told = asdict(part)
    return told.pop("flow") | told
