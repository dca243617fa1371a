"""Images: everybody may read them, managers upload and remove them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import parsers, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hypervisors import clouds
from hypervisors.api.openstack import bodies, shapes
from hypervisors.api.openstack.base import READ, WRITE, CloudViewSet, ListQuery, WhichQuery, envelope, enveloped
from hypervisors.api.openstack.catalogue import GONE
from hypervisors.models import Hypervisor
from olimpus.api import problem_responses, query
from olimpus.errors import TooLarge

ANY = serializers.BooleanField(required=False, help_text="Of a mock whose settings name no images: it takes any name.")


class ImageViewSet(CloudViewSet):
    """What system disks are made from; of any hypervisor that has images, where one is named."""

    parser_classes = (parsers.MultiPartParser,)
    takes: ClassVar = {"create": bodies.NewImageSerializer}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what is too large before anything reads it: who signs in by session is asked for a token in the body."""
        given = str(request.META.get("CONTENT_LENGTH") or "0")
        if not given.isdecimal() or int(given) > settings.OLIMPUS_IMAGE_LIMIT:
            gib = settings.OLIMPUS_IMAGE_LIMIT / 1024**3
            raise TooLarge(_("The image is larger than %(limit)g GiB.") % {"limit": gib}, where="file")
        super().initial(request, *args, **kwargs)

    def which(self, request: Request) -> Hypervisor:
        """The hypervisor that is meant."""
        return clouds.required_with("images", query(request, WhichQuery)["hypervisor"])

    @extend_schema(parameters=[ListQuery], responses={200: envelope(shapes.ImageSerializer, any_name=ANY), **READ})
    def list(self, request: Request) -> Response:
        """By name."""
        refresh = query(request, ListQuery)["refresh"]
        cloud = self.which(request)
        answer = clouds.look(cloud, "images", actor=request.user, refresh=refresh)
        more = {"any_name": True} if clouds.takes_any_image(cloud) else {}
        return enveloped(cloud, answer, shapes.ImageSerializer, answer.data, **more)

    @extend_schema(
        request={"multipart/form-data": bodies.NewImageSerializer},
        parameters=[WhichQuery],
        responses={201: shapes.ImageSerializer, **WRITE, **problem_responses(413, 415)},
    )
    def create(self, request: Request) -> Response:
        """Upload an image as `multipart/form-data`. Its format is told by its content; it must hold all of its data."""
        cloud = self.managed(request)
        given = self.body(request)
        made = clouds.upload_image(cloud, given.pop("name"), given.pop("file"), actor=request.user, **given)
        return Response(shapes.ImageSerializer(made).data, status=201)

    @extend_schema(parameters=[WhichQuery], responses=GONE)
    def destroy(self, request: Request, id: str) -> Response:
        """Remove an image by its id."""
        clouds.do(self.managed(request), "image.delete", {"image": id}, actor=request.user)
        return Response(status=204)
