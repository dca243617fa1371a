"""What the views of a cloud share: which cloud is meant, who may, and the envelope around lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from hypervisors import clouds
from hypervisors.actions import require_manager
from hypervisors.inventory import Answer
from hypervisors.models import NAME_LENGTH, Hypervisor
from olimpus.api import problem_responses, query

#: An id or a name, as one part of an address.
ID = r"(?P<id>[^/]{1,255})"
READ = problem_responses(400, 401, 403, 404, 409, 502)
WRITE = problem_responses(400, 401, 403, 404, 409, 502, 504)


class WhichQuery(serializers.Serializer[Any]):
    """Which OpenStack is meant."""

    hypervisor = serializers.CharField(
        required=False, default="", max_length=NAME_LENGTH, help_text="Its name; needed where there are several."
    )


class ListQuery(WhichQuery):
    """Which one, and whether it must be asked now."""

    refresh = serializers.BooleanField(
        required=False, default=False, help_text="Ask the cloud, whatever is known; for its managers."
    )


class ProjectQuery(ListQuery):
    """The same, of one project."""

    project = serializers.CharField(
        required=False, default="", max_length=64, help_text="Name of a project; all that may be seen without it."
    )


def envelope(row: type[serializers.Serializer[Any]], **more: serializers.Field) -> serializers.Serializer[Any]:
    """The documented shape of a list of such rows."""
    fields = {
        "hypervisor": serializers.CharField(help_text="Name of the OpenStack; empty while there is none."),
        "source": serializers.ChoiceField(["live", "cached", "last_known", "predefined"]),
        "age_seconds": serializers.FloatField(allow_null=True, help_text="null: predefined."),
        "error": serializers.CharField(help_text="Why the cloud was not heard; empty when it was."),
        **more,
        "results": row(many=True),
    }
    made = inline_serializer(f"{row.__name__.removesuffix('Serializer')}List", fields)
    return forced_singular_serializer(type(made))  # an object around the list, not a list of such objects


class CloudViewSet(viewsets.GenericViewSet):
    """Views of one cloud: bodies by action, the cloud named by `?hypervisor=`."""

    queryset = Hypervisor.objects.none()
    filter_backends = ()
    pagination_class = None
    takes: ClassVar[dict[str, type[serializers.Serializer[Any]]]] = {}

    def get_serializer_class(self) -> Any:
        """What an action is sent."""
        return self.takes.get(self.action, serializers.Serializer)

    def body(self, request: Request) -> dict[str, Any]:
        """The checked body of this action. ValidationError naming the fields."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def which(self, request: Request) -> Hypervisor:
        """The cloud that is meant. `NotFound`, `Invalid`."""
        return clouds.required(query(request, WhichQuery)["hypervisor"])

    def managed(self, request: Request) -> Hypervisor:
        """The same, for one of its managers: asked before telling what would be wrong with a body."""
        cloud = self.which(request)
        require_manager(request.user, cloud)
        return cloud

    def offered(self, request: Request, asked: Mapping[str, Any], *, for_managers: bool) -> Hypervisor | None:
        """The cloud whose catalogue is read, if there is one; one of its managers asks for more than everybody may know."""
        if not for_managers:
            return clouds.chosen(asked["hypervisor"])
        cloud = clouds.required(asked["hypervisor"])
        require_manager(request.user, cloud)
        return cloud

    def listed(
        self, request: Request, kind: str, row: type[serializers.Serializer[Any]], rows: Any = None, of: str = ""
    ) -> Response:
        """The inventory of a kind that is for managers; `rows` picks them out of what is known."""
        asked = query(request, ProjectQuery)
        cloud = clouds.required(asked["hypervisor"])
        of = of or asked["project"]
        answer = clouds.look(cloud, kind, actor=request.user, refresh=asked["refresh"], of=of)
        return enveloped(cloud, answer, row, answer.data if rows is None else rows(answer.data))


def enveloped(
    cloud: Hypervisor | None,
    answer: Answer,
    row: type[serializers.Serializer[Any]],
    rows: Iterable[Any],
    **more: Any,
) -> Response:
    """Rows with what is known about where they come from."""
    told = {
        "hypervisor": cloud.name if cloud else "",
        "source": answer.source,
        "age_seconds": answer.age_seconds,
        "error": answer.error,
    }
    return Response({**told, **more, "results": row(list(rows), many=True).data})
