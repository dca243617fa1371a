"""A bastion tunnel beside OpenSSH's own client (`ssh -L`), through the same sshd, alternating.

Throughput: 128 MB to the other side, and from there, over one connection. Added latency: a small message there
and back, less the same without any tunnel; through `ssh -L` it is told as the floor. Needs openssh-server.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hypervisors.tunnels import Tunnels, hops_from
from tests.bench.figures import Figure, percentile, say
from tests.lab.sshd import Sshd
from tests.processes.installation import free_port, until

MEGABYTES, ROUNDS, MESSAGES = 128, 5, 2000
LEAST, MOST_MS = 0.4, 2.0
CHUNK = 256 * 1024
#: A server in a process of its own: says "s" and sends, says "t" and takes; everything else comes back.
SERVER = f"""
import socket, threading
def serve(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    what, block = sock.recv(1), bytes({CHUNK})
    if what == b"s":
        for _n in range({MEGABYTES} * 1024 * 1024 // {CHUNK}):
            sock.sendall(block)
    elif what == b"t":
        left = {MEGABYTES} * 1024 * 1024
        while left:
            left -= len(sock.recv({CHUNK}))
        sock.sendall(b".")
    else:
        sock.sendall(what)
        while data := sock.recv({CHUNK}):
            sock.sendall(data)
    sock.close()
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
Dial = Callable[[], socket.socket]


def run() -> list[Figure]:
    """Both directions and the latency, through one hop; the latency and throughput of two hops for comparison."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        home = Path(folder)
        port = stack.enter_context(server())
        bastion, headnode = (stack.enter_context(contextlib.closing(Sshd(home / name))) for name in ("bastion", "head"))
        openssh = stack.enter_context(ssh_forward(bastion, port))
        one = stack.enter_context(tunnel(home, port, bastion))
        two = stack.enter_context(tunnel(home, port, bastion, headnode))
        direct = dial_to(port)
        return [*throughputs(one, openssh, two), latency(one, openssh, two, direct)]


def throughputs(one: Dial, openssh: Dial, two: Dial) -> list[Figure]:
    """Megabytes a second, median of alternating rounds."""
    found = []
    for work, carry in (("to the cloud", send), ("from the cloud", receive)):
        measured: dict[str, list[float]] = {"one": [], "openssh": [], "two": []}
        for _round in range(ROUNDS):
            for name, dial in (("one", one), ("openssh", openssh), ("two", two)):
                measured[name].append(MEGABYTES / carry(dial))
        mine, floor = statistics.median(measured["one"]), statistics.median(measured["openssh"])
        say(f"{work}: {measured}")
        details = {"two_hops": statistics.median(measured["two"]), "rounds": measured}
        reach = f"≥ {LEAST:g} × of ssh -L"
        title = f"bastion tunnel, {MEGABYTES} MB {work}"
        found.append(Figure(title, mine, "MB/s", reach, mine >= LEAST * floor, floor, details))
    return found


def latency(one: Dial, openssh: Dial, two: Dial, direct: Dial) -> Figure:
    """Milliseconds that a tunnel adds to a small message there and back, at the median."""
    times = {name: pings(dial) for name, dial in (("direct", direct), ("one", one), ("openssh", openssh), ("two", two))}
    middle = {name: statistics.median(values) for name, values in times.items()}
    added = {name: middle[name] - middle["direct"] for name in ("one", "openssh", "two")}
    say(f"added ms: {added}")
    slow = {f"{name}_95th": percentile(values, 95) for name, values in times.items()}
    title = "bastion tunnel, added latency of a small message"
    reach = f"≤ {MOST_MS:g} ms"
    details = {"two_hops": added["two"], "direct": middle["direct"], **slow}
    return Figure(title, added["one"], "ms", reach, added["one"] <= MOST_MS, added["openssh"], details)


def send(dial: Dial) -> float:
    """Seconds until the other side has all of it."""
    block = bytes(CHUNK)
    with dial() as sock:
        begun = time.perf_counter()
        sock.sendall(b"t")
        for _n in range(MEGABYTES * 1024 * 1024 // CHUNK):
            sock.sendall(block)
        assert sock.recv(1) == b"."
        return time.perf_counter() - begun


def receive(dial: Dial) -> float:
    """Seconds until this side has all of it."""
    left = MEGABYTES * 1024 * 1024
    with dial() as sock:
        begun = time.perf_counter()
        sock.sendall(b"s")
        while left:
            left -= len(sock.recv(CHUNK))
        return time.perf_counter() - begun


def pings(dial: Dial) -> list[float]:
    """Milliseconds of each message there and back, after some that warm up."""
    times = []
    with dial() as sock:
        for _n in range(MESSAGES + 100):
            begun = time.perf_counter()
            sock.sendall(b"x" * 200)
            left = 200
            while left:
                left -= len(sock.recv(left))
            times.append((time.perf_counter() - begun) * 1000)
    return times[100:]


@contextlib.contextmanager
def server() -> Iterator[int]:
    """The port of the server."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def ssh_forward(bastion: Sshd, port: int) -> Iterator[Dial]:
    """Through OpenSSH's client."""
    here = free_port()
    process = subprocess.Popen(bastion.client("-N", "-L", f"127.0.0.1:{here}:127.0.0.1:{port}"))
    try:
        assert until(lambda: _answers(here), 10)
        yield dial_to(here)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def tunnel(home: Path, port: int, *servers: Sshd) -> Iterator[Dial]:
    """Through ours, as the OpenStack driver connects."""
    settings = [server.settings(role) for role, server in zip(("bastion", "headnode"), servers, strict=False)]
    tunnels = Tunnels("bench", hops_from({name: value for told in settings for name, value in told.items()}), home)
    try:
        yield lambda: tunnels.dial("127.0.0.1", port, "bench")
    finally:
        tunnels.close()


def dial_to(port: int) -> Dial:
    """Connects to a port of this machine."""

    def dial() -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    return dial


def _answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
