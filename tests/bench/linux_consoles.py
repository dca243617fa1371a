"""Consoles of the lab's machines: what a key's way through us costs beside `ssh -L`, and 20 of them in which nothing happens.

Measured: a real daphne, machines that have booted, the WebSocket with session and ticket. A key on the serial line, until
the guest's terminal has echoed it; Shift on the screen (VNC), until QEMU has taken it and says so. Floor: the same key over
OpenSSH's client and the same bastion: to the same VNC port, and to libvirt's socket on the same worker, as a serial line has
no port. (Of another machine there: a serial line has one reader.) Keys alternate, one here, one there; what we add counts.
Then all consoles are open and idle: serial lines, and screens whose viewers wait for changes as browsers do; the CPU time of
the web process is read from the kernel. Floor: that of the ssh clients which carry as many bare screens.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import libvirt
import psutil
from django.conf import settings
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from descriptors import actions
from descriptors.models import Descriptor
from hypervisors.drivers.linux.facts import screen_of
from hypervisors.gateway import gateway_for
from olimpus.embedded import answers, web_command
from tests.bench.figures import Figure, percentile, say
from tests.bench.rack import Rack, bare_libvirt, forwarded, host_of, uuid_of
from tests.bench.screens import Browser, Screen
from tests.bench.servers import free_port, process, spent, until, worker
from tests.bench.world import perform, session_of

CONSOLES, KEYS, WARM, IDLE = 20, 200, 20, 20.0
MOST_ADDED_MS, MOST_CPU = 10.0, 25.0
#: Seconds until all machines have booted, and until a console is open.
BOOT, PATIENCE = 300.0, 60.0
READY = "LAB-READY"
#: Signs in and has the terminal, not the shell, answer each key.
HELLO = (("\r", "login:"), ("root\r", "assword:"), ("lab\r", "# "), ("cat\r", "cat\r\n"))
Press = Callable[[], object]
Secured = libvirt.VIR_DOMAIN_XML_SECURE


def run() -> list[Figure]:
    """Keys, then silence."""
    os.environ["OLIMPUS_CONSOLES_PER_USER"] = str(2 * CONSOLES)
    settings.OLIMPUS_CONSOLES_PER_USER = 2 * CONSOLES
    rack = Rack.of(CONSOLES)
    with worker():
        perform("create", rack.place, rack.root, start=True)
        until(lambda: booted(rack) == CONSOLES, BOOT, 1)
        try:
            return measure(rack, rack.machines())
        finally:
            perform("destroy", rack.place, rack.root, force=True)


def booted(rack: Rack) -> int:
    """How many guests have said so."""
    console_text = gateway_for(rack.hypervisor).console_text
    return sum(READY in console_text(machine.vm_ref) for machine in rack.machines())


def measure(rack: Rack, machines: Sequence[Descriptor]) -> list[Figure]:
    """Of machines that have booted."""
    port = free_port()
    with (
        process(web_command("127.0.0.1", str(port))) as web,
        bare_libvirt(rack.cluster, rack.cluster.workers) as bare,
    ):
        until(lambda: answers(f"http://127.0.0.1:{port}/health"))
        serial = serial_keys(rack, machines, port, bare)
        screen = screen_keys(rack, machines[0], port, bare)
        lines = idle_lines(rack, machines, port, web.pid)
        ours, floor = idle_screens(rack, machines, port, web.pid), bare_screens(rack, machines, bare)
    return [
        key_figure("serial line, a key and its echo", *serial),
        key_figure("screen, a key that QEMU has taken", *screen),
        idle_figure("serial lines", lines),
        idle_figure("screens", ours, floor),
    ]


@contextmanager
def opened(rack: Rack, machine: Descriptor, port: int, kind: str) -> Iterator[Browser]:
    """A console in a browser."""
    ticket = actions.ask_console(machine, kind, actor=rack.root).clear
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session_of(rack.root)}"}
    address = f"ws://127.0.0.1:{port}/ws/console?ticket={ticket}"
    with connect(address, additional_headers=cookie, compression=None) as connection:
        assert "open" in json.loads(connection.recv(PATIENCE))  # what is sent before reaches nobody
        yield Browser(connection)


# -- keys --------------------------------------------------------------------------------------------------------------


def serial_keys(
    rack: Rack, machines: Sequence[Descriptor], port: int, bare: dict[str, libvirt.virConnect]
) -> tuple[list[float], list[float]]:
    """Milliseconds of each key through us, and of each over the bare line of a neighbour on the same worker."""
    mine, other = neighbours(machines)
    stream = bare[host_of(other)].newStream()
    bare[host_of(other)].lookupByUUIDString(uuid_of(other)).openConsole(None, stream, 0)
    with opened(rack, mine, port, "serial") as browser:
        ways = ((browser.send, browser.receive), (stream.send, lambda: stream.recv(4096)))
        for send, receive in ways:
            sign_in(send, receive)
        found = alternately(*(echo(send, receive) for send, receive in ways))
        for send, _receive in ways:
            send(b"\x03")
    stream.abort()
    return found


def neighbours(machines: Sequence[Descriptor]) -> tuple[Descriptor, Descriptor]:
    """Two machines of one worker."""
    first = machines[0]
    return first, next(other for other in machines[1:] if host_of(other) == host_of(first))


def sign_in(send: Callable[[bytes], object], receive: Callable[[], bytes]) -> None:
    """Until the guest's terminal echoes what is typed."""
    for typed, awaited in HELLO:
        said = ""
        send(typed.encode())
        while awaited not in said:
            said += receive().decode(errors="replace")


