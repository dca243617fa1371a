"""The mock's serial line: a socket pair whose other end a thread serves with a pretended shell, while the VM is on."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from typing import Final

from hypervisors.drivers.base import VmInfo
from hypervisors.drivers.mock.shell import Shell

#: Seconds between two looks at whether the VM is still on.
LOOK: Final = 0.5
PIECE: Final = 4096


def serve(vm: VmInfo, is_on: Callable[[], bool]) -> socket.socket:
    """Our end of a new line to the VM's shell. It ends when either side closes it, or within a second of the power's end."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=_run, args=(theirs, Shell(vm), is_on), name=f"serial-{vm.ref}", daemon=True).start()
    return ours


def _run(sock: socket.socket, shell: Shell, is_on: Callable[[], bool]) -> None:
    with sock:
        try:
            sock.sendall(shell.greeting())
            while is_on():
                if not select.select([sock], [], [], LOOK)[0]:
                    continue
                if not (data := sock.recv(PIECE)):
                    return
                sock.sendall(shell.feed(data))
        except OSError:
            return  # whoever looked has gone
