"""Consoles: who may open which, tickets that are good once and for half a minute, and a line in the journal for each end.

A ticket is bound to its person, machine, kind and mode. Whoever uses it must also be signed in as that person.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors.models import ConsoleSession, Descriptor
from descriptors.permissions import require
from descriptors.selectors import consoles_of, may_drive, require_watching
from olimpus.errors import Conflict, Forbidden, Invalid

#: Seconds that a ticket is good for.
TICKET: Final = 30
#: Seconds that an open console is believed in without news of its process.
BELIEF: Final = 60


@dataclass(frozen=True)
class Ticket:
    """What opens one console once."""

    clear: str
    kind: str
    mode: str
    expires_at: datetime


def ask_console(machine: Descriptor, kind: str = "", *, actor: User, watch: bool = False) -> Ticket:
    """A ticket for a console of this kind ("": the first that the machine offers); only to watch, if so asked.

    Who may not open the console but may watch it gets a ticket to watch. NotFound, Forbidden, Conflict when the machine is
    on no hypervisor, Invalid when it has no such console.
    """
    require_watching(actor, machine)
    offered = consoles_of(machine)
    if not offered:
        raise Conflict(_("It has no console: it is on no hypervisor, or on one without."), where=machine.path)
    if kind and kind not in offered:
        message = _("The machine has no console of kind “%(kind)s”.") % {"kind": kind}
        raise Invalid(message, where="kind", hint=", ".join(offered))
    now, clear = timezone.now(), secrets.token_urlsafe(32)
    ConsoleSession.objects.filter(valid_until__lt=now).delete()
    here = journal.current()
    row = ConsoleSession.objects.create(
        ticket=_digest(clear),
        user=actor,
        node=machine,
        kind=kind or offered[0],
        watch_only=watch or not may_drive(actor, machine),
        via=here.via,
        source=here.source,
        valid_until=now + timedelta(seconds=TICKET),
    )
    return Ticket(clear, row.kind, row.mode, row.valid_until)


def open_console(clear: str, *, actor: User) -> ConsoleSession:
    """Use a ticket up; the console is open from now on and is in the journal. Who may what is asked again.

    Forbidden when the ticket is unknown, used, expired or somebody else's; Conflict when too many consoles are open.
    """
    with transaction.atomic():
        # Whoever opens two at once is counted one after the other.
        User.objects.select_for_update().filter(pk=actor.pk).first()
        row = ConsoleSession.objects.filter(ticket=_digest(clear), user=actor, valid_until__gte=timezone.now())
        found = row.select_related("node__hypervisor", "user").first()
        if found is None or not row.update(ticket="", valid_until=timezone.now() + timedelta(seconds=BELIEF)):
            raise Forbidden(_("The ticket is used up or too old."), hint=_("Ask for the console again."))
        found.ticket = ""
        if found.watch_only:
            require_watching(actor, found.node)
        else:
            require(actor, "console", found.node)
        _require_room(actor)
        _record(found, actor, "console.open")
    return found


def close_console(session: ConsoleSession, *, seconds: float, reason: str) -> None:
    """The socket is closed; `reason` is a word for the journal."""
    ConsoleSession.objects.filter(pk=session.pk).delete()
    actor = User.objects.filter(pk=session.user_id).first()  # nobody when the account was deleted
    _record(session, actor, "console.close", seconds=round(seconds), reason=reason)


def renew_consoles(sessions: Collection[int]) -> None:
    """The process that holds these open consoles is alive."""
    until = timezone.now() + timedelta(seconds=BELIEF)
    ConsoleSession.objects.filter(pk__in=sessions).update(valid_until=until)


def _require_room(actor: User) -> None:
    is_open = ConsoleSession.objects.filter(ticket="", valid_until__gte=timezone.now())
    bounds = (
        (is_open.filter(user=actor), settings.OLIMPUS_CONSOLES_PER_USER, _("You have %(n)d consoles open.")),
        (is_open, settings.OLIMPUS_CONSOLES, _("%(n)d consoles are open here, as many as there may be.")),
    )
    for rows, most, message in bounds:
        if (number := rows.count()) > most:
            raise Conflict(message % {"n": number - 1}, where="consoles", hint=_("Close one, and try again."))


def _record(session: ConsoleSession, actor: User | None, verb: str, **more: object) -> None:
    data = {"kind": session.kind, "mode": session.mode, **more}
    with journal.context(via=session.via, source=session.source):
        journal.record(actor, verb, path=session.node.path, node_id=session.node_id, data=data)


def _digest(clear: str) -> str:
    return hashlib.sha256(clear.encode("utf-8", "surrogatepass")).hexdigest()
