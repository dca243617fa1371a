"""Programs of the worker, run with no more rights than they need."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from typing import Any

from hypervisors.drivers.linux.faults import Refused

#: Program → the package that Debian and Ubuntu have it in.
PACKAGES = {
    "qemu-storage-daemon": "qemu-system-common",
    "setpriv": "util-linux",
    "sfdisk": "fdisk",
    "blkid": "util-linux",
    "e2fsck": "e2fsprogs",
    "debugfs": "e2fsprogs",
}
NOBODY = "nobody"
PATIENCE = 60

Done = subprocess.CompletedProcess[str]


def need() -> None:
    """`Refused` when one of the programs is not installed, before anything is done."""
    for tool, package in PACKAGES.items():
        if not shutil.which(tool):
            raise Refused("tool", tool=tool, package=package)


def run(*argv: str, data: str = "") -> Done:
    """A program run by nobody, who reads what a guest wrote; `Refused` when it does not end."""
    try:
        return subprocess.run(  # noqa: S603 - no shell
            argv,
            input=data,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
            check=False,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            **_identity(),
        )
    except subprocess.TimeoutExpired:
        raise Refused("failed", command=argv[0], error=f"no answer in {PATIENCE} s") from None


def give(path: str) -> None:
    """Let nobody have this file or folder."""
    if account := _identity():
        os.chown(path, account["user"], account["group"])


def complaint(done: Done) -> str:
    """What a program complained about, without the name and version that some begin with."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("debugfs 1", "e2fsck 1"))]
    return "; ".join(said)[-400:]


def _identity() -> dict[str, Any]:
    """Who runs programs; ourselves where we are not root, and cannot become anybody else."""
    if os.geteuid():
        return {}
    account = pwd.getpwnam(NOBODY)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
