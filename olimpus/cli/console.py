"""`console`: a machine's text console in this terminal, until Ctrl-] or until it ends."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from olimpus.cli.completion import complete_path
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.panels import MACHINES
from olimpus.cli.paths import one
from olimpus.cli.wire import Lost, connected
from olimpus.cli.words import gettext as _

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

LEAVE: Final = b"\x1d"  # Ctrl-]
PIECE: Final = 4096
#: The server sends more when it hears that so much has arrived.
TELL_EVERY: Final = 65536
#: What the server ends a console with: it was switched off or hung up; other codes are faults.
OVER: Final = 4410
ENDS: Final = {
    4401: Exit.SIGNED_OUT,
    4403: Exit.FORBIDDEN,
    4404: Exit.NOT_FOUND,
    4429: Exit.REFUSED,
    4502: Exit.REFUSED,
}
#: Seconds of silence after which a script that has sent all is done.
QUIET: Final = 3.0


@dataclass
class Session:
    """One open console: what comes is printed by a thread of its own, what is typed is sent by the caller's."""

    socket: ClientConnection
    end: dict[str, Any] | None = None
    got: int = 0
    heard: threading.Event = field(default_factory=threading.Event)
    #: The machine's side is there, or nothing comes of it: what is typed before goes nowhere.
    opened: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._over, self._tell_over = os.pipe()
        threading.Thread(target=self._listen, daemon=True).start()

    def type(self, keyboard: int) -> None:
        """Send what comes from this file until Ctrl-], its end, or the end of the console."""
        self.opened.wait()
        while keyboard in (ready := select.select([keyboard, self._over], [], [])[0]) and self._over not in ready:
            data = os.read(keyboard, PIECE)
            before, leave, _rest = data.partition(LEAVE)
            if not self._sent(before) or leave:
                return
            if not data:
                self._wait_for_quiet()
                return

    def _sent(self, data: bytes) -> bool:
        from websockets.exceptions import ConnectionClosed  # loaded by few commands

        try:
            if data:
                self.socket.send(data)
        except ConnectionClosed:
            return False
        return True

    def _wait_for_quiet(self) -> None:
        """Nothing more will be typed: the answers are waited for."""
        while self.end is None:
            self.heard.clear()
            if not self.heard.wait(QUIET):
                return

    def _listen(self) -> None:
        from websockets.exceptions import ConnectionClosed  # loaded by few commands

        try:
            for message in self.socket:
                self._take(message)
        except (ConnectionClosed, OSError):
            pass  # told by what `end` is, or is not
        finally:
            os.write(self._tell_over, b".")
            self.heard.set()
            self.opened.set()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            said = json.loads(message)
            self.end = said.get("end", self.end)
            if "open" in said:
                self.opened.set()
            return
        sys.stdout.buffer.write(message)
        sys.stdout.buffer.flush()
        self.heard.set()
        told, self.got = self.got // TELL_EVERY, self.got + len(message)
        if self.got // TELL_EVERY > told:
            self.socket.send(json.dumps({"got": self.got}))


def console(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH", autocompletion=complete_path, help=_("A machine."))],
    watch: Annotated[bool, typer.Option("--watch", help=_("Only watch; nothing that is typed is sent."))] = False,
) -> None:
    """Its text console here; Ctrl-] leaves."""
    here = Context.of(ctx)
    node = one(here, path)
    wish = {"kind": "serial", "mode": "watch" if watch else "drive"}
    ticket = here.client.post(f"/nodes/{node['id']}/console", wish)
    try:
        with connected(here, f"/ws/console?ticket={ticket['ticket']}") as socket:
            session = Session(socket)
            _converse(here, session, node["path"], ticket["mode"])
    except Lost as error:
        raise Failure(_("The connection was lost."), Exit.UNREACHABLE, where=path, hint=str(error)) from error
    _tell_end(here, session, node["path"])


def _converse(here: Context, session: Session, path: str, mode: str) -> None:
    if not sys.stdin.isatty():
        session.type(sys.stdin.fileno())
        return
    watching = _("Watching %(path)s; Ctrl-] leaves.") if mode == "watch" else _("Console of %(path)s; Ctrl-] leaves.")
    here.out.note(watching % {"path": path})
    with _raw(sys.stdin.fileno()):
        session.type(sys.stdin.fileno())
    print(file=sys.stderr)


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Every key goes to the machine, Ctrl-C too."""
    before = termios.tcgetattr(terminal)
    try:
        tty.setraw(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _tell_end(here: Context, session: Session, path: str) -> None:
    if session.end is None:
        return
    told = f"{session.end.get('message', '')} {session.end.get('hint', '')}".strip()
    if session.end.get("code") != OVER:
        code = ENDS.get(session.end.get("code", 0), Exit.FAILED)
        raise Failure(str(session.end.get("message", "")), code, where=path, hint=str(session.end.get("hint", "")))
    here.out.note(told)


def register(app: typer.Typer) -> None:
    app.command("console", help=_("A machine's text console in this terminal."), rich_help_panel=MACHINES)(console)
