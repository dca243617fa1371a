"""A pretended guest's shell on its serial line: it echoes, edits a line and answers a few commands from what the VM is."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from hypervisors.drivers.base import VmInfo

LONGEST_LINE: Final = 1000
INTERRUPT, END, BELL, ERASE, CLEAR = "\x03", "\x04", "\a", "\b\x7f", "\x0c"
WIPE: Final = "\x1b[H\x1b[2J"
HELP: Final = """Pretended commands of this mock guest:
  help      this list
  uname     the system (-a: all of it)
  hostname  the machine's name
  uptime    since when it is on
  ip addr   its network cards
  free      its memory
  nproc     its processors
  date      the time (UTC)
  echo      what you say
  clear     an empty screen"""


class Shell:
    """One session. Pure but for the clock: `feed` takes what was typed and returns what the terminal shows."""

    def __init__(self, vm: VmInfo, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        self._vm = vm
        self._now = now
        self._line = ""
        self._after_return = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._commands: dict[str, Callable[[str], str]] = {
            "help": lambda _rest: HELP,
            "uname": self._uname,
            "hostname": lambda _rest: self._host,
            "uptime": self._uptime,
            "ip": self._ip,
            "free": lambda _rest: f"              total\nMem:   {vm.memory_mib * 1024:>12}",
            "nproc": lambda _rest: str(vm.cpus),
            "date": lambda _rest: f"{self._now():%a %b %d %H:%M:%S UTC %Y}",
            "echo": lambda rest: rest,
            "whoami": lambda _rest: "root",
        }

    def greeting(self) -> bytes:
        """What a terminal shows first."""
        return _shown(f"\n{self._host} ttyS0 (mock guest; type help)\n\n{self._prompt}")

    def feed(self, data: bytes) -> bytes:
        """What the terminal shows after these keys."""
        return _shown("".join(self._key(key) for key in self._decoder.decode(data)))

    @property
    def _host(self) -> str:
        return self._vm.name or "guest"

    @property
    def _prompt(self) -> str:
        return f"root@{self._host}:~# "

    def _key(self, key: str) -> str:
        after_return, self._after_return = self._after_return, key == "\r"
        if key in "\r\n":
            return "" if key == "\n" and after_return else self._enter()
        if key in ERASE:
            gone, self._line = self._line[-1:], self._line[:-1]
            return "\b \b" if gone else BELL
        if key in (INTERRUPT, END):
            self._line = ""
            return f"^{chr(ord(key) + 64)}\n{self._prompt}"
        if key == CLEAR:
            return f"{WIPE}{self._prompt}{self._line}"
        if not key.isprintable() or len(self._line) >= LONGEST_LINE:
            return BELL
        self._line += key
        return key

    def _enter(self) -> str:
        name, _space, rest = self._line.strip().partition(" ")
        self._line = ""
        if name == "clear":
            return f"{WIPE}{self._prompt}"
        answer = self._answer(name, rest.strip()) if name else ""
        return f"\n{answer}\n{self._prompt}" if answer else f"\n{self._prompt}"

    def _answer(self, name: str, rest: str) -> str:
        command = self._commands.get(name)
        return command(rest) if command else f"sh: {name}: command not found (try help)"

    def _uname(self, rest: str) -> str:
        return f"Linux {self._host} 6.1.0-mock-amd64 #1 SMP x86_64 GNU/Linux" if "a" in rest else "Linux"

    def _uptime(self, _rest: str) -> str:
        since = self._vm.since or self._now()
        minutes = int((self._now() - since).total_seconds() // 60)
        return f" {self._now():%H:%M:%S} up {minutes // 60}:{minutes % 60:02},  1 user,  load average: 0.00, 0.01, 0.05"

    def _ip(self, rest: str) -> str:
        if not "address".startswith(rest or "a"):
            return f"ip: {rest} is not pretended here (try ip addr)"
        lines = ["1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536", "    inet 127.0.0.1/8 scope host lo"]
        for number, nic in enumerate(self._vm.nics):
            lines.append(f"{number + 2}: eth{number}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500")
            lines.append(f"    link/ether {nic.mac} brd ff:ff:ff:ff:ff:ff")
            lines += [f"    inet {nic.ip} scope global eth{number}"] if nic.ip else []
        return "\n".join(lines)


def _shown(text: str) -> bytes:
    """As a serial line says it: a new line is carriage return and line feed."""
    return text.replace("\n", "\r\n").encode()
