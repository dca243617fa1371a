"""The mock hypervisor's own memory: one SQLite file per hypervisor, outside our tables.

It survives the death of our processes and is shared by web and worker, like a real hypervisor. `events` logs each
*effect* once, so that tests can prove that nothing was doubled.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import threading
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypervisors.drivers.base import NicSpec, Power, Snapshot, VmInfo, extra_gib
from hypervisors.drivers.cloud import Image
from olimpus.errors import Transient
from olimpus.words import gettext as _

BUSY_SECONDS = 30.0

SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS vms (
    ref TEXT PRIMARY KEY, uid TEXT, name TEXT NOT NULL, power TEXT NOT NULL, cpus INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL, disk_gib REAL NOT NULL, image TEXT NOT NULL, nics TEXT NOT NULL, since REAL,
    extra TEXT NOT NULL, boots INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS vms_uid ON vms (uid) WHERE uid IS NOT NULL;
CREATE TABLE IF NOT EXISTS snapshots (
    ref TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL, created REAL NOT NULL, boots INTEGER NOT NULL,
    PRIMARY KEY (ref, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS images (
    name TEXT PRIMARY KEY, ref TEXT NOT NULL, created REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, verb TEXT NOT NULL, ref TEXT NOT NULL, uid TEXT NOT NULL, at REAL NOT NULL);
COMMIT;
"""
#: What all disks of a VM take up.
ROOM_GIB = "disk_gib + (SELECT coalesce(sum(value ->> 'size_gib'), 0) FROM json_each(extra, '$.disks'))"
COLUMNS = "ref, uid, name, power, cpus, memory_mib, disk_gib, image, nics, since, extra, boots"
WRITABLE = frozenset(COLUMNS.split(", ")) - {"ref"}


def path_of(home: Path, hypervisor: str) -> Path:
    """Where a mock hypervisor's memory is."""
    return Path(home) / "mock" / f"{hypervisor}.sqlite3"


@dataclass(frozen=True)
class Event:
    """One effect that really happened on the mock hypervisor."""

    id: int
    verb: str  # create, power_on, shutdown, power_off, pause, resume, reconfigure, snapshot, revert, destroy…
    ref: str
    uid: str
    at: datetime


def utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def dump_nics(nics: Iterable[NicSpec]) -> str:
    return json.dumps([asdict(nic) for nic in nics])


def load_nics(text: str) -> tuple[NicSpec, ...]:
    return tuple(NicSpec(**nic) for nic in json.loads(text)) if text != "[]" else ()


def vm_info(row: tuple[Any, ...]) -> VmInfo:
    ref, uid, name, power, cpus, memory_mib, disk_gib, image, nics, since, extra, boots = row
    more = json.loads(extra)
    return VmInfo(
        ref=ref,
        uid=uid or "",
        name=name,
        power=Power(power),
        cpus=cpus,
        memory_mib=memory_mib,
        disk_gib=disk_gib,
        nics=load_nics(nics),
        image=image,
        since=None if since is None else utc(since),
        host=host_of(ref),
        extra={"boots": boots} | more,
        extra_gib=extra_gib(more.get("disks", ())),
    )


def host_of(ref: str) -> str:
    """The worker that a VM is on: its reference begins with it; "" where there are no workers."""
    return ref.rpartition("/")[0]


