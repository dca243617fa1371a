"""Machines over the service API of OpenStacks: instances are machines of the tree, and a slice is a folder of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django.http import QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from descriptors import actions, selectors
from descriptors.actions.slicing import NodeWish, SliceWish, known_flavors, plan_slice
from descriptors.api.base import ASK, READ, TreeViewSet
from descriptors.api.doing import LOCATION
from descriptors.api.rows import node_row, operation_row
from descriptors.api.serializers import NodeSerializer, OperationSerializer, PathField
from descriptors.definition import nearest
from descriptors.models import Descriptor, Kind, Operation
from descriptors.spelling import not_allowed
from descriptors.states import CHOICES
from descriptors.wishes import definition_of, in_words
from hypervisors import clouds, inventory
from hypervisors.api.openstack.base import WhichQuery
from hypervisors.models import Hypervisor
from hypervisors.placement import TOPOLOGIES
from olimpus.api import query
from olimpus.errors import HypervisorError, Invalid, NotFound, OlimpusError
from olimpus.pagination import Pagination
from olimpus.strict import Strict

NAME: Final = 255
MOST_NODES: Final = 500
LARGEST: Final = 4_194_304
NETWORK_TYPES: Final = ("private", "public", "provider", "nat", "isolated")


class Name(serializers.CharField):
    """A name that people give to things."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": NAME, **kwargs})
        self.validators.append(_refuse_controls)


def _refuse_controls(text: str) -> None:
    """A line break or a half character in a name would spoil whatever shows it."""
    if stranger := next((character for character in text if not character.isprintable()), None):
        raise serializers.ValidationError(not_allowed(stranger))


# -- bodies ------------------------------------------------------------------------------------------------------------


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"network": {"type": "string"}, "ip": {"type": "string"}, "mac": {"type": "string"}},
                "required": ["network"],
                "additionalProperties": False,
            },
        ]
    }
)
class CardField(serializers.Field):  # type: ignore[type-arg]
    """A network card: the network's name, or `{"network": …, "ip": …, "mac": …}`."""

    KNOWN: ClassVar = ("network", "ip", "mac")

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """As an entry of `nics`."""
        card = {"network": data} if isinstance(data, str) else data
        if not isinstance(card, dict) or not card.get("network"):
            raise serializers.ValidationError(_("The name of a network, or a mapping with “network”."))
        for text in (*card, *card.values()):
            self._check(text)
        if unknown := sorted(set(map(str, card)) - set(self.KNOWN)):
            message = _("There is no such field. Known: %s.") % ", ".join(self.KNOWN)
            raise serializers.ValidationError({unknown[0][:64]: [message]})
        return dict(card)

    def _check(self, text: Any) -> None:
        if not isinstance(text, str):
            raise serializers.ValidationError(_("Texts are needed."))
        Name(allow_blank=True).run_validation(text)

    def to_representation(self, value: Any) -> Any:
        """As it is."""
        return value


class Sized(Strict):
    """What a machine is made of. Sizes win over the flavor; what is left out comes from the folder."""

    image = Name(required=False)
    flavor = Name(required=False)
    vcpus = serializers.IntegerField(required=False, min_value=1, max_value=512)
    ram = serializers.IntegerField(required=False, min_value=16, max_value=LARGEST, help_text="MiB.")
    disk = serializers.FloatField(required=False, min_value=0.1, max_value=65536, help_text="GiB.")
    availability_zone = Name(required=False, allow_blank=True)
    keypair = Name(required=False)
    user_data = serializers.CharField(required=False, max_length=65_536, trim_whitespace=False)
    security_groups = serializers.ListField(child=Name(), required=False, max_length=32)
    boot_from_volume = serializers.BooleanField(required=False)
    project = Name(required=False)


class NewInstanceSerializer(Sized):
    """A machine. Without `folder` it goes into `/<name of the OpenStack>`."""

    name = Name()
    networks = serializers.ListField(child=CardField(), required=False, max_length=32)
    description = serializers.CharField(required=False, max_length=1000, allow_blank=True)
    folder = PathField(required=False, help_text="Path of the folder of the tree.")
    start = serializers.BooleanField(required=False, default=False, help_text="Also switch it on.")


class SliceNetworkSerializer(Strict):
    """A network of a slice, made with its subnet, and with a router for the types nat and public."""

    name = Name()
    cidr = serializers.CharField(max_length=64)
    network_type = serializers.ChoiceField(NETWORK_TYPES, required=False, default="private")
    gateway = serializers.CharField(required=False, max_length=64)
    dns = serializers.ListField(child=serializers.CharField(max_length=64), required=False, max_length=8)
    dhcp = serializers.BooleanField(required=False)


