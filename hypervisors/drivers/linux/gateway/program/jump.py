"""The account on the gateway through which students jump to their machines: made with the first key, gone with the last."""

from __future__ import annotations

import pwd
import shutil
from pathlib import Path

from hypervisors.drivers.linux.faults import Refused
from hypervisors.drivers.linux.gateway.program import system
from hypervisors.drivers.linux.gateway.program.settings import Settings
from hypervisors.drivers.linux.gateway.program.state import write

NO_SHELL = "/usr/sbin/nologin"


def converge(settings: Settings, lines: list[str]) -> None:
    """Let these keys in, and no others. `Refused` when the account is somebody else's: his keys are not touched."""
    if not settings.jump_user:
        return
    home = settings.home / "jump"
    there = _account(settings.jump_user)
    if there and Path(there.pw_dir) != home:
        if lines:
            raise Refused("jump-account", user=settings.jump_user)
        return
    if lines:
        _let_in(settings.jump_user, home, lines, new=not there)
    elif there:
        system.run("userdel", "--force", settings.jump_user, fine=(0, 6, 12))
        shutil.rmtree(home, ignore_errors=True)


def _account(user: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def _let_in(user: str, home: Path, lines: list[str], *, new: bool) -> None:
    """Folder and file are root's: who comes in by a key cannot add others. No password, but not locked for sshd."""
    if new:
        how = ("--system", "--user-group", "--no-create-home", "--home-dir", str(home), "--shell", NO_SHELL)
        system.run("useradd", *how, "--password", "*", user)
    (home / ".ssh").mkdir(parents=True, exist_ok=True)
    write(home / ".ssh" / "authorized_keys", "".join(f"{line}\n" for line in lines))
