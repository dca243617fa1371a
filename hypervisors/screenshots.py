"""Pictures of screens: asked for seldom, however many look, and of a bounded size."""

from __future__ import annotations

import threading
import time
from typing import Final
from weakref import WeakValueDictionary

from hypervisors.gateway import Gateway
from olimpus.errors import HypervisorError
from olimpus.words import gettext as _

#: Seconds for which a picture is shown again; how many are kept; bytes of the largest.
FRESH: Final = 10.0
MOST: Final = 100
LARGEST: Final = 2 * 1024 * 1024

Key = tuple[str, str]
_kept: dict[Key, tuple[float, bytes]] = {}
_turns: WeakValueDictionary[Key, threading.Lock] = WeakValueDictionary()  # those that somebody waits in
_giving = threading.Lock()


def screenshot(gateway: Gateway, ref: str) -> bytes:
    """What the VM's screen shows, as PNG, at most ten seconds old. `HypervisorError` also when it is too large."""
    key = (gateway.name, ref)
    with _turn(key):  # who asks for the same at once gets the same
        taken, picture = _kept.get(key, (float("-inf"), b""))
        if time.monotonic() - taken > FRESH:
            picture = gateway.screenshot(ref)
            if len(picture) > LARGEST:
                raise HypervisorError(_("The picture of the screen is too large."), where=gateway.name)
            _keep(key, picture)
    return picture


def _turn(key: Key) -> threading.Lock:
    with _giving:
        return _turns.setdefault(key, threading.Lock())


def _keep(key: Key, picture: bytes) -> None:
    old = time.monotonic() - FRESH
    for stale in [known for known, (taken, _picture) in list(_kept.items()) if taken < old]:
        _kept.pop(stale, None)
    if len(_kept) < MOST:
        _kept[key] = (time.monotonic(), picture)
