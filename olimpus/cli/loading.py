"""Libraries that are loaded when they are first needed: a command should begin at once."""

from __future__ import annotations

import ssl
import sys
from types import ModuleType
from typing import Final

#: What httpx can use and we do not: more than half of the time that its import takes.
UNWANTED: Final = ("httpx._main", "anyio")


def load_httpx() -> ModuleType:
    """httpx without its own command line, which would load rich, and without its asynchronous half."""
    for unwanted in UNWANTED:
        sys.modules.setdefault(unwanted, None)  # type: ignore[arg-type]  # httpx lives without them, as documented
    import httpx

    return httpx


def trusted(address: str) -> ssl.SSLContext | bool:
    """Whose certificates are believed: the authorities of this computer, or those that httpx brings where it has none.

    Reading them takes longer than all the rest; for plain HTTP nobody reads them.
    """
    if not address.startswith("https://"):
        return False
    known = ssl.get_default_verify_paths()
    return ssl.create_default_context() if known.cafile or known.capath else True
