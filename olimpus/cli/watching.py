"""`watch`: a branch live. On a terminal a table that stays true; elsewhere one line, or one JSON document, a change."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from olimpus.cli.board import Board, Change
from olimpus.cli.completion import complete_path
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.faults import not_olimpus
from olimpus.cli.moments import ago, number
from olimpus.cli.options import Output
from olimpus.cli.output import Format, printable, unsteering
from olimpus.cli.panels import RECORDS
from olimpus.cli.paths import below, checked
from olimpus.cli.states import LOOKS, state
from olimpus.cli.wire import Lost, connected
from olimpus.cli.words import gettext as _
from olimpus.cli.words import ngettext
from olimpus.cli.yaml import as_yaml

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

#: What the server closes a socket with.
NOT_SIGNED_IN, NOT_ALLOWED = 4401, 4403
#: Seconds before each further attempt to connect; the last one again and again.
PAUSES: Final = (0.5, 1, 2, 5, 10)
#: Seconds between two looks at the clock while nothing happens.
TICK: Final = 0.5
#: Rows of a terminal that are not machines.
FRAME: Final = 6


class Watch:
    """One branch, until it may not be seen any more."""

    def __init__(self, here: Context, path: str):
        self._here = here
        self._path = path
        self._attempt = 0
        self.board = Board()

    def changes(self) -> Iterator[list[Change]]:
        """What is new, message by message; an empty list about twice a second. Ends only with a Failure."""
        while True:
            try:
                yield from self._listen()
            except Lost as error:
                pause = PAUSES[min(self._attempt, len(PAUSES) - 1)]
                self._attempt += 1
                told = {"why": str(error) or _("it was closed"), "pause": number(pause)}
                self._here.out.note(_("Connection lost (%(why)s); trying again in %(pause)s s.") % told)
                time.sleep(pause)

    def _listen(self) -> Iterator[list[Change]]:
        with connected(self._here, "/ws/feed") as socket:
            with _losses():
                socket.send(json.dumps({"subscribe": [self._path], "since": self.board.settled}))
                first = self._received(socket)
            if self._attempt:
                self._here.out.note(_("Connected again."))
            self._attempt = 0
            yield from self._begin(first)
            while True:
                with _losses():
                    message = self._received(socket)
                yield self._taken(message)

    def _begin(self, first: dict[str, Any]) -> Iterator[list[Change]]:
        """The nodes are read after we listen: what happens in between is told again by the feed."""
        if self.board.settled is None or first.get("resync"):
            yield self._taken({**first, "resync": True})
        else:
            yield self._taken(first)

    def _received(self, socket: ClientConnection) -> dict[str, Any]:
        """The next message, an empty one after a while. Raises Failure when there is nothing left to hear."""
        try:
            message: Any = json.loads(socket.recv(timeout=TICK if self.board.settled is not None else 10))
        except TimeoutError:
            return {}
        except (ValueError, RecursionError):
            raise not_olimpus(self._here.settings.address) from None
        if not isinstance(message, dict):
            raise not_olimpus(self._here.settings.address)
        if "closed" in message:
            raise _ended(self._path)
        return message

    def _taken(self, message: dict[str, Any]) -> list[Change]:
        if message.get("resync"):
            if self.board.settled is not None:
                self._here.out.note(_("Too much was missed; everything is read again."))
            self.board.take({"settled": message.get("settled")})
            self._fill()
        found = self.board.take(message)
        if self.board.reshaped:
            self._fill()
        return found

    def _fill(self) -> None:
        try:
            self.board.fill(below(self._here, self._path))
        except Failure as failure:
            if failure.code == Exit.UNREACHABLE:
                raise Lost(failure.message) from failure
            raise


@contextlib.contextmanager
def _losses() -> Iterator[None]:
    """A socket that closes is a lost connection, unless the server says why."""
    from websockets.exceptions import ConnectionClosed

    try:
        yield
    except ConnectionClosed as error:
        code = error.rcvd.code if error.rcvd else None
        if code == NOT_SIGNED_IN:
            hint = _("Sign in: olimpus login")
            raise Failure(_("The token is no longer valid."), Exit.SIGNED_OUT, hint=hint) from error
        if code == NOT_ALLOWED:
            raise _ended("") from error
        raise Lost(error.rcvd.reason if error.rcvd else "") from error
    except OSError as error:
        raise Lost(str(error)) from error


def _ended(path: str) -> Failure:
    return Failure(_("You may not see this any more."), Exit.FORBIDDEN, where=path)


# -- showing -----------------------------------------------------------------------------------------------------------


def watch(
    ctx: typer.Context,
    path: Annotated[
        str, typer.Argument(metavar="[PATH]", autocompletion=complete_path, help=_("A folder or a machine."))
    ] = "/",
    output: Output = Format.TABLE,
) -> None:
    """Watch machines change, until Ctrl-C."""
    here = Context.of(ctx, output)
    path = checked(path)
    below(here, path, depth=1)  # what is wrong with path or token is told in the usual words
    watched = Watch(here, path)
    if here.out.for_people and sys.stdout.isatty():
        _live(watched, path)
    else:
        _lines(here, watched, path)


def _lines(here: Context, watched: Watch, path: str) -> None:
    begun = False
    for changes in watched.changes():
        if not begun:
            begun = True
            machines = len(watched.board.rows)
            told = ngettext("Watching %(path)s: %(n)d machine.", "Watching %(path)s: %(n)d machines.", machines)
            here.out.note(told % {"path": path, "n": machines})
        for change in changes:
            here.out.write(_written(here, change))


def _written(here: Context, change: Change) -> str:
    """One change: a line for people, else the event as the API tells it."""
    if here.out.form == Format.JSON:
        return f"{unsteering(json.dumps(change.event, ensure_ascii=False))}\n"
    if here.out.form == Format.YAML:
        return f"---\n{as_yaml(change.event)}"
    return f"{printable(_line(change))}\n"


def _line(change: Change) -> str:
    """When, where, from which state to which, by what, why."""
    after = state(change.after).text
    states = after if change.before in (None, change.after) else f"{state(change.before).text} → {after}"
    error = change.event["error"] or {}
    parts = [change.event["at"][:19], change.path, states, _verb(change), str(error.get("message") or "")]
    return "  ".join(part for part in parts if part)


def _verb(change: Change) -> str:
    operation = change.event["operation"] or {}
    return f"({operation['verb']}, {operation['status']})" if operation else f"({change.event['verb']})"


def _live(watched: Watch, path: str) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, auto_refresh=False, transient=False) as live:
        shown = 0.0
        for changes in watched.changes():
            # A burst of messages is shown a few times a second, not message by message.
            if not changes or time.monotonic() - shown > TICK / 2:
                shown = time.monotonic()
                live.update(_drawn(watched.board, path, console.height), refresh=True)


def _drawn(board: Board, path: str, height: int) -> Any:
    """The counts of all and as many machines as fit, attention first. What does not fit is counted."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    counts = Text("  ").join(
        Text(f"{look[0]} {number(board.counts[name])} {look[2].lower()}", style=look[1] or "none")
        for name, look in LOOKS.items()
        if board.counts[name]
    )
    rows = board.urgent()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in (_("Path"), _("State"), _("Since"), _("Operation"), _("Reason")):
        table.add_column(title, no_wrap=True, overflow="ellipsis")
    room = max(height - FRAME, 3)
    for row in rows[:room]:
        word, colour = state(row["state"])
        cells = [row["path"], Text(word, style=colour or "none"), ago(row["state_since"]), row["verb"], row["reason"]]
        table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell or "")) for cell in cells))
    rest = len(rows) - room
    more = Text(ngettext("… and %d more machine", "… and %d more machines", rest) % rest if rest > 0 else "", "dim")
    return Group(Text(printable(path), style="bold"), counts, table, more)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("watch", help=_("Watch machines change, live."), rich_help_panel=RECORDS)(watch)
