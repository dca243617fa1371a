"""Libraries that are loaded when they are first needed: a command should begin at once."""

from __future__ import annotations

import sys
from types import ModuleType


def load_httpx() -> ModuleType:
    """httpx without its own command line, which would load rich and click: half of the time that its import takes."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # httpx lives without it, as documented
    import httpx

    return httpx
