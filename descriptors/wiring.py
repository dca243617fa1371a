"""What the apps below are told once, when all models are there."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models import Q
from django.db.models.signals import post_migrate

from accounts import journal
from accounts.models import User
from descriptors import figures, tree
from descriptors.permissions import access_of, within
from hypervisors import metrics


def connect(app: AppConfig) -> None:
    """Whoever may see a node may read what happened to it; and the tree always has its root."""
    journal.widen(entries_of_what_one_sees)
    post_migrate.connect(plant, sender=app)
    metrics.tell(figures.told)


def entries_of_what_one_sees(user: User) -> Q:
    """Entries about nodes in this person's branches; those about no node are not among them."""
    return ~Q(path="") & Q(within("path", access_of(user).intervals("see")))


def plant(**_signal: Any) -> None:
    """The root folder, also after a test emptied the tables."""
    tree.plant()
