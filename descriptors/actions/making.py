"""Making many machines at once, all or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import tree
from descriptors.actions.shaping import insert, reread
from descriptors.models import Kind, Node
from descriptors.permissions import forget, require
from olimpus.db import retry_on_deadlock
from olimpus.errors import Invalid

#: Machines made by one request.
MOST_AT_ONCE: Final = 500


@retry_on_deadlock
def create_descriptors(
    parent: Node, wanted: Mapping[str, Mapping[str, Any]], *, actor: User, dry_run: bool = False
) -> list[Node]:
    """Define machines below a folder: name → local definition; all or none. Returns them in this order.

    Conflict when a name is taken, Invalid, Forbidden. With `dry_run` it is done and taken back, so that whoever asks meets
    every fault that the deed would meet.
    """
    if not 0 < len(wanted) <= MOST_AT_ONCE:
        raise Invalid(_("Between 1 and %d machines are made at once.") % MOST_AT_ONCE, where="name")
    require(actor, "create_nodes", parent)
    with tree.lock():
        parent = reread(parent)
        require(actor, "create_nodes", parent)
        drafts = [tree.Draft(name, Kind.DESCRIPTOR, dict(definition)) for name, definition in wanted.items()]
        made = insert([(parent, drafts)], actor=actor)
        if dry_run:
            transaction.set_rollback(True)
    if dry_run:
        forget()
    return made
