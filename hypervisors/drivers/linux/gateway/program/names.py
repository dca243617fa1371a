"""What things of ours are called on the gateway: by the network's tag, which is unique there. Pure.

Each network that the gateway serves lives in a network namespace of its own, so that address ranges may overlap:

    olg-101   the namespace          olg101    its port on the bridge (OVS, internal, tag 101)
    out       the link to the gateway itself (there: olgv101), made where something leads in or out
    to102     the link to another network's namespace, made where one of the two reaches the other
"""

from __future__ import annotations

import re

OUT = "out"
TABLE = "olimpus"  # of nft, in each namespace and on the gateway itself
_OURS = re.compile(r"olg(?:-|v)?(\d{1,4})")


def namespace(tag: int) -> str:
    """The namespace of a network."""
    return f"olg-{tag}"


def port(tag: int) -> str:
    """Its port on the bridge."""
    return f"olg{tag}"


def root_link(tag: int) -> str:
    """The gateway's end of the link to it."""
    return f"olgv{tag}"


def peer_link(tag: int) -> str:
    """The device in another network's namespace that leads to it."""
    return f"to{tag}"


def tag_of(name: str) -> int | None:
    """The tag in the name of a namespace, a port or a link of ours; None: it is none of ours."""
    found = _OURS.fullmatch(name)
    return int(found[1]) if found else None
