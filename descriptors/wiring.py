"""What the apps below are told once, when all models are there."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models import Q
from django.db.models.signals import post_migrate
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors import figures, selectors, tree
from descriptors.models import Descriptor
from descriptors.permissions import access_of, can, within
from hypervisors import clouds, metrics
from hypervisors.models import Hypervisor
from olimpus.errors import Forbidden


def connect(app: AppConfig) -> None:
    """Whoever may see a node may read what happened to it; and the tree always has its root."""
    journal.widen(entries_of_what_one_sees)
    post_migrate.connect(plant, sender=app)
    metrics.tell(figures.told)
    clouds.protect(require_machine)
    clouds.name_machines(ref_of)


def entries_of_what_one_sees(user: User) -> Q:
    """Entries about nodes in this person's branches; those about no node are not among them."""
    return ~Q(path="") & Q(within("path", access_of(user).intervals("see")))


def require_machine(user: User, hypervisor: Hypervisor, ref: str) -> None:
    """Raise `Forbidden` when the machine is somebody's in the tree, and this person may not edit it there."""
    for machine in Descriptor.objects.filter(hypervisor=hypervisor, vm_ref=ref):
        if not can(user, "edit", machine):
            raise Forbidden(
                _("The volume belongs to a machine that you do not manage."),
                where=machine.path if can(user, "see", machine) else ref,
                hint=_("Ask a manager of the machine."),
            )


def ref_of(user: User, hypervisor: Hypervisor, key: str) -> str | None:
    """The hypervisor's reference of the machine with this id, uid or reference, if this person sees it there."""
    found = selectors.instances_named(user, key, [hypervisor]).first()
    return found.vm_ref if found else None


def plant(**_signal: Any) -> None:
    """The root folder, also after a test emptied the tables."""
    tree.plant()
