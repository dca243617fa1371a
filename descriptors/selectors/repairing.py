"""What can be done about a machine that was changed behind Olimpus: the verb that mends it, or the step before that."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.models import User
from descriptors.models import Descriptor
from descriptors.permissions import can
from descriptors.selectors.drift import drift
from descriptors.selectors.offers import allowed_from, open_operation
from descriptors.states import State
from descriptors.verbs import VERBS

#: Where the power differs: (state here, power there) → the verb after which both say the same, which may be repeated.
POWER: Final = {
    (State.RUNNING, "off"): "force_off",
    (State.PAUSED, "off"): "force_off",
    (State.RUNNING, "paused"): "pause",
    (State.PAUSED, "on"): "resume",
    (State.CREATED, "on"): "start",
    (State.STOPPED, "on"): "start",
}
ADVICE: Final = {
    "force_off": gettext_noop("It was switched off there. “%(verb)s” writes that down here; then it can be started."),
    "pause": gettext_noop("It was paused there. “%(verb)s” writes that down here; then it can be resumed."),
    "resume": gettext_noop("It was resumed there. “%(verb)s” writes that down here."),
    "start": gettext_noop("It was switched on there. “%(verb)s” writes that down here; then it can be stopped."),
    "reapply": gettext_noop("“%(verb)s” writes the definition to the hypervisor again."),
}


@dataclass(frozen=True)
class Repair:
    """What mends a machine: a verb that it can do now ("" : none), and what to do in words."""

    verb: str
    advice: str


def repair(machine: Descriptor, differences: Collection[dict[str, Any]], user: User) -> Repair:
    """The next step for a machine with these differences (of `drift`); no query."""
    if operation := open_operation(machine):
        return Repair("", _("“%(verb)s” is in progress.") % {"verb": VERBS[operation.verb].label})
    if not differences:
        return Repair("", _("It is looked at again soon: something was done since."))
    name = _wanted(machine, differences)
    if not name:
        return Repair("", _without_verb(machine, differences))
    if not can(user, VERBS[name].permission, machine):
        return Repair("", _("You may not “%(verb)s” it.") % {"verb": VERBS[name].label})
    if machine.hypervisor is not None and (closed := machine.hypervisor.closed_because()):
        return Repair("", closed)
    return Repair(name, _(ADVICE[name]) % {"verb": VERBS[name].label})


def _wanted(machine: Descriptor, differences: Collection[dict[str, Any]]) -> str:
    """The verb that mends it and that its state allows, or ""."""
    seen = {row["field"]: row["observed"] for row in differences}
    name = POWER.get((State(machine.state), str(seen["power"])), "") if "power" in seen else "reapply"
    return name if name and allowed_from(VERBS[name], machine) else ""


def _without_verb(machine: Descriptor, differences: Collection[dict[str, Any]]) -> str:
    seen = {row["field"]: row["observed"] for row in differences}
    if seen.get("power") == "absent" and machine.state in (State.CREATED, State.STOPPED):
        return _("It is gone from the hypervisor. Destroy it here as well: its definition stays.")
    if seen.get("power") == "absent":
        return _("It is gone from the hypervisor. Force it off here, then recover it: its definition stays.")
    if "power" in seen:
        return _("Look at it on the hypervisor: no verb brings both together.")
    return _("Stop it first: its definition is written to the hypervisor while it is off.")


def drift_report(machines: Collection[Descriptor], user: User, field: str = "") -> list[dict[str, Any]]:
    """[{machine, differences, repair}] of these machines; with `field` only those that differ in it. No query."""
    rows = [(machine, drift(machine, busy=False)) for machine in machines]
    return [
        {"machine": machine, "differences": found, "repair": repair(machine, found, user)}
        for machine, found in rows
        if not field or any(row["field"] == field for row in found)
    ]