class Store:
    """One hypervisor's file. Threads share it: a pool of connections, and writers of one process take turns.

    SQLite lets writers wait by sleeping, which starves some of many threads; a lock in front of it serves them in turn
    and leaves SQLite's own waiting to the few other processes.
    """

    def __init__(self, path: Path):
        self.path = path
        self._idle: deque[sqlite3.Connection] = deque()
        self._turn = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._idle.append(connection)
        except sqlite3.OperationalError as error:
            message = _("The mock hypervisor's memory is busy: %(error)s.") % {"error": error}
            raise Transient(message) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One short transaction: all of it or nothing."""
        with self._turn, self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the idle connections; may be repeated, and the store works on afterwards."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=NORMAL")
        if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'images'").fetchone()[0]:
            self._lay_out(connection)
        return connection

    def _lay_out(self, connection: sqlite3.Connection) -> None:
        """Make a new file's tables, and those that an older one lacks.

        Several processes may try at once, and SQLite does not wait to turn WAL on.
        """
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(SCHEMA)


# -- statements, inside a transaction of the caller ------------------------------------------------------------------


def vm_by(db: sqlite3.Connection, column: str, value: str) -> VmInfo | None:
    """The VM whose `ref` or `uid` is this, or None."""
    row = db.execute(f"SELECT {COLUMNS} FROM vms WHERE {column} = ?", (value,)).fetchone()  # noqa: S608 - our names
    return vm_info(row) if row else None


def all_vms(db: sqlite3.Connection) -> list[VmInfo]:
    return [vm_info(row) for row in db.execute(f"SELECT {COLUMNS} FROM vms")]  # noqa: S608 - our own names


def insert_vm(db: sqlite3.Connection, values: Mapping[str, Any], host: str = "") -> str:
    """Add a VM, powered off unless told otherwise; returns its new ref."""
    row = {"ref": f"{host}/mock-{uuid.uuid4().hex[:12]}".lstrip("/"), "power": Power.OFF.value, "extra": "{}", **values}
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO vms ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608 - our own names
    return row["ref"]


def change_vm(db: sqlite3.Connection, ref: str, **values: Any) -> None:
    unknown = set(values) - WRITABLE
    if unknown:
        raise TypeError(f"no such fields of a mock VM: {', '.join(sorted(unknown))}")
    assignments = ", ".join(f"{name} = ?" for name in values)
    db.execute(f"UPDATE vms SET {assignments} WHERE ref = ?", (*values.values(), ref))  # noqa: S608 - checked above


def log(db: sqlite3.Connection, verb: str, ref: str, uid: str, at: float) -> None:
    db.execute("INSERT INTO events (verb, ref, uid, at) VALUES (?, ?, ?, ?)", (verb, ref, uid, at))


def usage(db: sqlite3.Connection) -> tuple[int, int, int, float]:
    """VMs, cpus, MiB of memory and GiB of disk promised."""
    return db.execute(
        "SELECT count(*), coalesce(sum(cpus), 0), coalesce(sum(memory_mib), 0), "  # noqa: S608
        f"coalesce(sum({ROOM_GIB}), 0.0) FROM vms"
    ).fetchone()


def usage_by_host(db: sqlite3.Connection) -> list[tuple[str, int, int, int, float]]:
    """The same for each worker: (its name, VMs, cpus, MiB, GiB)."""
    return db.execute(
        "SELECT substr(ref, 1, instr(ref, '/') - 1) AS host, count(*), sum(cpus), sum(memory_mib), "  # noqa: S608
        f"sum({ROOM_GIB}) "
        "FROM vms WHERE instr(ref, '/') GROUP BY host"
    ).fetchall()


def last_event(db: sqlite3.Connection) -> int:
    """The number of the last effect, 0 before the first."""
    return db.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]


def snapshots_of(db: sqlite3.Connection, ref: str) -> dict[str, Snapshot]:
    rows = db.execute("SELECT name, created, description FROM snapshots WHERE ref = ? ORDER BY created, name", (ref,))
    return {name: Snapshot(name, utc(created), description) for name, created, description in rows}


def images(db: sqlite3.Connection) -> dict[str, Image]:
    """Images by name; the id is the VM that each was made of, "" when it was uploaded."""
    rows = db.execute("SELECT ref, name, created FROM images ORDER BY name")
    return {name: Image(ref, name, "active", created_at=utc(created)) for ref, name, created in rows}


def insert_image(db: sqlite3.Connection, name: str, ref: str, at: float) -> None:
    db.execute("INSERT INTO images (name, ref, created) VALUES (?, ?, ?)", (name, ref, at))


def delete_image(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM images WHERE name = ?", (name,))


def events_of(db: sqlite3.Connection, after: int = 0) -> list[Event]:
    rows = db.execute("SELECT id, verb, ref, uid, at FROM events WHERE id > ? ORDER BY id", (after,))
    return [Event(number, verb, ref, uid, utc(at)) for number, verb, ref, uid, at in rows]