def echo(send: Callable[[bytes], object], receive: Callable[[], bytes]) -> Press:
    """A key and its echo."""

    def press() -> None:
        send(b"k")
        assert (said := receive()) == b"k", said

    return press


def screen_keys(
    rack: Rack, machine: Descriptor, port: int, bare: dict[str, libvirt.virConnect]
) -> tuple[list[float], list[float]]:
    """Milliseconds of each key through us, and of each over `ssh -L`, to one VNC port."""
    with opened(rack, machine, port, "vnc") as browser, bare_sockets(rack, [machine], bare) as (screen,):
        return alternately(Screen.through(browser).touch, screen.touch)


def alternately(ours: Press, bare: Press) -> tuple[list[float], list[float]]:
    """Milliseconds that each of them takes, in turns, after some that warm up."""
    found: tuple[list[float], list[float]] = ([], [])
    for _number in range(WARM + KEYS):
        for press, times in zip((ours, bare), found, strict=True):
            start = time.perf_counter()
            press()
            times.append(1000 * (time.perf_counter() - start))
    return found[0][WARM:], found[1][WARM:]


# -- silence -----------------------------------------------------------------------------------------------------------


def idle_lines(rack: Rack, machines: Sequence[Descriptor], port: int, web: int) -> float:
    """Percent of a core, with all serial lines open."""
    with ExitStack() as stack:
        for machine in machines:
            browser = stack.enter_context(opened(rack, machine, port, "serial"))
            begin(listen, browser)
        return percent([web])


def idle_screens(rack: Rack, machines: Sequence[Descriptor], port: int, web: int) -> float:
    """Percent of a core, with all screens open."""
    with ExitStack() as stack:
        for machine in machines:
            browser = stack.enter_context(opened(rack, machine, port, "vnc"))
            begin(Screen.through(browser).watch)
        return percent([web])


def bare_screens(rack: Rack, machines: Sequence[Descriptor], bare: dict[str, libvirt.virConnect]) -> float:
    """Percent of a core that OpenSSH's clients use for as many."""
    with bare_sockets(rack, machines, bare) as screens:
        for screen in screens:
            begin(screen.watch)
        clients = [child for child in psutil.Process().children(recursive=True) if child.name() == "ssh"]
        return percent([client.pid for client in clients])


@contextmanager
def bare_sockets(
    rack: Rack, machines: Sequence[Descriptor], bare: dict[str, libvirt.virConnect]
) -> Iterator[list[Screen]]:
    """The screens of these machines over OpenSSH's client, one for each worker."""
    places: dict[str, list[tuple[int, int, str]]] = {}
    for machine in machines:
        found = screen_of(bare[host_of(machine)].lookupByUUIDString(uuid_of(machine)).XMLDesc(Secured))
        assert found
        places.setdefault(host_of(machine), []).append((free_port(), *found))
    with ExitStack() as stack:
        for host, ports in places.items():
            pairs = [(here, there) for here, there, _password in ports]
            stack.enter_context(forwarded(rack.cluster, host, *pairs))
        every = [(here, password) for ports in places.values() for here, _there, password in ports]
        dial = [(stack.enter_context(socket.create_connection(("127.0.0.1", here))), word) for here, word in every]
        yield [Screen.direct(sock, password) for sock, password in dial]


def listen(browser: Browser) -> None:
    """Read what comes."""
    while True:
        browser.receive()


def begin(work: Callable[..., None], *args: Any) -> None:
    """In a thread, until its connection is closed."""

    def quietly() -> None:
        with suppress(ConnectionClosed, OSError, AssertionError):  # closed at the end
            work(*args)

    threading.Thread(target=quietly, daemon=True).start()


def percent(pids: Sequence[int]) -> float:
    """Of a core, that these processes use together while nothing happens; what opening cost is left out."""
    time.sleep(3)
    before, start = sum(map(spent, pids)), time.perf_counter()
    time.sleep(IDLE)
    return 100 * (sum(map(spent, pids)) - before) / (time.perf_counter() - start)


# -- figures -----------------------------------------------------------------------------------------------------------


def key_figure(label: str, through: Sequence[float], floor: Sequence[float]) -> Figure:
    """The median; half of all keys are faster."""
    median, bare = statistics.median(through), statistics.median(floor)
    details = {"p95": percentile(through, 95), "floor_p95": percentile(floor, 95), "added": median - bare}
    say(f"{label}: {median:.2f} ms, directly {bare:.2f} ms, {details}")
    ok = details["added"] <= MOST_ADDED_MS
    return Figure(f"Linux: {label}", median, "ms", f"≤ {MOST_ADDED_MS:g} ms added", ok, bare, details)


def idle_figure(label: str, measured: float, floor: float | None = None) -> Figure:
    """All of them together."""
    work, reach = f"Linux: {CONSOLES} idle {label}", f"≤ {MOST_CPU:g} %"
    say(f"{work}: {measured:.1f} % of a core")
    return Figure(work, measured, "% of a core", reach, measured <= MOST_CPU, floor)
