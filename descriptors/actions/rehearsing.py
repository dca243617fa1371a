"""Breaking a machine on purpose, to learn how it is put right. On mock hypervisors only."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors.models import Descriptor
from descriptors.permissions import require
from descriptors.states import State
from hypervisors import rehearsal
from olimpus.errors import Conflict, NotFound

#: How the journal calls it.
BREAK = "rehearsal.break"


def break_machine(node: Descriptor, *, actor: User) -> None:
    """Switch a running machine off behind our back, as a colleague on the hypervisor would. Drift shows within seconds.

    Needs the right to force it off. Conflict when it does not run, or runs on something real. May be repeated.
    """
    require(actor, "force_off", node)
    machine = Descriptor.objects.select_related("hypervisor").filter(pk=node.pk).first()
    if machine is None:
        raise NotFound(_("It was removed meanwhile."), where=node.path)
    if machine.state != State.RUNNING or machine.hypervisor is None:
        raise Conflict(
            _("Only a running machine can be broken this way."), where=machine.path, hint=_("Start it first.")
        )
    with transaction.atomic():
        journal.record(actor, BREAK, path=machine.path, node_id=machine.pk)
        rehearsal.pull_the_plug(machine.hypervisor, machine.vm_ref)
