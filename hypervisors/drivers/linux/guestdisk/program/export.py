"""A qcow2 disk as a plain file: QEMU's storage daemon shows it by FUSE, so that the kernel sees bytes and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator

from hypervisors.drivers.linux.faults import Refused
from hypervisors.drivers.linux.guestdisk.program import tools
from hypervisors.drivers.linux.guestdisk.program.partitions import Part

#: We have a mount namespace of our own: what we lay over this folder goes with us, whatever ends us.
FOLDER = "/run/lock"
START_SECONDS = 20.0
END_SECONDS = 60.0


def own_folder() -> str:
    """An empty folder that only we see, in which nobody can open what he is told the name of."""
    argv = ["mount", "-t", "tmpfs", "-o", "mode=0711,nosuid,nodev", "olimpus-disk", FOLDER]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    if done.returncode:
        raise Refused("failed", command="mount", error=done.stderr.strip()[-400:])
    return FOLDER


@contextlib.contextmanager
def shown(disk: str, folder: str, part: Part | None = None) -> Iterator[str]:
    """The path of a file in `folder` that is, while the block runs, a part of the disk; or all of it, only to be read.

    Nobody may open it. QEMU's lock of the image is held meanwhile: `Refused` when a machine, or else, has the disk.
    """
    path = os.path.join(folder, f"part-{part.number}" if part else "disk")
    with open(path, "w"):
        pass
    daemon = subprocess.Popen(_argv(disk, path, part), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: S603 - no shell
    try:
        _wait_for(path, folder, daemon)
        tools.give(path)
        yield path
    finally:
        _end(daemon)
    if daemon.returncode:
        raise Refused("failed", command="qemu-storage-daemon", error=f"it ended with {daemon.returncode}")


def _argv(disk: str, path: str, part: Part | None) -> list[str]:
    """It ends with us, whatever ends us."""
    file = {"driver": "file", "filename": disk}
    image = {"driver": "qcow2", "node-name": "disk", "file": file, "read-only": part is None}
    node = {"driver": "raw", "node-name": "shown", "file": "disk", "read-only": part is None}
    if part:
        node |= {"offset": part.start, "size": part.size}
    export = {"type": "fuse", "id": "shown", "node-name": "shown", "mountpoint": path, "writable": part is not None}
    export |= {"allow-other": "on"}
    options = ["--blockdev", json.dumps(image), "--blockdev", json.dumps(node), "--export", json.dumps(export)]
    return ["setpriv", "--pdeathsig", "TERM", "qemu-storage-daemon", *options]


def _wait_for(path: str, folder: str, daemon: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while os.stat(path).st_dev == os.stat(folder).st_dev:
        if daemon.poll() is not None:
            raise _refusal((daemon.stderr.read() if daemon.stderr else "").strip())
        if time.monotonic() > deadline:
            raise Refused("failed", command="qemu-storage-daemon", error=f"no answer in {START_SECONDS} s")
        time.sleep(0.005)


def _refusal(said: str) -> Refused:
    """Why the daemon did not start, without the options that it repeats."""
    error = said.rpartition("}: ")[2][-400:]
    if "Failed to get" in error and "lock" in error:
        return Refused("disk-in-use", error=error)
    return Refused("fuse" if "fuse" in error.lower() else "disk", error=error)


def _end(daemon: subprocess.Popen[str]) -> None:
    """Let it write what it still has; the image is whole when it is gone."""
    daemon.terminate()
    try:
        daemon.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
