"""Images of one hypervisor, whatever its technology; see `openstack.images`, which names it by `?hypervisor=`."""

from __future__ import annotations

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import parsers, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hypervisors import clouds
from hypervisors.api.openstack import bodies, shapes
from hypervisors.api.openstack.base import READ, WRITE, envelope
from hypervisors.api.openstack.catalogue import GONE
from hypervisors.api.openstack.images import ImageViewSet
from hypervisors.models import Hypervisor
from olimpus.api import problem_responses

#: Days after which nobody would miss a copy: a century.
LONGEST = 36_500


class RefreshQuery(serializers.Serializer[Any]):
    """Whether the hypervisor must be asked now."""

    refresh = serializers.BooleanField(
        required=False, default=False, help_text="Ask the hypervisor, whatever is known; for its managers."
    )


class TidySerializer(serializers.Serializer[Any]):
    """Which copies may go."""

    days = serializers.FloatField(
        required=False, default=0, min_value=0, max_value=LONGEST, help_text="Only copies older than this."
    )


class HypervisorImageViewSet(ImageViewSet):
    """What system disks and virtual CDs of one hypervisor are made from. 409 when its technology has no images."""

    takes: ClassVar = ImageViewSet.takes | {"tidy": TidySerializer}

    def get_parsers(self) -> list[parsers.BaseParser]:
        """An upload is a form; all else is JSON."""
        return [parsers.JSONParser()] if self.action_map.get("post") == "tidy" else super().get_parsers()

    def which(self, request: Request) -> Hypervisor:
        """The hypervisor of the address."""
        return get_object_or_404(Hypervisor, pk=self.kwargs["pk"])

    @extend_schema(
        operation_id="hypervisors_images_list",
        parameters=[RefreshQuery],
        responses={200: envelope(shapes.ImageSerializer), **READ},
    )
    def list(self, request: Request, pk: str) -> Response:
        """By name."""
        return super().list(request)

    @extend_schema(
        operation_id="hypervisors_images_create",
        request={"multipart/form-data": bodies.NewImageSerializer},
        responses={201: shapes.ImageSerializer, **WRITE, **problem_responses(413, 415)},
    )
    def create(self, request: Request, pk: str) -> Response:
        """Upload an image as `multipart/form-data`. Its format is told by its content; it must hold all of its data."""
        return super().create(request)

    @extend_schema(operation_id="hypervisors_images_destroy", responses=GONE)
    def destroy(self, request: Request, pk: str, id: str) -> Response:
        """Remove an image by its id: on a Linux cluster its name."""
        return super().destroy(request, id)

    @extend_schema(
        operation_id="hypervisors_images_tidy",
        request=TidySerializer,
        responses={200: shapes.ClearedSerializer(many=True), **WRITE},
    )
    def tidy(self, request: Request, pk: str, id: str = "tidy") -> Response:
        """Remove copies that no machine needs where they are; every image stays on two hosts. 409: it makes no copies."""
        hypervisor = self.managed(request)
        cleared = clouds.do(hypervisor, "image.tidy", self.body(request), actor=request.user)
        return Response(shapes.ClearedSerializer(cleared, many=True).data)


class TidyViewSet(HypervisorImageViewSet):
    """The address `images/tidy`: an image may be called so, too, and is deleted there; the description says that once."""

    @extend_schema(exclude=True)
    def destroy(self, request: Request, pk: str, id: str) -> Response:
        """As on the address of any other image."""
        return super().destroy(request, pk, id)
