"""The WebSocket of one console: `/ws/console?ticket=…`, for browsers by their session, for programs by a token.

Binary frames carry the screen (RFB) or the serial line. Text frames are JSON. Server → client: `{"open": {"kind", "mode",
"path"}}`, `{"viewers": [{"who", "kind", "mode"}]}`, and before it closes `{"end": {"code", "message", "hint"}}` in the
person's language. Client → server: `{"got": bytes so far}`, which lets more follow, and `{"here": true}`: somebody is there.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import sockets
from accounts.models import User
from accounts.sockets import FULL, NOT_ALLOWED, NOT_SIGNED_IN
from descriptors.access import Access
from descriptors.actions.consoles import close_console, open_console
from descriptors.consoles.keeper import Viewers, keeper
from descriptors.consoles.rfb import VERSION, Doorman, Nonsense, greet
from descriptors.consoles.streams import MOST_INPUT, Exchange, Extension, Stream, TooMuch, Window
from descriptors.feed import feed
from descriptors.models import ConsoleSession, Descriptor
from descriptors.selectors.consoles import LIVELY
from hypervisors.drivers.base import Console
from hypervisors.gateway import gateway_for
from olimpus.errors import Conflict, Forbidden, HypervisorError, OlimpusError

log = logging.getLogger(__name__)
T = TypeVar("T")

GONE, IDLE, OVER, NONSENSE, NO_ANSWER = 4404, 4408, 4410, 4400, 4502
#: For the journal.
WORDS: Final = {
    NOT_SIGNED_IN: "signed-out",
    NOT_ALLOWED: "not-allowed",
    GONE: "removed",
    IDLE: "idle",
    OVER: "over",
    NONSENSE: "nonsense",
    FULL: "full",
    NO_ANSWER: "no-answer",
}
LONGEST_WORD: Final = 1000
#: Threads of our own: whoever waits for a silent hypervisor takes none from the few that others share.
THREADS: Final = ThreadPoolExecutor(64, thread_name_prefix="console")

exchange = Exchange()


class ConsoleConsumer(AsyncWebsocketConsumer):
    """One viewer."""

    user: User
    session: ConsoleSession

    async def connect(self) -> None:
        """Accepted first, so that the client reads the reason when nothing comes of it."""
        self.user = self.scope["user"]
        self.paths: set[str] = set()  # nothing of the feed but changes of rights
        self.window = Window()
        self.stream: Stream | Extension | None = None
        self.doorman: Doorman | None = None
        self.greeted = asyncio.Event()
        self.leaving = False
        self.opened = self.touched = time.monotonic()
        self.code = 0
        self.met: Viewers | None = None
        await self.accept()
        # In the background: who leaves while the hypervisor is asked is heard.
        self.work = asyncio.create_task(self._serve())

    async def disconnect(self, code: int) -> None:
        """The browser has gone."""
        self._give_up()
        await asyncio.gather(self.work, return_exceptions=True)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """What the browser sends, until the end was told."""
        if self.code:
            return
        if text_data is not None:
            self._heed(text_data)
        elif bytes_data and self.stream:
            try:
                await self._pass(bytes_data)
            except Nonsense:
                await self.end(NONSENSE, _("What was sent is no VNC."))
            except TooMuch:
                await self.end(NONSENSE, _("Too much was sent at once: the machine does not take it."))

    # -- the two directions -----------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """From the ticket to the end."""
        with translation.override(sockets.language(self.scope)):
            try:
                await self._open()
                await self._pump()
                await self._tell_why_over()
            except OlimpusError as error:
                await self.end(_code_of(error), str(error.message), str(error.hint))
            except Exception:  # whatever it was, nobody is to wait for ever
                log.exception("A console has failed.")
                await self.end(NO_ANSWER, _("The connection was lost."), _("Try again in a moment."))
            finally:
                self.leaving = True
                await self._clean_up()

    def _give_up(self) -> None:
        """End the work, once: what is cleaned up is cleaned up to its end."""
        if not self.leaving:
            self.leaving = True
            self.work.cancel()

    async def _open(self) -> None:
        if not self.user.is_authenticated:
            raise SignedOut(_("You are not signed in."))
        ticket = parse_qs(self.scope["query_string"].decode("latin-1")).get("ticket", [""])[0]
        self.session = await _open_session(ticket, self.user)
        machine = self.session.node
        self.number, self.node = self.session.pk, machine.pk
        await feed.join(self)  # rights may be lost while the hypervisor is asked
        self.stream = await self._connected(machine)
        opened = {"kind": self.session.kind, "mode": self.session.mode, "path": machine.path, "name": machine.name}
        await self.send(json.dumps({"open": opened}))
        if self.doorman:
            await self.send(bytes_data=VERSION)
        await keeper.add(self)

    async def _connected(self, machine: Descriptor) -> Stream | Extension:
        connect = partial(_connect, machine, self.session.kind)
        if self.session.kind != "vnc":
            key = (machine.hypervisor_id or 0, machine.vm_ref, self.session.kind)
            return await exchange.join(key, lambda: _line(connect))
        console = await _in_thread(connect)
        init = await _in_thread(_greeted, console)
        self.doorman = Doorman(init, watch_only=self.session.watch_only)
        return await Stream.over(console.sock)

    async def _pump(self) -> None:
        """To the browser, as fast as it takes it."""
        assert self.stream is not None  # noqa: S101 - opened before
        if self.doorman:
            await self.greeted.wait()  # a bell in the middle of a hello would be no hello
        while data := await self.stream.take():
            await self.send(bytes_data=data)
            await self.window.send(len(data))

    async def _pass(self, data: bytes) -> None:
        """To the guest, whatever may go there."""
        if len(data) > MOST_INPUT:
            raise TooMuch
        if self.doorman is None:
            self.touched = time.monotonic()
            if not self.session.watch_only:
                self.stream.put(data)  # type: ignore[union-attr]
            return
        passed = self.doorman.feed(data)
        if passed.touched:
            self.touched = time.monotonic()
        if passed.down:
            await self.send(bytes_data=bytes(passed.down))
        if self.doorman.is_open:
            self.greeted.set()
        if passed.up:
            self.stream.put(bytes(passed.up))  # type: ignore[union-attr]

    def _heed(self, text: str) -> None:
        """Words of the page; what makes no sense is nothing."""
        try:
            said: Any = json.loads(text) if len(text) <= LONGEST_WORD else None
        except (ValueError, RecursionError):
            return
        if isinstance(said, dict) and isinstance(said.get("got"), int):
            self.window.got(said["got"])
        if isinstance(said, dict) and said.get("here") is True:
            self.touched = time.monotonic()

    # -- the end ----------------------------------------------------------------------------------------------------

    async def end(self, code: int, message: str, hint: str = "") -> None:
        """Say why, and close; once."""
        if self.code:
            return
        self.code = code
        await sockets.end(self, code, message, hint)
        if asyncio.current_task() is not self.work:
            self._give_up()  # nothing more passes, whether the browser goes or not

    async def _tell_why_over(self) -> None:
        machine = await _fresh(self.node)
        if machine is None:
            await self.end(GONE, _("The machine was removed."))
        elif machine.state not in LIVELY:
            await self.end(OVER, _("The machine was switched off."), _("Start it to open its console again."))
        else:
            hint = _("Connect again: it may have been restarted.")
            await self.end(OVER, _("The machine ended the connection."), hint)

    async def _clean_up(self) -> None:
        """Also when the browser went while we were opening."""
        feed.leave(self)
        if self.stream:
            await self.stream.close()
        if hasattr(self, "session"):
            try:
                await _close_session(self.session, time.monotonic() - self.opened, WORDS.get(self.code, "left"))
            finally:
                await keeper.drop(self)

    # -- called by the feed -----------------------------------------------------------------------------------------

    async def tell(self, text: str) -> None:
        """Nothing that happens to machines is told here."""

    async def recheck(self, access: Access) -> None:
        """Rights, or the place of the machine, have changed."""
        machine = await _fresh(self.node)
        with translation.override(sockets.language(self.scope)):
            if machine is None:
                await self.end(GONE, _("The machine was removed."))
            elif not self._may(access, machine.path):
                await self.end(
                    NOT_ALLOWED, _("You may not use this console any more."), _("Ask a manager of the folder.")
                )

    def _may(self, access: Access, path: str) -> bool:
        watching = self.session.watch_only and access.can("watch_console", path)
        return access.can("console", path) or watching

    async def prove(self) -> None:
        """Who has signed out, or whose token or right is no good any more, though no journal says so, has left."""
        if await sockets.is_still_signed_in(self.scope):
            await self.recheck(await feed.access(self.user))
            return
        with translation.override(sockets.language(self.scope)):
            await self.end(NOT_SIGNED_IN, _("You have signed out."))

    # -- called by the keeper ---------------------------------------------------------------------------------------

    async def look_at(self, now: float) -> None:
        """Nobody pays a hypervisor's connection for a forgotten window."""
        minutes = settings.OLIMPUS_CONSOLE_IDLE_MINUTES
        if now - self.touched > 60 * minutes:
            with translation.override(sockets.language(self.scope)):
                told = _("Closed after %(n)g minutes in which nobody touched it.") % {"n": minutes}
                await self.end(IDLE, told, _("Connect again whenever you like."))

    async def meet(self, others: Viewers) -> None:
        """Who else looks."""
        if others != self.met:
            self.met = others
            await self.send(json.dumps({"viewers": others}))


