"""The program that runs on the gateway of a cluster, sent there with each request: the standard library only.

It is written for Python 3.9 and later, whatever the gateway has. Its modules are sent in the order of `MODULES`.
"""

from __future__ import annotations

MODULES = (
    "state",
    "settings",
    "names",
    "ways",
    "wishes",
    "texts",
    "plan",
    "system",
    "jump",
    "build",
    "commands",
)
