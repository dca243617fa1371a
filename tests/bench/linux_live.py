"""What somebody does by hand on a worker of the lab, until a browser hears of it: with libvirt's events, and by polling.

Measured: a machine that runs is suspended and resumed with virsh, by root on its worker; a client of the portal's live feed
(a real daphne, a real worker process) waits for the entry that the machine differs from what was asked for, or does so no
longer. The clock begins before virsh does. Floor: `virsh event` through OpenSSH's client and the same bastion, which tells
the same changes at the same time. Without events: the same, while nobody watches the cluster and it is only compared every
few seconds; the changes are spread evenly over that time.
"""

from __future__ import annotations

import fcntl
import json
import queue
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from django.conf import settings
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from descriptors.models import Descriptor
from hypervisors.models import Hypervisor
from tests.bench.figures import Figure, say
from tests.bench.rack import Rack, host_of, openssh
from tests.bench.servers import process, until, web, worker
from tests.bench.world import perform, session_of

CHANGES, REACH, POLL = 10, 2.0, 5.0
#: Seconds that looking and telling may take when the turn has come.
MORE = 0.5
#: What virsh does, what its events call that, and what the feed tells of it.
DEEDS = (("suspend", "Suspended", "vm.drift"), ("resume", "Resumed", "vm.drift.cleared"))
#: Seconds for the slowest change, and for the first, which may meet a worker process that is not up.
PATIENCE = 60.0
Heard = queue.SimpleQueue[tuple[float, str]]


def run() -> list[Figure]:
    """With events, then without."""
    rack = Rack.of(1)
    with web() as address:
        with worker():
            perform("create", rack.place, rack.root, start=True)
            (machine,) = rack.machines()
            with listening(rack, machine, address) as (browser, bare):
                heard = changes(rack, machine, browser, bare, pause=0.0)
        with nobody_watching(rack.hypervisor), worker():
            with listening(rack, machine, address) as (browser, bare):
                polled = changes(rack, machine, browser, bare, pause=POLL)
            perform("destroy", rack.place, rack.root, force=True)
    return [*figures("events", heard, REACH), *figures(f"compared every {POLL:g} s", polled, POLL + MORE)]


@contextmanager
def nobody_watching(hypervisor: Hypervisor) -> Iterator[None]:
    """No worker process watches it, as whoever does so holds this lock; it is compared every few seconds."""
    Hypervisor.objects.filter(pk=hypervisor.pk).update(reconcile_interval=POLL, next_reconcile_at=None)
    with (Path(settings.OLIMPUS_HOME) / "watching" / str(hypervisor.pk)).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


# -- two who listen ----------------------------------------------------------------------------------------------------


@contextmanager
def listening(rack: Rack, machine: Descriptor, address: str) -> Iterator[tuple[Heard, Heard]]:
    """What a browser, and what `virsh event`, hears of the machine from now on, each with its time."""
    browser: Heard = queue.SimpleQueue()
    bare: Heard = queue.SimpleQueue()
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session_of(rack.root)}"}
    command = [*openssh(rack.cluster), host_of(machine), "virsh", "event", "--all", "--loop"]
    ends = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with connect(f"{address.replace('http', 'ws')}/ws/feed", additional_headers=cookie) as socket:
        socket.send(json.dumps({"subscribe": [machine.path], "since": None}))
        assert "settled" in json.loads(socket.recv(10))
        with process(command, **ends) as client:
            begin(read_feed, socket, browser)
            begin(read_events, client, bare)
            until(lambda: touched(rack, machine, bare), every=0.5)
            yield browser, bare


def touched(rack: Rack, machine: Descriptor, bare: Heard) -> bool:
    """Whether `virsh event` listens: it tells that the machine was given its title once more, which matters to nobody."""
    rack.virsh(machine, "desc", "--live", "--title", machine.name)
    return not bare.empty()


def begin(read: Callable[..., None], *args: object) -> None:
    """In a thread of its own, so that what arrives is noted at once."""
    threading.Thread(target=read, args=args, daemon=True).start()


def read_feed(socket: ClientConnection, heard: Heard) -> None:
    """The verbs of the feed, until its end."""
    try:
        for text in socket:
            now = time.monotonic()
            for event in json.loads(text).get("events", ()):
                heard.put((now, event["verb"]))
    except ConnectionClosed:
        return


def read_events(client: subprocess.Popen[bytes], heard: Heard) -> None:
    """virsh's words for what happened, as `Suspended`, until its end."""
    assert client.stdout is not None
    for line in client.stdout:
        heard.put((time.monotonic(), line.decode().rpartition("': ")[2].split(" ")[0]))


# -- the changes -------------------------------------------------------------------------------------------------------


def changes(rack: Rack, machine: Descriptor, browser: Heard, bare: Heard, pause: float) -> list[tuple[float, float]]:
    """Seconds until the browser and `virsh event` have heard, of each change, after two that only warm up.

    Between them it waits for a growing part of `pause`.
    """
    found = []
    for number, deed in zip(range(-2, CHANGES), cycle(DEEDS), strict=False):
        time.sleep(pause * max(0, number) / CHANGES)
        found.append(change(rack, machine, deed, browser, bare))
    return found[2:]


def change(
    rack: Rack, machine: Descriptor, deed: tuple[str, str, str], browser: Heard, bare: Heard
) -> tuple[float, float]:
    """One of them."""
    by_hand, event, verb = deed
    start = time.monotonic()
    rack.virsh(machine, by_hand)
    heard = (first(browser, verb) - start, first(bare, event) - start)
    say(f"{by_hand}: browser {heard[0] * 1000:.0f} ms, virsh event {heard[1] * 1000:.0f} ms")
    return heard


def first(heard: Heard, word: str) -> float:
    """When it was heard; whatever else was heard before is dropped. `queue.Empty` when it is not heard in time."""
    while True:
        at, what = heard.get(timeout=PATIENCE)
        if what == word:
            return at


def figures(label: str, heard: Sequence[tuple[float, float]], most: float) -> list[Figure]:
    """The middle and the slowest."""
    ours, bare = zip(*heard, strict=True)
    reach, details = f"all ≤ {most:g} s", {"browser": ours, "virsh_event": bare}

    def line(which: str, pick: Callable[[Sequence[float]], float]) -> Figure:
        work = f"Linux: change by hand → browser, {label}, {which} of {CHANGES}"
        return Figure(work, pick(ours), "s", reach, max(ours) <= most, pick(bare), details)

    return [line("median", statistics.median), line("slowest", max)]
