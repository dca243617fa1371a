"""Dates and numbers as people say them, in the language and time zone of whoever types."""

from __future__ import annotations

import time
from datetime import datetime
from functools import lru_cache
from typing import Final

from olimpus.cli.words import gettext as _
from olimpus.cli.words import language

#: Seconds that are still told one by one; older moments share their words.
RECENT: Final = 60


def moment(iso: str) -> datetime:
    """A moment as the API writes it."""
    return datetime.fromisoformat(iso)


def ago(iso: str | None) -> str:
    """`3 minutes ago`, `hace 3 minutos`; "" for no moment."""
    return _at(iso, int(time.time()), language()) if iso else ""


def exact(iso: str | None) -> str:
    """Date and time in the local time zone; "" for no moment."""
    if not iso:
        return ""
    from babel.dates import format_datetime

    return str(format_datetime(moment(iso).astimezone(), "medium", locale=language()))


def duration(seconds: float) -> str:
    """`2 minutes`, `2 minutos`."""
    from babel.dates import format_timedelta

    return str(format_timedelta(seconds, granularity="second", locale=language()))


def number(value: float) -> str:
    """`20,000`, `20.000`."""
    return _number(value, language())


@lru_cache(maxsize=4096)
def _at(iso: str, now: int, locale: str) -> str:
    """Many rows share a moment."""
    seconds = now - int(moment(iso).timestamp())
    return _ago(seconds if abs(seconds) < RECENT else seconds // RECENT * RECENT, locale)


@lru_cache(maxsize=4096)
def _ago(seconds: int, locale: str) -> str:
    from babel.dates import format_timedelta

    if seconds == 0:
        return _("now")
    return str(format_timedelta(-seconds, granularity="second", add_direction=True, locale=locale))


@lru_cache(maxsize=4096)
def _number(value: float, locale: str) -> str:
    from babel.numbers import format_decimal

    return str(format_decimal(value, locale=locale))
