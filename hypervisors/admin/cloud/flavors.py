"""The flavors of a cloud beside the predefined ones, which can be made on it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, ngettext

from hypervisors import clouds
from hypervisors.admin.cloud.base import drawn, told
from hypervisors.admin.cloud.forms import FlavorForm
from hypervisors.flavors import PREDEFINED
from hypervisors.models import Hypervisor
from olimpus.errors import OlimpusError


def page(request: HttpRequest, hypervisor: Hypervisor) -> HttpResponse:
    """All flavors. POST makes the predefined ones that `predefined` names (with commas), or one of its own sizes."""
    if request.method != "POST":
        return drawn(request, hypervisor, "flavors", "flavors", "flavors", form=FlavorForm())
    if "predefined" in request.POST:
        return _make_predefined(request, hypervisor, set(request.POST["predefined"].split(",")))
    form = FlavorForm(request.POST)
    if form.is_valid() and _made(request, hypervisor, form.cleaned_data, form):
        text = gettext("The flavor “%(name)s” is there.") % {"name": form.cleaned_data["name"]}
        return told(request, hypervisor, "flavors", text)
    return drawn(request, hypervisor, "flavors", "flavors", "flavors", form=form)


def _make_predefined(request: HttpRequest, hypervisor: Hypervisor, asked: set[str]) -> HttpResponse:
    """Each may be repeated: what is there already stays as it is. Stops at the first that the cloud refuses."""
    names = [name for name in PREDEFINED if name in asked]
    for number, name in enumerate(names):
        try:
            clouds.create_flavor(hypervisor, {"name": name}, actor=request.user)  # type: ignore[arg-type]
        except OlimpusError as error:
            text = gettext("“%(name)s” is not made: %(error)s") % {"name": name, "error": error}
            if number:
                text = gettext("%(done)d of %(all)d are made.") % {"done": number, "all": len(names)} + " " + text
            return told(request, hypervisor, "flavors", text, messages.ERROR)
    text = ngettext(
        "%(n)d predefined flavor is on the cloud.", "%(n)d predefined flavors are on the cloud.", len(names)
    )
    return told(request, hypervisor, "flavors", text % {"n": len(names)})


def _made(request: HttpRequest, hypervisor: Hypervisor, fields: dict[str, Any], form: FlavorForm) -> bool:
    """Whether it is on the cloud; the form says why not."""
    try:
        clouds.create_flavor(hypervisor, fields, actor=request.user)  # type: ignore[arg-type]
    except OlimpusError as error:
        form.refuse(error)
        return False
    return True
