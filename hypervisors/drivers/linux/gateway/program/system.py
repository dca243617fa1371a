"""The hands: programs, namespaces and processes of the machine that this runs on. Everything may be repeated."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hypervisors.drivers.linux.faults import Refused

#: Program → the package that Debian and Ubuntu have it in.
PACKAGES = {
    "ip": "iproute2",
    "ovs-vsctl": "openvswitch-switch",
    "nft": "nftables",
    "dnsmasq": "dnsmasq-base",
    "useradd": "passwd",
    "userdel": "passwd",
    "usermod": "passwd",
}
NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000
#: Of linux/sockios.h and linux/ethtool.h: the request, and what it sets.
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17
PATIENCE = 60
GOODBYE_SECONDS = 2.0


def run(*argv: str, data: str = "", fine: Sequence[int] = (0,)) -> str:
    """What a program says. `Refused` with its complaint when it fails, or is not there."""
    try:
        done = subprocess.run(argv, input=data, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603 - no shell
    except FileNotFoundError:
        raise Refused("tool", tool=argv[0], package=PACKAGES.get(argv[0], argv[0])) from None
    except subprocess.TimeoutExpired:
        raise Refused("failed", command=" ".join(argv), error=f"no answer in {PATIENCE} s") from None
    if done.returncode not in fine:
        raise Refused("failed", command=" ".join(argv)[:200], error=(done.stderr or done.stdout).strip()[-400:])
    return done.stdout


def need(*tools: str) -> None:
    """`Refused` when one of the programs is not installed, before anything is done."""
    for tool in tools:
        if not shutil.which(tool):
            raise Refused("tool", tool=tool, package=PACKAGES.get(tool, tool))


def run_json(*argv: str) -> Any:
    """What a program says in JSON; an empty list when it says nothing."""
    return json.loads(run(*argv).strip() or "[]")


# -- namespaces --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Everything in the block, and every program that this thread starts there, is in this network namespace."""
    with open("/proc/thread-self/ns/net") as home:
        with open(NAMESPACES / namespace) as there:
            _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def has_namespace(namespace: str, device: str = "lo") -> bool:
    """Whether it is there, and this device in it: a name may be left without its namespace."""
    try:
        with inside(namespace):
            return device in devices()
    except OSError:
        return False


def devices() -> list[str]:
    """Names of the devices in the namespace that we are in."""
    return [name for _number, name in socket.if_nameindex()]


def finish_sums(device: str) -> None:
    """Let the kernel finish the sums of all frames that it sends by this device, as `ethtool -K … tx off` does. One that
    always does so, or that cannot, does not mind.
    """
    off = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP16x", device.encode(), ctypes.addressof(off))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_, contextlib.suppress(OSError):
        fcntl.ioctl(any_, SIOCETHTOOL, request)


def make_namespace(namespace: str) -> None:
    """Make it if it is not there."""
    if not has_namespace(namespace):
        remove_namespace(namespace)
        run("ip", "netns", "add", namespace)


def remove_namespace(namespace: str) -> None:
    """Take it away, and with it the links that end there."""
    if (NAMESPACES / namespace).exists():
        run("ip", "netns", "del", namespace, fine=(0, 1))
        (NAMESPACES / namespace).unlink(missing_ok=True)


def namespaces() -> list[str]:
    """Names of all network namespaces."""
    try:
        return sorted(os.listdir(NAMESPACES))
    except FileNotFoundError:
        return []


def switch_on(name: str) -> None:
    """Let the kernel do this (a file of /proc/sys) in the namespace that we are in."""
    file = Path("/proc/sys", name)
    if file.read_text().strip() != "1":
        file.write_text("1\n")


# -- processes ---------------------------------------------------------------------------------------------------------


def processes_with(*arguments: str) -> list[int]:
    """Processes that were started with one of these arguments."""
    wanted = {argument.encode() for argument in arguments}
    return [
        int(name) for name in os.listdir("/proc") if name.isdecimal() and wanted & {*_command_line(name).split(b"\0")}
    ]


def is_process(number: int, argument: str) -> bool:
    """Whether this is a process that was started with this argument."""
    return b"\0" + argument.encode() + b"\0" in _command_line(str(number))


def _command_line(number: str) -> bytes:
    try:
        return b"\0" + Path("/proc", number, "cmdline").read_bytes()
    except OSError:
        return b""


def shares_namespace(number: int, namespace: str) -> bool:
    """Whether a process is in this network namespace."""
    try:
        there, its = os.stat(NAMESPACES / namespace), os.stat(f"/proc/{number}/ns/net")
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (its.st_dev, its.st_ino)


def tell(number: int, message: signal.Signals) -> None:
    """Send a signal; a process that is gone (or 0: there is none) does not mind."""
    with contextlib.suppress(ProcessLookupError):
        if number:
            os.kill(number, message)


def end_processes(*arguments: str) -> None:
    """End the processes that were started with one of these arguments, and wait until they are gone."""
    deadline = time.monotonic() + GOODBYE_SECONDS
    while found := processes_with(*arguments):
        for number in found:
            tell(number, signal.SIGKILL if time.monotonic() > deadline else signal.SIGTERM)
        time.sleep(0.01)


# -- the bridge --------------------------------------------------------------------------------------------------------


def tags_in_use(bridge: str) -> dict[str, list[int]]:
    """The VLAN tags of each port of the bridge. `Refused` when there is no such bridge."""
    if bridge not in run("ovs-vsctl", "--timeout=10", "list-br").split():
        raise Refused("bridge", bridge=bridge)
    names = run("ovs-vsctl", "--timeout=10", "list-ports", bridge).split()
    if not names:
        return {}
    columns = ("--format=json", "--columns=name,tag,trunks")
    rows = json.loads(run("ovs-vsctl", "--timeout=10", *columns, "list", "port", *names))["data"]
    return {name: [*_numbers(tag), *_numbers(trunks)] for name, tag, trunks in rows}


def _numbers(value: Any) -> list[int]:
    """Integers of OVSDB's JSON: a number, or ["set", [numbers]]."""
    return [value] if isinstance(value, int) else list(value[1])
