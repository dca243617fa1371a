"""Topologies that are written in files: read by the server, which tells what it understood of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.words import gettext as _

Document = dict[str, Any]
Names = dict[str, dict[str, str]]
#: The server takes no larger one, either.
MOST_BYTES: Final = 10 * 1024 * 1024
SORTS: Final = {
    "understood": _("Understood:"),
    "ignored": _("Ignored:"),
    "unmapped": _("Not as it was:"),
}


def imported(here: Context, file: str, **asked: Any) -> Document:
    """What the server makes of a file: `document`, and a `report`, with the images and flavors that the hypervisor lacks.

    Asked for by `format`, `hypervisor` and `mapping`. Raises Failure; faults of the file name it.
    """
    return of_text(here, content(file), file, **asked)


def of_text(here: Context, text: str, file: str, **asked: Any) -> Document:
    """As `imported`, of what was read from the file."""
    given = {key: said for key, said in asked.items() if said}
    try:
        return dict(here.client.post("/slices/import", {"text": text, **given}))
    except Failure as failure:
        if failure.code == Exit.REFUSED:
            failure.where = f"{_named(file)} {failure.where}".strip()
        raise


def content(file: str) -> str:
    """The text of a file, or of the standard input. Raises Failure."""
    try:
        raw = sys.stdin.buffer.read(MOST_BYTES + 1) if file == "-" else Path(file).read_bytes()
        text = raw.decode("utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except OSError as error:
        told = _("The file cannot be read: %(why)s.") % {"why": error.strerror}
        raise Failure(told, Exit.USAGE, where=file) from error
    except UnicodeDecodeError as error:
        raise Failure(_("This is no text."), Exit.USAGE, where=_named(file)) from error
    if len(raw) > MOST_BYTES:
        raise Failure(_("The file is larger than 10 MiB."), Exit.USAGE, where=_named(file))
    return text


def _named(file: str) -> str:
    return _("standard input") if file == "-" else file


# -- images and flavors that nobody knows ------------------------------------------------------------------------------


def mapping(images: Sequence[str], flavors: Sequence[str]) -> Names:
    """“name=other” of each kind, as the API takes it. Raises Failure."""
    return {"images": dict(map(_pair, images)), "flavors": dict(map(_pair, flavors))}


def _pair(change: str) -> tuple[str, str]:
    name, _equals, other = change.partition("=")
    if not name or not other:
        hint = _("For example: --map-image ceos=debian-12")
        raise Failure(_("Two names with “=” between them are needed."), Exit.USAGE, where=change, hint=hint)
    return name, other


def unknown(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What the hypervisor lacks: images or flavors, the name, and ours that is most like it."""
    return [(kind, name, near) for kind, names in report["unknown"].items() for name, near in names.items()]


# -- the report --------------------------------------------------------------------------------------------------------


def told(report: Mapping[str, Any]) -> Iterator[str]:
    """The report of an import in lines: each sort with what it says, by line of the file."""
    for sort, title in SORTS.items():
        if notes := report.get(sort):
            yield title
            yield from (f"  {_note(note)}" for note in notes)


def _note(note: Mapping[str, Any]) -> str:
    at = _("line %d") % note["line"] if note.get("line") else ""
    return f"{at}: {note['what']}" if at else str(note["what"])