class SliceMachineSerializer(Sized):
    """A machine of a slice. Without sizes it is small, or medium when it is `critical`."""

    name = Name()
    networks = serializers.ListField(
        child=Name(), required=False, max_length=32, help_text="Of the slice. Left out: all of them."
    )
    critical = serializers.BooleanField(required=False, default=False)
    parameters = serializers.DictField(required=False, help_text="Further parameters of the definition.")


class DeploySliceSerializer(Strict):
    """For example `{"name": "s", "nodes": [{"name": "vm1", "image": "ubuntu-20.04", "flavor": "small"}], "networks":
    [{"name": "test-net", "cidr": "192.168.100.0/24", "network_type": "private"}]}`."""

    name = Name()
    description = serializers.CharField(required=False, max_length=1000, allow_blank=True, default="")
    infrastructure = serializers.ChoiceField(["openstack"], required=False, default="openstack")
    nodes = SliceMachineSerializer(many=True, allow_empty=False, max_length=MOST_NODES)
    networks = SliceNetworkSerializer(many=True, required=False, default=list, max_length=64)
    topology = serializers.ChoiceField(sorted(TOPOLOGIES), required=False, default="custom")
    links = serializers.ListField(
        child=serializers.ListField(child=Name(), min_length=2, max_length=2),
        required=False,
        default=list,
        max_length=20_000,
        help_text="Pairs of names, beside those of the topology.",
    )
    high_availability = serializers.BooleanField(required=False, default=False, help_text="Spread over the zones.")
    folder = PathField(required=False, help_text="That gets the slice's folder. Default: `/<name of the OpenStack>`.")
    start = serializers.BooleanField(required=False, default=True, help_text="Switch the machines on.")


class SliceQuery(WhichQuery):
    """… and what becomes of the others when one machine fails."""

    rollback = serializers.BooleanField(
        required=False, default=False, help_text="Destroy all of them; the definitions stay."
    )


class RemoveQuery(WhichQuery):
    """… and whether its definition goes, too."""

    remove = serializers.BooleanField(required=False, default=False, help_text="Also delete it from the tree.")


# -- answers -----------------------------------------------------------------------------------------------------------


class InstanceSerializer(serializers.Serializer[Any]):
    """A machine on an OpenStack. Those that nobody owns have no `id`, `path` and `state`; managers see them."""

    id = serializers.IntegerField(allow_null=True)
    uid = serializers.CharField(allow_null=True)
    ref = serializers.CharField(help_text="The server's id; empty while it is not made.")
    name = serializers.CharField()
    path = serializers.CharField(allow_null=True)
    hypervisor = serializers.CharField()
    owned = serializers.BooleanField()
    state = serializers.ChoiceField(CHOICES, allow_null=True)
    power = serializers.CharField(allow_null=True, help_text="As last observed.")
    addresses = serializers.ListField(child=serializers.CharField())
    image = serializers.CharField(allow_null=True)
    flavor = serializers.CharField(allow_null=True)
    availability_zone = serializers.CharField(allow_null=True)


PLANNED = inline_serializer(
    "PlannedNode",
    {
        "node": serializers.CharField(),
        "path": serializers.CharField(),
        "flavor": serializers.CharField(),
        "availability_zone": serializers.CharField(help_text="Empty: the cloud chooses."),
        "reason": serializers.CharField(),
        "code": serializers.CharField(help_text="The reason for programs."),
    },
    many=True,
)
MADE = inline_serializer("NewInstance", {"operation": OperationSerializer(), "instance": InstanceSerializer()})
DEPLOYED = inline_serializer(
    "DeployedSlice", {"operation": OperationSerializer(), "folder": NodeSerializer(), "plan": PLANNED}
)
REMOVED = inline_serializer("RemovedInstance", {"deleted": serializers.IntegerField()})
KEY = OpenApiParameter(
    "id", OpenApiTypes.STR, OpenApiParameter.PATH, description="Our id, our uid, or the server's id."
)


# -- views -------------------------------------------------------------------------------------------------------------


class OpenStackViewSet(TreeViewSet):
    """What the views of this module share."""

    def body(self, request: Request) -> dict[str, Any]:
        """The checked body; a form of the browsable pages cannot say all of it."""
        if isinstance(request.data, QueryDict):
            raise Invalid(_("Send JSON."), where="body")
        return super().body(request)


