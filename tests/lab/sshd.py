"""A real OpenSSH server on a free port of 127.0.0.1, with keys, faults and a restart of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.processes.installation import free_port, until

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
WHAT_TO_DO = "sshd is not installed: `make lab-openstack` installs it, or Debian's openssh-server"
CONFIGURATION = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/pid
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin yes
AllowTcpForwarding {forwarding}
PermitOpen {permitted}
MaxStartups 200
MaxSessions 200
LoginGraceTime 20
LogLevel VERBOSE
"""


class Sshd:
    """Started at once; whoever makes one calls `close`.

    `host`, `port`, `user`, `key` or `key_file`, and `host_key` say how to enter.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, *, forwarding: bool = True, permitted: Sequence[str] = ()):
        assert SSHD, WHAT_TO_DO
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port, self.user = folder, free_port(), getpass.getuser()
        self.key_file = folder / "key"
        self._forwarding, self._permitted = forwarding, tuple(permitted)
        self._process: subprocess.Popen[bytes] | None = None
        self._make_key(self.key_file)
        self._make_key(folder / "host_key")
        self.admit()
        self.start()

    # -- how to enter --------------------------------------------------------------------------------------------------
    @property
    def key(self) -> str:
        """The private key that is let in, as text."""
        return self.key_file.read_text()

    @property
    def host_key(self) -> str:
        """Type and public key, as in a known_hosts file."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    def settings(self, prefix: str = "bastion") -> dict[str, Any]:
        """The settings of a hypervisor that goes through this server."""
        return {
            f"{prefix}_host": self.host,
            f"{prefix}_port": self.port,
            f"{prefix}_user": self.user,
            f"{prefix}_key": self.key,
            f"{prefix}_host_key": self.host_key,
        }

    def client(self, *arguments: str) -> list[str]:
        """The command line of OpenSSH's own client, which asks nothing and trusts this server."""
        known = self.folder / "known_hosts"
        known.write_text(f"[{self.host}]:{self.port} {self.host_key}\n")
        options = [f"UserKnownHostsFile={known}", "IdentitiesOnly=yes", "BatchMode=yes", "ExitOnForwardFailure=yes"]
        given = [part for option in options for part in ("-o", option)]
        entry = ["-i", str(self.key_file), "-p", str(self.port), *given]
        return ["ssh", "-F", "none", *entry, *arguments, f"{self.user}@{self.host}"]

    # -- what happens to it --------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Listen; with the keys and rules that hold now."""
        file = self.folder / "config"
        told = {
            "port": self.port,
            "folder": self.folder,
            "forwarding": "yes" if self._forwarding else "no",
            "permitted": " ".join(self._permitted) or "any",
        }
        file.write_text(CONFIGURATION.format(**told))
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks itself up before somebody has signed in
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([SSHD or "", "-D", "-e", "-f", str(file)], stdout=log, stderr=log)
        assert until(self._listens, 10, 0.02), self.log()

    def kill(self) -> None:
        """It and all its sessions, with -9: nobody is told goodbye. Connecting is refused until `start`."""
        if self._process is None:
            return
        _kill([psutil.Process(self._process.pid), *self.sessions()])
        self._process.wait(10)
        self._process = None

    def drop(self) -> int:
        """All sessions, with -9; the server goes on listening. Returns how many processes they were."""
        sessions = self.sessions()
        _kill(sessions)
        return len(sessions)

    def freeze(self) -> None:
        """Nothing is answered any more, and no connection is closed, until `thaw`."""
        for process in self._all():
            process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        for process in self._all():
            process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """`kill` and `start`, on the same port."""
        self.kill()
        self.start()

    def deny(self) -> None:
        """No key is let in from now on; who is in stays in."""
        (self.folder / "authorized_keys").write_text("")

    def admit(self) -> None:
        """Let the key in again."""
        shutil.copy(f"{self.key_file}.pub", self.folder / "authorized_keys")

    def forward(self, allowed: bool, *permitted: str) -> None:
        """Restart with forwarding allowed (only to some `host:port`, when they are given) or not."""
        self._forwarding, self._permitted = allowed, permitted
        self.restart()

    def change_host_key(self) -> None:
        """Restart as another host: what an attacker in between would look like."""
        self._make_key(self.folder / "host_key")
        self.restart()

    def close(self) -> None:
        """End it. May be repeated."""
        self.kill()

    # -- looking -------------------------------------------------------------------------------------------------------
    def sessions(self) -> list[psutil.Process]:
        """The processes of those who are connected."""
        if self._process is None:
            return []
        return psutil.Process(self._process.pid).children(recursive=True)

    def connections(self) -> int:
        """How many SSH connections there are."""
        if self._process is None:
            return 0
        return len(psutil.Process(self._process.pid).children())

    def log(self) -> str:
        """What it has said so far."""
        return (self.folder / "log").read_text()

    def _all(self) -> list[psutil.Process]:
        return [psutil.Process(self._process.pid), *self.sessions()] if self._process else []

    def _listens(self) -> bool:
        assert self._process, "not started"
        assert self._process.poll() is None, self.log()
        return any(one.laddr.port == self.port for one in psutil.Process(self._process.pid).net_connections())

    def _make_key(self, file: Path) -> None:
        for old in (file, file.with_name(f"{file.name}.pub")):
            old.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(file)], check=True)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            time.sleep(0)  # it ended by itself just now
    psutil.wait_procs(processes, timeout=10)
