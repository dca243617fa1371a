"""The one place for audit and events: who did what to which path, when, from where.

Entries are written inside the caller's transaction, so that a rollback leaves no false line. No signal is sent:
web processes tail the table (`descriptors/feed.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import PATH_LENGTH, Entry, User
from olimpus.db import insert_each

#: What replaces a secret.
HIDDEN: Final = "***"

#: `keypair` and `key_name` are names, not keys.
SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|credential|authorization|key(?!_?pair|_?name|board|word)", re.I
)
SECRET_URL = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")


@dataclass(frozen=True, slots=True)
class Context:
    """Where the work of the moment comes from."""

    via: str = ""
    source: str = ""


@dataclass(slots=True)
class Draft:
    """An entry to be written by `record_many`."""

    actor: User | None
    verb: str
    path: str = ""
    node_id: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    operation_id: UUID | None = None


NOWHERE: Final = Context()
_scopes: list[Callable[[User], Q]] = []
_context: ContextVar[Context] = ContextVar("journal_context", default=NOWHERE)


@contextmanager
def context(*, via: str = "", source: str = "") -> Iterator[None]:
    """Name the door (`api`, `portal`, `admin`, `command`, `worker`) and the address for all entries written inside."""
    token = _context.set(Context(via=via[:16], source=source[:64]))
    try:
        yield
    finally:
        _context.reset(token)


def current() -> Context:
    """Return the context that entries get now."""
    return _context.get()


def record(
    actor: User | None,
    verb: str,
    *,
    path: str = "",
    node_id: int | None = None,
    data: dict[str, Any] | None = None,
    operation_id: UUID | None = None,
) -> Entry:
    """Write one entry in the caller's transaction and return it. Secrets in `data` are replaced, see `scrub`."""
    entry = _entry(Draft(actor, verb, path, node_id, data or {}, operation_id))
    entry.save(force_insert=True)
    return entry


def record_many(entries: Iterable[Draft]) -> None:
    """Write many entries in the caller's transaction, by one statement."""
    insert_each(Entry, [_entry(draft) for draft in entries])


def widen(scope: Callable[[User], Q]) -> None:
    """Let a higher app show more entries: `scope(user)` tells which, beyond one's own. Call it from `ready()`, once."""
    _scopes.append(scope)


def visible_to(user: User) -> QuerySet[Entry]:
    """Return the entries `user` may read: superusers all, others their own and what higher apps widen it to."""
    if user.is_superuser:
        return Entry.objects.all()
    allowed = Q(actor=user)
    for scope in _scopes:
        allowed |= scope(user)
    return Entry.objects.filter(allowed)


def below(path: str) -> Q:
    """Return the condition "at this path or below it", in a form that both databases answer from the index."""
    path = path.rstrip("/")
    # "0" follows "/" in every collation.
    return Q(path=path) | Q(path__gt=f"{path}/", path__lt=f"{path}0") if path else Q()


def scrub(data: Any) -> Any:
    """Return a copy of `data` without secrets: values of telling keys and passwords inside URLs become `***`."""
    if isinstance(data, Mapping):
        return {key: HIDDEN if _hides(key, value) else scrub(value) for key, value in data.items()}
    if isinstance(data, list | tuple | set | frozenset):
        return [scrub(value) for value in data]
    return SECRET_URL.sub(HIDDEN, data) if isinstance(data, str) else data


def _hides(key: Any, value: Any) -> bool:
    """Numbers, flags and nothing cannot be secrets: `{"tokens": 3}` stays readable."""
    return bool(SECRET_NAME.search(str(key))) and not (value is None or isinstance(value, bool | int | float))


def _entry(draft: Draft) -> Entry:
    here = current()
    # An anonymous visitor has no row to point to.
    actor = draft.actor if draft.actor is not None and draft.actor.pk else None
    return Entry(
        actor=actor,
        actor_name=actor.get_username() if actor else "",
        verb=draft.verb,
        path=draft.path[:PATH_LENGTH],
        node_id=draft.node_id,
        operation_id=draft.operation_id,
        source=here.source,
        via=here.via,
        data=scrub(draft.data),
    )