class InstanceViewSet(OpenStackViewSet):
    """Machines on OpenStacks."""

    pagination_class = Pagination
    bodies: ClassVar = {"create": NewInstanceSerializer}

    @extend_schema(
        operation_id="openstack_instances_list",
        parameters=[WhichQuery],
        responses={200: InstanceSerializer(many=True), **READ},
    )
    def list(self, request: Request) -> Response:
        """The machines that you may see; managers of the OpenStack also those that nobody owns, by `owned`."""
        keys = selectors.instance_keys(request.user, _clouds(query(request, WhichQuery)["hypervisor"]))
        return self.get_paginated_response(selectors.instance_rows(self.paginate_queryset(keys) or []))  # type: ignore[arg-type]

    @extend_schema(
        operation_id="openstack_instances_create",
        parameters=[WhichQuery, LOCATION],
        request=NewInstanceSerializer,
        responses={202: MADE, **ASK},
    )
    def create(self, request: Request) -> Response:
        """Define a machine and create it (and with `start` switch it on). 202: see the operation at `Location`."""
        cloud, given = clouds.required(query(request, WhichQuery)["hypervisor"]), self.body(request)
        definition = {"hypervisor": cloud.name, **definition_of(given)}
        if "networks" in given:
            definition["nics"] = given["networks"]
        folder = given.get("folder", "")
        actions.require_place(cloud, folder, actor=request.user)
        _check_offers(cloud, definition, folder, request.user)
        try:
            operation, node = actions.deploy_machine(
                cloud, folder, given["name"], definition, actor=request.user, start=given["start"]
            )
        except OlimpusError as error:
            raise _named(in_words(error), given["name"]) from error
        machine = Descriptor.objects.select_related("hypervisor").get(pk=node.pk)
        return _accepted(operation, request.user, instance=selectors.instance_row(machine))

    @extend_schema(
        operation_id="openstack_instances_retrieve",
        parameters=[WhichQuery, KEY],
        responses={200: InstanceSerializer, **READ},
    )
    def retrieve(self, request: Request, id: str) -> Response:
        """One of your machines."""
        machine = selectors.instance(request.user, id, _clouds(query(request, WhichQuery)["hypervisor"]))
        return Response(selectors.instance_rows([("machine", machine.pk)])[0])

    @extend_schema(
        operation_id="openstack_instances_destroy",
        parameters=[RemoveQuery, KEY, LOCATION],
        responses={
            202: inline_serializer("GoingInstance", {"operation": OperationSerializer()}),
            200: REMOVED,
            **ASK,
        },
    )
    def destroy(self, request: Request, id: str) -> Response:
        """Destroy the VM, also a running one; its definition stays unless `remove` says otherwise."""
        asked = query(request, RemoveQuery)
        machine = selectors.instance(request.user, id, _clouds(asked["hypervisor"]))
        arguments = {"force": True, "remove": asked["remove"]}
        return _accepted(actions.request("destroy", machine, actor=request.user, arguments=arguments), request.user)


class SliceViewSet(OpenStackViewSet):
    """Many machines with their networks in one go."""

    bodies: ClassVar = {"create": DeploySliceSerializer}

    @extend_schema(
        operation_id="openstack_deploy_slice",
        parameters=[SliceQuery, LOCATION],
        request=DeploySliceSerializer,
        responses={202: DEPLOYED, **ASK},
    )
    def create(self, request: Request) -> Response:
        """Make a folder of machines with the networks between them, and create all of it. 202: see `Location`.

        What fails can be asked for again (`POST /api/operations/<id>/retry`), or with `rollback` is undone as a whole.
        """
        asked = query(request, SliceQuery)
        cloud, given = clouds.required(asked["hypervisor"]), self.body(request)
        actions.require_place(cloud, given.get("folder", ""), actor=request.user)
        wish = _wish(given)
        _check_images(cloud, wish)
        made, planned = plan_slice(wish, cloud)
        options = {"start": given["start"], "rollback": asked["rollback"]}
        try:
            operation, folder = actions.deploy_slice(
                cloud, given.get("folder", ""), made, actor=request.user, **options
            )
        except OlimpusError as error:
            raise _named(error, given["name"]) from error
        plan = [
            {
                "node": row.node,
                "path": f"{folder.path}/{row.node}",
                "flavor": row.flavor,
                "availability_zone": row.zone,
                "reason": row.reason,
                "code": row.code,
            }
            for row in planned
        ]
        return _accepted(operation, request.user, folder=node_row(folder), plan=plan)