class SignedOut(Forbidden):
    """Nobody, or nobody any more."""


def _code_of(error: OlimpusError) -> int:
    if isinstance(error, SignedOut):
        return NOT_SIGNED_IN
    if isinstance(error, HypervisorError):
        return NO_ANSWER
    return FULL if isinstance(error, Conflict) else NOT_ALLOWED


# -- in threads --------------------------------------------------------------------------------------------------------


def _connect(machine: Descriptor, kind: str) -> Console:
    """Ask the hypervisor; no row is touched."""
    if machine.hypervisor is None:
        raise Conflict(_("It is on no hypervisor."), where=machine.path)
    return gateway_for(machine.hypervisor).console(machine.vm_ref, kind)


def _greeted(console: Console) -> bytes:
    try:
        return greet(console.sock, console.password)
    except BaseException:
        console.sock.close()
        raise


async def _line(connect: partial[Console]) -> Stream:
    return await Stream.over((await _in_thread(connect)).sock)


async def _in_thread(function: Callable[..., T], *args: Any) -> T:
    """Its answer; it speaks the language of this viewer."""
    here = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(THREADS, partial(here.run, function, *args))


@database_sync_to_async
def _open_session(ticket: str, user: User) -> ConsoleSession:
    return open_console(ticket, actor=user)


@database_sync_to_async
def _close_session(session: ConsoleSession, seconds: float, reason: str) -> None:
    close_console(session, seconds=seconds, reason=reason)


@database_sync_to_async
def _fresh(node: int) -> Descriptor | None:
    return Descriptor.objects.filter(pk=node).first()
