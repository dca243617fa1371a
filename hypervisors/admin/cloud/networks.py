"""The networks of a cloud with their subnets and routers."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from hypervisors import clouds, inventory
from hypervisors.admin.cloud.base import drawn, told
from hypervisors.admin.cloud.forms import NetworkForm
from hypervisors.models import Hypervisor
from olimpus.errors import OlimpusError


def page(request: HttpRequest, hypervisor: Hypervisor) -> HttpResponse:
    """All networks. POST makes one with a subnet, and a router when it shall lead out."""
    form = NetworkForm(request.POST if request.method == "POST" else None, external=_external(hypervisor))
    if form.is_bound and form.is_valid() and (answer := _made(request, hypervisor, form)):
        return answer
    return drawn(request, hypervisor, "networks", "networks", "networks", form=form)


def _made(request: HttpRequest, hypervisor: Hypervisor, form: NetworkForm) -> HttpResponse | None:
    """The network is there, with or without its router; None when it is not, and the form says why."""
    given = form.cleaned_data
    try:
        network = clouds.create_network(
            hypervisor,
            {"name": given["name"], "subnet": form.subnet()},
            actor=request.user,  # type: ignore[arg-type]
        )
    except OlimpusError as error:
        form.refuse(error)
        return None
    if given["way_out"] and (why := _lead_out(request, hypervisor, network, given["way_out"])):
        text = gettext("The network “%(name)s” is there, but its router is not: %(error)s")
        return told(request, hypervisor, "networks", text % {"name": network.name, "error": why}, messages.WARNING)
    text = gettext("The network “%(name)s” is there.") % {"name": network.name}
    return told(request, hypervisor, "networks", text)


def _lead_out(request: HttpRequest, hypervisor: Hypervisor, network: object, external: str) -> str:
    """Join it to the external network by a router of its own; why not, or ""."""
    fields = {
        "name": f"{network.name}-router",  # type: ignore[attr-defined]
        "external": external,
        "subnets": [subnet.id for subnet in network.subnets],  # type: ignore[attr-defined]
    }
    try:
        clouds.do(hypervisor, "router.create", fields, actor=request.user)  # type: ignore[arg-type]
    except OlimpusError as error:
        return str(error)
    return ""


def _external(hypervisor: Hypervisor) -> list[str]:
    """Names of the external networks that the cloud last told of; one query."""
    answer = inventory.known(hypervisor, "networks").get("networks")
    return [row["name"] for row in answer.data if row["external"]] if answer else []
