"""Which verbs a person is offered on a machine now, and why not the others."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django_fsm import can_proceed

from accounts.models import User
from descriptors.models import Descriptor, Operation
from descriptors.permissions import access_of
from descriptors.states import CHOICES
from descriptors.verbs import VERBS, Verb
from hypervisors.drivers.base import CAPABILITY_WORDS
from hypervisors.registry import driver_class
from olimpus.errors import Invalid


def open_operation(descriptor: Descriptor) -> Operation | None:
    """The operation that holds the descriptor now."""
    try:
        return descriptor.open_operation
    except Operation.DoesNotExist:
        return None


def available(descriptor: Descriptor, user: User) -> list[dict[str, Any]]:
    """Every verb this person may ever use here, in the table's order: {"verb", "enabled", "why"}; no query."""
    operation, access = open_operation(descriptor), access_of(user)
    stand = access.stand(descriptor.path)
    return [
        {"verb": verb, "enabled": not why, "why": why}
        for verb in VERBS.values()
        if access.everything or access.allows(stand, verb.permission)
        for why in [_why_not(verb, descriptor, operation)]
    ]


def _why_not(verb: Verb, descriptor: Descriptor, operation: Operation | None) -> str:
    if operation is not None:
        return _("“%(verb)s” is in progress.") % {"verb": VERBS[operation.verb].label}
    if not allowed_from(verb, descriptor):
        return not_from_here(verb, descriptor)
    if why := unable(verb, descriptor):
        return why
    return descriptor.hypervisor.closed_because() if descriptor.hypervisor else ""


def allowed_from(verb: Verb, descriptor: Descriptor) -> bool:
    """Whether the state machine lets the verb begin in the descriptor's state."""
    return can_proceed(verb.begin.__get__(descriptor, type(descriptor)))


def unable(verb: Verb, descriptor: Descriptor) -> str:
    """Why the technology of its hypervisor cannot do the verb, in words; "" when it can, or is not asked before."""
    if verb.capability is None or descriptor.hypervisor is None:
        return ""
    try:
        driver = driver_class(descriptor.hypervisor.driver)
    except Invalid:  # its library is missing here; the workers may have it
        return ""
    if verb.capability in driver.capabilities:
        return ""
    told = {"driver": _(driver.label), "capability": _(CAPABILITY_WORDS[verb.capability])}
    return _("%(driver)s cannot do this: %(capability)s.") % told


def not_from_here(verb: Verb, descriptor: Descriptor) -> str:
    """Why the state does not allow the verb, in words."""
    return _not_from(verb.name, descriptor.state, get_language())


@cache
def _not_from(verb: str, state: str, _language: str | None) -> str:
    """Lists ask for the same few sentences again and again; the language is part of the question."""
    names = dict(CHOICES)
    return _("It is %(state)s; “%(verb)s” needs: %(states)s.") % {
        "state": _(names[state]).lower(),
        "verb": VERBS[verb].label,
        "states": ", ".join(_(names[state]).lower() for state in sources(VERBS[verb])),
    }


def sources(verb: Verb) -> list[str]:
    """The states from which the verb may begin, in the order of life."""
    transitions = verb.begin._django_fsm.transitions  # type: ignore[attr-defined]
    return [value for value, _label in CHOICES if value in transitions or "*" in transitions]
