"""Topologies that are written in files: read by the server, which tells what it understood of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from olimpus.cli import plans
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.words import gettext as _

Document = dict[str, Any]
#: The server takes no larger one, either.
MOST_BYTES: Final = 10 * 1024 * 1024
SORTS: Final = {
    "understood": _("Understood:"),
    "ignored": _("Ignored:"),
    "unmapped": _("Not as it was:"),
}


def imported(here: Context, file: str, form: str = "", hypervisor: str = "") -> Document:
    """What the server makes of a file: `document`, and a `report`, with the images and flavors that the hypervisor lacks.

    Raises Failure; faults of the file name it.
    """
    asked = {"text": content(file), "format": form, "hypervisor": hypervisor}
    try:
        return dict(here.client.post("/slices/import", {key: said for key, said in asked.items() if said}))
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


def mapped(document: Document, given: Mapping[str, Sequence[str]]) -> Document:
    """The document with other names for images and flavors: parameter → “name=other”. Raises Failure."""
    for parameter, changes in given.items():
        names = dict(_pair(change) for change in changes)
        if strangers := sorted(names.keys() - set(_said(document, parameter))):
            raise Failure(_("The file does not name it."), Exit.USAGE, where=strangers[0])
        document = _replaced(document, parameter, names)
    return document


def unknown(report: Mapping[str, Any], given: Mapping[str, Sequence[str]]) -> list[tuple[str, str, str]]:
    """What the hypervisor lacks and nobody has mapped: parameter, name, and the name that is most like it."""
    return [
        (parameter, name, str(near or ""))
        for parameter, changes in given.items()
        for name, near in (report.get("unknown") or {}).get(f"{parameter}s", {}).items()
        if name not in dict(map(_pair, changes))
    ]


def _pair(change: str) -> tuple[str, str]:
    name, _equals, other = change.partition("=")
    if not name or not other:
        hint = _("For example: --map-image ceos=debian-12")
        raise Failure(_("Two names with “=” between them are needed."), Exit.USAGE, where=change, hint=hint)
    return name, other


def _said(document: Document, parameter: str) -> Iterator[str]:
    for definition in (document.get("defaults") or {}, *document.get("nodes", [])):
        if definition.get(parameter):
            yield str(definition[parameter])


def _replaced(document: Document, parameter: str, names: Mapping[str, str]) -> Document:
    nodes = [_renamed(node, parameter, names) for node in document.get("nodes", [])]
    return document | {"defaults": _renamed(document.get("defaults") or {}, parameter, names), "nodes": nodes}


def _renamed(definition: Document, parameter: str, names: Mapping[str, str]) -> Document:
    wanted = names.get(str(definition.get(parameter)))
    return {**definition, parameter: wanted} if wanted else definition


# -- the report --------------------------------------------------------------------------------------------------------


def told(report: Mapping[str, Any]) -> Iterator[str]:
    """The report of an import in lines: each sort with what it says, by line of the file."""
    for sort, title in SORTS.items():
        if notes := report.get(sort):
            yield title
            yield from plans.some([_note(note) for note in notes], len(notes))


def _note(note: Mapping[str, Any]) -> str:
    at = _("line %d") % note["line"] if note.get("line") else ""
    return f"{at}: {note['what']}" if at else str(note["what"])
