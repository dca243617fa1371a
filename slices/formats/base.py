"""What a format is. Each is one module with its `FORMAT`, and one line in the registry."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from olimpus.errors import Invalid, TooLarge
from olimpus.words import gettext as _
from slices.formats.report import Report
from slices.graph import Graph

#: Of a file that is imported.
MOST_BYTES: Final = 10 * 1024 * 1024
#: Characters that are looked at to know a format by.
HEAD: Final = 65_536

#: The graph, `check`ed and with valid definitions. Invalid or TooLarge, and nothing else whatever is given, with the line.
Reader = Callable[[str | bytes], tuple[Graph, Report]]
#: The text. What the format cannot say is left out.
Writer = Callable[[Graph], str]


@dataclass(frozen=True)
class Format:
    """A way to write topologies down: `title` is the same in every language, `known` judges the head of a text.

    `endings` are those of its files. A format that is only read has no `write`, and the other way round.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    known: Callable[[str], bool]
    read: Reader | None = None
    write: Writer | None = None


def bounded(text: str | bytes) -> str | bytes:
    """The text itself. TooLarge before anything is read of it."""
    if len(text) > MOST_BYTES:
        raise TooLarge(_("the file is larger than %(limit)d MiB") % {"limit": MOST_BYTES // 1024 // 1024})
    return text


def head(text: str | bytes) -> str:
    """What a format is known by, without a byte order mark. Invalid for what is no text."""
    start = text[:HEAD]
    if isinstance(start, bytes):
        encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
        start = start.decode(encoding, errors="replace")
    if "\0" in start:
        raise Invalid(_("This is no text."), where="format", hint=_("Give a file that describes a topology."))
    return start.removeprefix("\ufeff").lstrip()


@contextmanager
def uncollected() -> Iterator[None]:
    """Python does not search for rubbish meanwhile: reading makes much and leaves little, and is about 5 % quicker.

    Whoever found the search on puts it on again, so that several threads may read at once.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
