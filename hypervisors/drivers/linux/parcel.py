"""Programs of ours that run on the hosts of a cluster: how one travels there with its requests, and what comes back.

Nothing is installed: all modules of the program and the requests are one text, which a few lines over there unpack.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

from hypervisors.drivers.linux import faults
from hypervisors.drivers.linux.refusals import TOOL
from hypervisors.tunnels import Ended
from olimpus.errors import HypervisorError, Misconfigured, Transient
from olimpus.words import gettext as _

Json = dict[str, Any]

#: Makes modules of the texts that arrive, and answers the requests.
UNPACK: Final = (
    "import json,sys,types\n"
    "sent=json.load(sys.stdin)\n"
    "for name,text in sent['modules']:\n"
    " made=sys.modules[name]=types.ModuleType(name)\n"
    " exec(compile(text,name,'exec'),made.__dict__)\n"
    " package,_,short=name.rpartition('.')\n"
    " setattr(sys.modules.setdefault(package,types.ModuleType(package)),short,made)\n"
    "print(json.dumps(made.answers(sent['requests'])))\n"
)
ARGV: Final = ("python3", "-IS", "-c", UNPACK)
SUDO: Final = ("sudo", "-n")
COMMAND_NOT_FOUND: Final = 127


class Runs(Protocol):
    """What runs programs on a host: `Tunnels`, `Worker`, or whatever a test has instead."""

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60.0) -> Ended: ...


def packed(program: ModuleType, requests: Sequence[Mapping[str, Any]]) -> bytes:
    """What those lines read. `program` is a package that names its modules in `MODULES`; the last one answers."""
    return json.dumps({"modules": _modules(program), "requests": requests}).encode()


def answers(
    host: Runs, before: Sequence[str], program: ModuleType, requests: Sequence[Json], seconds: float, where: str
) -> list[Json]:
    """What the program says to each of these requests, run on a host by the command `before` (sudo).

    `Misconfigured`: it may not, or cannot run there. `Transient`: it broke off. And whatever `host` raises.
    """
    ended = host.run((*before, *ARGV), packed(program, requests), seconds)
    if ended.code:
        raise _failed(ended, where)
    said: list[Json] = json.loads(ended.out)
    return said


def _failed(ended: Ended, where: str) -> HypervisorError:
    said = ended.err.decode(errors="replace").strip()
    if "sudo:" in said and "password" in said:
        hint = _("Let it run everything by sudo without a password, or name another account.")
        return Misconfigured(_("The account may not become root there."), where=where, hint=hint)
    if ended.code == COMMAND_NOT_FOUND or "python3: command not found" in said:
        return TOOL.error_of({"tool": "python3", "package": "python3"}, where)
    lines = said.splitlines() or [f"{ended.code}"]
    return Transient(_("The program that was sent there broke off: %(error)s") % {"error": lines[-1]}, where=where)


@functools.cache
def _modules(program: ModuleType) -> list[tuple[str, str]]:
    folder = Path(str(program.__file__)).parent
    own = [(f"{program.__name__}.{name}", folder / f"{name}.py") for name in program.MODULES]
    return [(name, file.read_text()) for name, file in ((faults.__name__, Path(faults.__file__)), *own)]
