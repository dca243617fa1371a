"""Which flavor suits, and in which zone the nodes of a slice go, with the reasons in words."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Final

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hypervisors import clouds, inventory
from hypervisors.api.openstack import bodies, shapes
from hypervisors.api.openstack.base import READ, CloudViewSet, WhichQuery, envelope, enveloped
from hypervisors.flavors import Flavor
from hypervisors.inventory import Answer
from hypervisors.models import Hypervisor
from hypervisors.phrases import lacking, phrase
from hypervisors.placement import Node, Recommendation, Size, Strategy, links_of, place_of, recommend, suggest
from hypervisors.registry import nearest
from olimpus.api import query
from olimpus.errors import Invalid

#: What a node counts as that says nothing about its size.
ASSUMED: Final = "small"
#: Names of resources in OpenStack's words.
WORDS: Final = {"cpus": "vcpus", "memory_mib": "ram", "disk_gib": "disk"}


class AdviceViewSet(CloudViewSet):
    """Questions that change nothing."""

    takes: ClassVar = {"recommend": bodies.RecommendSerializer, "suggest": bodies.SuggestSerializer}

    @extend_schema(
        request=bodies.RecommendSerializer,
        parameters=[WhichQuery],
        responses={200: shapes.RecommendationSerializer, **READ},
    )
    def recommend(self, request: Request) -> Response:
        """The cheapest flavor that is large enough, the next one, and why; or what is missing."""
        needs = _size(self.body(request)["requirements"])
        cloud, answer = self._known(request, "flavors")
        told = recommend(needs, inventory.flavors(answer))
        rows = {row["name"]: row for row in answer.data}
        return Response(shapes.RecommendationSerializer(_recommended(cloud, answer, told, rows)).data)

    @extend_schema(
        request=bodies.SuggestSerializer,
        parameters=[WhichQuery],
        responses={
            200: envelope(
                shapes.SuggestionSerializer,
                zones=serializers.DictField(child=serializers.IntegerField(), help_text="How many nodes each gets."),
                complete=serializers.BooleanField(help_text="Whether every node goes somewhere."),
            ),
            **READ,
        },
    )
    def suggest(self, request: Request) -> Response:
        """A zone for each node of a slice, with the reason."""
        config = self.body(request)["slice_config"]
        cloud, known = self._known(request, "flavors")
        nodes = _nodes(config["nodes"], {flavor.name: flavor for flavor in inventory.flavors(known)})
        names = [node.name for node in nodes]
        links = [*links_of(config["topology"], names), *((first, second) for first, second in config["links"])]
        answer = clouds.look(cloud, "zones", actor=request.user)
        places = map(place_of, inventory.zones(answer))
        strategy = Strategy.SPREAD if config["high_availability"] else Strategy.TOGETHER
        told = suggest(nodes, links, places, strategy=strategy)
        rows = [
            {
                "node": placement.node,
                "availability_zone": placement.place,
                "flavor": _flavor_of(given),
                "reason": phrase(placement.reason),
                "code": placement.reason.code,
            }
            for placement, given in zip(told, config["nodes"], strict=True)
        ]
        zones = Counter(placement.place for placement in told if placement.place)
        complete = all(placement.place for placement in told)
        return enveloped(cloud, answer, shapes.SuggestionSerializer, rows, zones=dict(zones), complete=complete)

    def _known(self, request: Request, kind: str) -> tuple[Hypervisor | None, Answer]:
        cloud = clouds.chosen(query(request, WhichQuery)["hypervisor"])
        return cloud, clouds.look(cloud, kind, actor=request.user)


def _size(given: dict[str, Any]) -> Size:
    return Size(cpus=given["vcpus"], memory_mib=given["ram"], disk_gib=given["disk"])


def _flavor_of(given: dict[str, Any]) -> str:
    return "" if given["requirements"] else given["flavor"] or ASSUMED


def _nodes(given: list[dict[str, Any]], flavors: dict[str, Flavor]) -> list[Node]:
    """The nodes with their sizes. `Invalid` naming a flavor that there is not."""
    nodes = []
    for index, node in enumerate(given):
        if node["requirements"]:
            needs: Size | Flavor = _size(node["requirements"])
        else:
            name = _flavor_of(node)
            if name not in flavors:
                where = f"slice_config.nodes[{index}].flavor"
                hint = _("Did you mean “%(name)s”?") % {"name": nearest(name, flavors)}
                raise Invalid(_("There is no flavor “%s”.") % name[:64], where=where, hint=hint)
            needs = flavors[name]
        nodes.append(Node(node["name"], needs, node["availability_zone"]))
    return nodes


def _recommended(
    cloud: Hypervisor | None, answer: Answer, told: Recommendation, rows: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """What the serializer of recommendations takes."""
    chosen = {"recommended": told.best, "runner_up": told.runner_up, "nearest": told.nearest}
    missing = [
        {
            "resource": WORDS[short.resource],
            "needed": short.needed,
            "offered": short.offered,
            "largest": short.largest,
            "text": lacking(short, told.nearest.name),
        }
        for short in told.missing
    ]
    return {
        "hypervisor": cloud.name if cloud else "",
        "source": answer.source,
        "age_seconds": answer.age_seconds,
        "error": answer.error,
        **{name: rows[flavor.name] if flavor else None for name, flavor in chosen.items()},
        "reason": phrase(told.reason),
        "code": told.reason.code,
        "runner_up_reason": phrase(told.runner_up_reason) if told.runner_up_reason else "",
        "missing": missing,
    }
