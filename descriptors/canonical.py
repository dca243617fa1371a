"""The one canonical form of what definitions write as text: addresses, names, keys; and how a validator checks them."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import socket
from collections.abc import Callable
from typing import Final

from jsonschema import FormatChecker

#: Kinds of public keys that machines may let in.
KEY_KINDS: Final = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)

_MAC = re.compile(r"[0-9a-f]{12}")


def canonical_mac(text: str) -> str:
    """`text` as a unicast MAC in lower case with colons, from any of the usual notations. ValueError if it is none."""
    digits = re.sub(r"[:.\-]", "", text.lower())
    if not _MAC.fullmatch(digits) or int(digits[1], 16) & 1 or not int(digits, 16):
        raise ValueError("not a unicast MAC address")
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def canonical_address(text: str) -> str:
    """`text` as an IPv4 or IPv6 address in its shortest form. ValueError if it is neither."""
    if packed_ipv4(text):
        return text
    if "%" in text:
        raise ValueError("an address here has no scope")
    return str(ipaddress.ip_address(text))


#: Length of an IPv4 prefix → the bits that none of its networks has set.
_HOST_BITS: Final = {str(length): (1 << 32 - length) - 1 for length in range(33)}


def packed_ipv4(text: str) -> bytes:
    """An IPv4 address, which has one form only, as four bytes; none for anything else.

    Asked of the system, as a topology has thousands.
    """
    try:
        return socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return b""


def canonical_ip(text: str) -> str:
    """`text` as an address in its shortest form, or "auto". ValueError if it is neither."""
    return text if text == "auto" else canonical_address(text)


def canonical_cidr(text: str) -> str:
    """`text` as a network such as 10.0.0.0/24. ValueError if it is none or has host bits set."""
    address, slash, length = text.partition("/")
    if not slash:
        raise ValueError("no prefix length")
    packed = packed_ipv4(address)
    if packed and length in _HOST_BITS and not int.from_bytes(packed, "big") & _HOST_BITS[length]:
        return text
    return f"{canonical_address(address)}/{ipaddress.ip_network(text).prefixlen}"


def canonical_name(text: str) -> str:
    """`text` itself when it is printable and neither empty nor padded with spaces, else ValueError."""
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("not a name")
    return text


def canonical_key(text: str) -> str:
    """`text` as a public key of SSH (OpenSSH's line: kind, key, comment) on one line. ValueError if it is none."""
    kind, key, *comment = text.split()
    try:
        data = base64.b64decode(key, validate=True)
    except binascii.Error:
        raise ValueError("not a key") from None
    if kind not in KEY_KINDS or not data.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise ValueError("not a key")
    return canonical_name(" ".join([kind, key, *comment]))


#: Format of a string → the function that brings it into its one canonical form, or raises ValueError.
CANONICAL: Final[dict[str, Callable[[str], str]]] = {
    "mac": canonical_mac,
    "address": canonical_address,
    "ip": canonical_ip,
    "cidr": canonical_cidr,
    "name": canonical_name,
    "ssh-key": canonical_key,
}


def has_reference(value: object) -> bool:
    """Whether `value` is text that waits for facts of the node, so that only the computed definition can be judged."""
    return isinstance(value, str) and "${" in value


def _format_checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, canonical in CANONICAL.items():
        checker.checks(name, raises=ValueError)(_passes(canonical))
    return checker


def _passes(canonical: Callable[[str], str]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if isinstance(value, str) and not has_reference(value):
            canonical(value)
        return True

    return check


FORMATS: Final = _format_checker()
