"""Volumes in full: for managers of the hypervisor, who leave alone what belongs to machines that they do not manage."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hypervisors import clouds
from hypervisors.api.openstack import bodies, shapes
from hypervisors.api.openstack.base import READ, WRITE, CloudViewSet, ProjectQuery, WhichQuery, envelope
from hypervisors.api.openstack.catalogue import GONE

VOLUME = {200: shapes.VolumeSerializer, **WRITE}


class VolumeViewSet(CloudViewSet):
    """Disks that live on their own."""

    takes: ClassVar = {
        "create": bodies.NewVolumeSerializer,
        "attach": bodies.AttachSerializer,
        "detach": bodies.DetachSerializer,
        "extend": bodies.ExtendSerializer,
        "snapshot": bodies.SnapshotSerializer,
    }

    @extend_schema(parameters=[ProjectQuery], responses={200: envelope(shapes.VolumeSerializer), **READ})
    def list(self, request: Request) -> Response:
        """With the instances that have them."""
        return self.listed(request, "volumes", shapes.VolumeSerializer)

    @extend_schema(
        request=bodies.NewVolumeSerializer, parameters=[WhichQuery], responses={201: shapes.VolumeSerializer, **WRITE}
    )
    def create(self, request: Request) -> Response:
        """A volume, ready for use: empty, or filled from an image or a snapshot."""
        cloud = self.managed(request)
        given = self.body(request)
        fields = {**given, "size_gib": given["size"]}
        del fields["size"]
        made = clouds.do(cloud, "volume.create", fields, actor=request.user)
        return Response(shapes.VolumeSerializer(made).data, status=201)

    @extend_schema(parameters=[WhichQuery], responses=GONE)
    def destroy(self, request: Request, id: str) -> Response:
        """Remove a volume by id; refused while it is attached or has snapshots."""
        self._do(request, "volume.delete", id)
        return Response(status=204)

    @extend_schema(request=bodies.AttachSerializer, parameters=[WhichQuery], responses=VOLUME)
    def attach(self, request: Request, id: str) -> Response:
        """Put a volume into an instance. May be repeated."""
        return _volume(self._do(request, "volume.attach", id, {"instance": "ref"}))

    @extend_schema(request=bodies.DetachSerializer, parameters=[WhichQuery], responses=VOLUME)
    def detach(self, request: Request, id: str) -> Response:
        """Take a volume out of the instance that has it. May be repeated."""
        return _volume(self._do(request, "volume.detach", id, {"instance": "ref"}))

    @extend_schema(request=bodies.ExtendSerializer, parameters=[WhichQuery], responses=VOLUME)
    def extend(self, request: Request, id: str) -> Response:
        """Let a volume grow. May be repeated."""
        return _volume(self._do(request, "volume.extend", id, {"size": "size_gib"}))

    @extend_schema(
        request=bodies.SnapshotSerializer,
        parameters=[WhichQuery],
        responses={201: shapes.VolumeSnapshotSerializer, **WRITE},
    )
    def snapshot(self, request: Request, id: str) -> Response:
        """Keep a moment of a volume."""
        made = self._do(request, "volume.snapshot", id, {"name": "name"})
        return Response(shapes.VolumeSnapshotSerializer(made).data, status=201)

    def _do(self, request: Request, verb: str, id: str, names: dict[str, str] | None = None) -> Any:
        """The verb on this volume, with the fields of the body by the names that the cloud has for them."""
        cloud = self.managed(request)
        given = self.body(request) if names else {}
        fields = {name: given[field] for field, name in (names or {}).items()}
        return clouds.do(cloud, verb, {"volume": id, **fields}, actor=request.user)


class VolumeSnapshotViewSet(CloudViewSet):
    """Moments of volumes."""

    @extend_schema(parameters=[ProjectQuery], responses={200: envelope(shapes.VolumeSnapshotSerializer), **READ})
    def list(self, request: Request) -> Response:
        """Of all volumes."""
        return self.listed(request, "volume_snapshots", shapes.VolumeSnapshotSerializer)

    @extend_schema(parameters=[WhichQuery], responses=GONE)
    def destroy(self, request: Request, id: str) -> Response:
        """Remove a snapshot by id."""
        clouds.do(self.managed(request), "volume_snapshot.delete", {"snapshot": id}, actor=request.user)
        return Response(status=204)


def _volume(volume: Any) -> Response:
    return Response(shapes.VolumeSerializer(volume).data)
