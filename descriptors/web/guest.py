"""What only the hypervisor knows: snapshots and the text console. Fetched when somebody opens them, never with the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from descriptors import selectors
from descriptors.models import Descriptor
from descriptors.permissions import require
from descriptors.web.doors import SignedIn, door
from descriptors.web.rows import offers_of
from hypervisors.gateway import Gateway, gateway_for
from olimpus.errors import HypervisorError, NotFound


@door
def snapshots(request: SignedIn, node_id: int) -> HttpResponse:
    """The snapshots, newest first, with what may be done to each: go back to it, delete it."""
    machine = _machine(request, node_id)
    found, fault = _asked(machine, lambda gateway: gateway.snapshots(machine.vm_ref))
    offers = {offer["verb"].name: offer for offer in offers_of(machine, request.user)}
    context = {"node": machine, "snapshots": sorted(found or [], key=lambda one: one.created_at, reverse=True)}
    actions = [offers[name] for name in ("revert", "delete_snapshot") if name in offers]
    return render(request, "portal/snapshots.html", context | {"fault": fault, "actions": actions})


@door
def console_text(request: SignedIn, node_id: int) -> HttpResponse:
    """What the serial console said since the power came on."""
    machine = _machine(request, node_id)
    require(request.user, "console", machine)
    text, fault = _asked(machine, lambda gateway: gateway.console_text(machine.vm_ref))
    return render(request, "portal/console_text.html", {"node": machine, "text": text, "fault": fault})


def _machine(request: SignedIn, node_id: int) -> Descriptor:
    node = selectors.get(request.user, node_id)
    if node.is_folder:
        raise NotFound(_("This is a folder."), where=node.path)
    return node.descriptor


def _asked(machine: Descriptor, question: Callable[[Gateway], Any]) -> tuple[Any, HypervisorError | None]:
    """The answer, or why there is none; nothing for a machine that is on no hypervisor."""
    if not machine.hypervisor or not machine.vm_ref:
        return None, None
    try:
        return question(gateway_for(machine.hypervisor)), None
    except HypervisorError as error:
        return None, error
