"""What libvirt says went wrong, as our exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import libvirt

from olimpus.errors import (
    CapacityExceeded,
    HypervisorError,
    Missing,
    Rejected,
    Transient,
    Unreachable,
    VMNotFound,
)

#: libvirt prints every error to stderr unless told not to.
libvirt.registerErrorHandler(lambda _context, _error: None, None)

LOST: Final = frozenset(
    {
        libvirt.VIR_ERR_NO_CONNECT,
        libvirt.VIR_ERR_INVALID_CONN,
        libvirt.VIR_ERR_RPC,
        libvirt.VIR_ERR_AUTH_UNAVAILABLE,
        libvirt.VIR_ERR_LIBSSH,
    }
)
CLASSES: Final[dict[int, type[HypervisorError]]] = {
    libvirt.VIR_ERR_NO_DOMAIN: VMNotFound,
    libvirt.VIR_ERR_NO_STORAGE_VOL: Missing,
    libvirt.VIR_ERR_NO_STORAGE_POOL: Missing,
    libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT: Missing,
    libvirt.VIR_ERR_OPERATION_TIMEOUT: Transient,
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE: Transient,
    libvirt.VIR_ERR_RESOURCE_BUSY: Transient,
}
#: Sentences of QEMU and the kernel, which libvirt hands on with codes that say less.
FULL: Final = ("no space left", "cannot allocate memory", "cannot set up guest memory", "disk quota exceeded")
CUT_OFF: Final = (
    "end of file while reading",
    "client socket is closed",
    "connection reset",
    "broken pipe",
    "keepalive",
)


def is_lost(error: libvirt.libvirtError) -> bool:
    """Whether the connection ended, so that nobody knows what became of the call."""
    if error.get_error_code() in LOST:
        return True
    about = error.get_error_domain() == libvirt.VIR_FROM_RPC or error.get_error_code() in (
        libvirt.VIR_ERR_INTERNAL_ERROR,
        libvirt.VIR_ERR_SYSTEM_ERROR,
    )
    return about and any(words in str(error).lower() for words in CUT_OFF)


def translate(error: libvirt.libvirtError, where: str) -> HypervisorError:
    """Our exception for one of libvirt's."""
    said = str(error.get_error_message() or error)
    if is_lost(error):
        return Unreachable(said, where=where)
    if any(words in said.lower() for words in FULL):
        return CapacityExceeded(said, where=where)
    return CLASSES.get(error.get_error_code(), Rejected)(said, where=where)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """libvirt's errors inside leave as ours, naming `where`."""
    try:
        yield
    except libvirt.libvirtError as error:
        raise translate(error, where) from None
