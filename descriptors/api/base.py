"""What the views of the tree share."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers, viewsets
from rest_framework.request import Request

from descriptors import selectors
from descriptors.api.documents import YamlRenderer
from descriptors.definition import nearest
from descriptors.models import Descriptor, Node
from olimpus.api import problem_responses
from olimpus.errors import Conflict, Invalid

ID = "[0-9]{1,18}"
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="ETag of what you read; 412 when somebody saved since."
)
AS = OpenApiParameter("as", str, enum=["json", "yaml"], description="The same as `Accept`.")
READ = problem_responses(400, 401, 403, 404)
WRITE = problem_responses(400, 401, 403, 404, 409, 412, 413, 415)
ASK = problem_responses(400, 401, 403, 404, 409, 502, 504)


class TreeViewSet(viewsets.GenericViewSet):
    """Views of the tree: serializers of bodies by action, nodes by the visible id."""

    queryset = Node.objects.none()
    filter_backends = ()
    lookup_value_regex = ID
    #: The body of each action; the browsable pages make their forms from it.
    bodies: ClassVar[dict[str, type[serializers.Serializer[Any]]]] = {}

    def get_serializer_class(self) -> Any:
        """What an action is sent."""
        return self.bodies.get(self.action, serializers.Serializer)

    def body(self, request: Request) -> dict[str, Any]:
        """The checked body of this action. ValidationError naming the fields."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        for key in request.data:
            if key not in form.fields and key != "csrfmiddlewaretoken":
                raise Invalid(_("There is no such field."), where=str(key)[:64], hint=nearest(str(key), form.fields))
        return dict(form.validated_data)

    def get_format_suffix(self, **kwargs: Any) -> str | None:
        """`?as=yaml` where an answer can be YAML."""
        suffix = self.request.query_params.get("as") if YamlRenderer in self.renderer_classes else None
        return suffix or super().get_format_suffix(**kwargs)

    def node(self, pk: str | int) -> Node:
        """The node with this id. NotFound when it is not there or not visible."""
        return selectors.get(self.request.user, int(pk))

    def machine(self, pk: str | int) -> Descriptor:
        """The machine with this id. NotFound, Conflict for a folder."""
        node = self.node(pk)
        if node.is_folder:
            raise Conflict(_("This is a folder, not a machine."), where=node.path)
        return node.descriptor

    def folder(self, given: dict[str, Any]) -> Node:
        """The folder that a body names by `parent` or `parent_path`. Invalid, NotFound."""
        if ("parent" in given) == ("parent_path" in given):
            raise Invalid(_("Name one folder, by “parent” (its id) or by “parent_path”."), where="parent")
        return selectors.get(self.request.user, given.get("parent") or given["parent_path"])
