"""Consoles in the browser: what a key's way through us costs, and 20 consoles in which nothing happens.

Measured with a real daphne on mock machines: a key is sent and its echo awaited, over the WebSocket with session and
ticket; the floor is the same key on the driver's own socket, which is as direct as it gets. The figure is what we add. Then
20 consoles of 20 machines are open and idle, and the web process' CPU time is read from the kernel before and after.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings
from websockets.sync.client import ClientConnection, connect

from accounts.models import User
from descriptors import actions
from descriptors.models import Descriptor, Node
from descriptors.worker.engine import Engine
from hypervisors import actions as hypervisors
from hypervisors.gateway import gateway_for
from olimpus.embedded import answers, web_command
from tests.bench.figures import Figure, percentile, say
from tests.bench.servers import free_port, process, spent, until
from tests.bench.world import folder, machines, session_of, superuser

CONSOLES, KEYS, WARM, IDLE = 20, 300, 20, 20.0
MOST_ADDED_MS, MOST_CPU = 10.0, 25.0


def run() -> list[Figure]:
    """Keys, then silence."""
    settings.OLIMPUS_CONSOLES_PER_USER = os.environ["OLIMPUS_CONSOLES_PER_USER"] = str(CONSOLES)
    root = superuser()
    rows = build(root)
    floor = directly(rows[0])
    port = free_port()
    with process(web_command("127.0.0.1", str(port))) as web, ExitStack() as stack:
        until(lambda: answers(f"http://127.0.0.1:{port}/health"))
        sockets = [stack.enter_context(opened(port, row, root)) for row in rows]
        through = [1000 * seconds for seconds in trips(sockets[0].send, lambda: sockets[0].recv())]
        idle = cpu_of(web.pid)
    return [key_figure(through, floor), idle_figure(idle)]


def build(root: User) -> list[Descriptor]:
    """Machines that run."""
    mock = hypervisors.create({"name": "mock", "driver": "mock", "settings": {"latency": 0.0}}, actor=root)
    course: Node = folder("/consoles", {"hypervisor": "mock", "image": "debian-12", "flavor": "nano"})
    machines(course, {f"vm-{number:02}": {} for number in range(CONSOLES)})
    for verb in ("create", "start"):
        actions.request(verb, Node.objects.get(pk=course.pk), actor=root)
        Engine().drain([mock.pk])
    return list(Descriptor.objects.filter(path__startswith="/consoles/").select_related("hypervisor"))


def directly(machine: Descriptor) -> list[float]:
    """Milliseconds of keys on the driver's own socket."""
    assert machine.hypervisor is not None
    with gateway_for(machine.hypervisor).console(machine.vm_ref, "serial").sock as console:
        quiet(console)
        return [1000 * seconds for seconds in trips(console.sendall, lambda: console.recv(4096))]


def quiet(console: socket.socket) -> None:
    """Read the greeting."""
    console.settimeout(1)
    try:
        while console.recv(4096):
            continue
    except TimeoutError:
        console.settimeout(None)


def trips(send: Callable[[bytes], object], receive: Callable[[], object]) -> list[float]:
    """Seconds from a key to its echo, one after another; the line is ended now and then."""
    found = []
    for number in range(WARM + KEYS):
        start = time.perf_counter()
        send(b"\x03" if number % 50 == 49 else b"k")
        receive()
        found.append(time.perf_counter() - start)
    return found[WARM:]


@contextmanager
def opened(port: int, machine: Descriptor, user: User) -> Iterator[ClientConnection]:
    """A console that has said all that it says at first."""
    ticket = actions.ask_console(machine, "serial", actor=user).clear
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session_of(user)}"}
    with connect(f"ws://127.0.0.1:{port}/ws/console?ticket={ticket}", additional_headers=cookie) as connection:
        greeted = ""
        while "# " not in greeted or "viewers" not in greeted:
            message = connection.recv(10)
            greeted += message if isinstance(message, str) else message.decode()
        assert json.loads(greeted.partition("\n")[0].partition("}}")[0] + "}}")["open"]["kind"] == "serial"
        yield connection


def cpu_of(pid: int) -> float:
    """Percent of a core that the process uses while nothing happens."""
    before, start = spent(pid), time.perf_counter()
    time.sleep(IDLE)
    return 100 * (spent(pid) - before) / (time.perf_counter() - start)


def key_figure(through: list[float], floor: list[float]) -> Figure:
    """The median; half of all keys are faster."""
    median, bare = statistics.median(through), statistics.median(floor)
    details = {"p95": percentile(through, 95), "added": median - bare}
    say(f"a key and its echo: {median:.2f} ms, p95 {details['p95']:.2f} ms, directly {bare:.3f} ms")
    reach = f"≤ {MOST_ADDED_MS:g} ms added"
    ok = details["added"] <= MOST_ADDED_MS
    return Figure("text console: a key and its echo", median, "ms", reach, ok, floor=bare, details=details)


def idle_figure(percent: float) -> Figure:
    """All of them together."""
    say(f"{CONSOLES} idle consoles: {percent:.1f} % of a core")
    return Figure(f"{CONSOLES} idle consoles", percent, "% of a core", f"≤ {MOST_CPU:g} %", percent <= MOST_CPU)