# -- inside ------------------------------------------------------------------------------------------------------------


def _clouds(name: str) -> list[Hypervisor]:
    """The OpenStack of this name, or all. NotFound when there is none."""
    if name:
        return [clouds.required(name)]
    if not (known := list(clouds.every())):
        raise inventory.no_cloud()
    return known


def _accepted(operation: Operation, user: User, **more: Any) -> Response:
    operation = Operation.objects.select_related("actor", "hypervisor").get(pk=operation.pk)
    row = {"operation": operation_row(operation, user), **more}
    return Response(row, status=202, headers={"Location": f"/api/operations/{operation.pk}"})


def _named(error: OlimpusError, name: str) -> OlimpusError:
    """Faults of the new node's name stand at the field."""
    if error.where == name or error.where.endswith(f"/{name}"):
        error.where = "name"
    return error


def _wish(given: Mapping[str, Any]) -> SliceWish:
    networks: dict[str, dict[str, Any]] = {}
    for index, network in enumerate(given["networks"]):
        if network["name"] in networks:
            message = _("Two networks are called “%s”.") % network["name"]
            raise Invalid(message, where=f"networks[{index}].name")
        own = {name: value for name, value in network.items() if name not in ("name", "network_type")}
        networks[network["name"]] = {**own, "type": network["network_type"]}
    return SliceWish(
        given["name"],
        [_node(node) for node in given["nodes"]],
        networks,
        given["description"],
        given["topology"],
        [(first, second) for first, second in given["links"]],
        given["high_availability"],
    )


def _node(given: Mapping[str, Any]) -> NodeWish:
    zone = given.get("availability_zone", "")
    definition = {**given.get("parameters", {}), **definition_of({**given, "availability_zone": ""})}
    return NodeWish(given["name"], definition, given.get("networks"), zone, given["critical"])


def _names_of(cloud: Hypervisor, kind: str) -> set[str] | None:
    """Names and ids of what the cloud has; None when it was not heard lately."""
    try:
        answer = inventory.read(cloud, kind)
    except HypervisorError:
        return None
    heard = answer.source in ("live", "cached")
    return {str(row[key]) for row in answer.data for key in ("id", "name") if row.get(key)} if heard else None


def _check_offers(cloud: Hypervisor, definition: Mapping[str, Any], folder: str, user: User) -> None:
    """Refuse at once what the cloud would refuse later. What it does not say now, the operation tells."""
    _check_image(_names_of(cloud, "images"), definition.get("image"), "image")
    flavor = definition.get("flavor")
    if flavor and flavor not in (flavors := known_flavors(cloud)):
        raise Invalid(_("There is no flavor “%s”.") % flavor, where="flavor", hint=nearest(flavor, flavors))
    zone = definition.get("availability_zone")
    if zone and (zones := _names_of(cloud, "zones")) and zone not in zones:
        raise Invalid(_("There is no zone “%s”.") % zone, where="availability_zone", hint=nearest(zone, zones))
    _check_networks(cloud, [card["network"] for card in definition.get("nics") or []], folder, user)


def _check_images(cloud: Hypervisor, wish: SliceWish) -> None:
    known = _names_of(cloud, "images")
    for index, node in enumerate(wish.nodes):
        _check_image(known, node.definition.get("image"), f"nodes[{index}].image")


def _check_image(known: set[str] | None, image: Any, where: str) -> None:
    if image and known is not None and image not in known:
        hint = nearest(str(image), known) if known else ""
        raise Invalid(_("There is no image “%s”.") % image, where=where, hint=hint)


def _check_networks(cloud: Hypervisor, wanted: Sequence[str], folder: str, user: User) -> None:
    """One that the folder defines is made when it is missing."""
    if not wanted or (known := _names_of(cloud, "networks")) is None:
        return
    defined = _networks_of(folder or f"/{cloud.name}", user)
    for index, network in enumerate(wanted):
        if network not in known and network not in defined:
            # Which networks there are is for the managers of the cloud.
            hint = nearest(network, known) if known and cloud.managed_by(user) else ""
            raise Invalid(_("There is no network “%s”.") % network, where=f"networks[{index}]", hint=hint)


def _networks_of(folder: str, user: User) -> Mapping[str, Any]:
    """What the folder defines; nothing where there is none yet."""
    try:
        node = selectors.get(user, folder)
    except NotFound:
        return {}
    return (selectors.computed(node).values.get("networks") or {}) if node.kind == Kind.FOLDER else {}
