"""Machines that know each other by their addresses outside, before any of them is there.

A definition lists them (`node.peers`: names in its folder), and its `user_data` has a placeholder for the address of each,
or of the machine itself. Who makes the machine asks for the addresses, which are reserved by that, and fills them in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_PLACEHOLDER: Final = re.compile(r"@outside\(([^()\n]{1,255})\)@")


def placeholder(name: str) -> str:
    """What stands for the address outside of the machine of this name."""
    return f"@outside({name})@"


def names_in(text: str) -> list[str]:
    """The machines whose addresses a text waits for, each once."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


def filled(text: str, addresses: Mapping[str, str]) -> str:
    """The text with these addresses (name → address) in it. KeyError for a name that has none."""
    return _PLACEHOLDER.sub(lambda found: addresses[found[1]], text)


def peers_in(*definitions: Mapping[str, Any] | None) -> set[str]:
    """The peers that any of these definitions lists."""
    listed: Iterable[Any] = ((said or {}).get("node") or {} for said in definitions)
    return {str(name) for node in listed for name in node.get("peers") or []}
