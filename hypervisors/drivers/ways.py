"""Ways into machines from outside, as definitions ask for them and as people type them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final

from hypervisors.drivers.base import NicSpec, VmSpec
from olimpus.errors import Rejected
from olimpus.words import gettext as _

#: Who signs in: it becomes a word of a command that people paste into their shell.
LOGIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


def cards_of(spec: VmSpec) -> Iterator[tuple[NicSpec, Mapping[str, Any]]]:
    """The cards of a machine in their order, each with what its definition says of it."""
    wanted = spec.parameters.get("nics") or []
    return zip_longest(spec.nics, wanted[: len(spec.nics)], fillvalue={})


def floats(spec: VmSpec) -> bool:
    """Whether any card asks for a floating address."""
    return any(wanted.get("floating") for _nic, wanted in cards_of(spec))


def first_floating(spec: VmSpec) -> NicSpec:
    """The card whose address `Driver.outside` says; `Rejected` when none asks for one."""
    for nic, wanted in cards_of(spec):
        if wanted.get("floating"):
            return nic
    message = _("No network card of “%(name)s” asks for a floating address.") % {"name": spec.name}
    raise Rejected(message, where="nics", hint=_("Write “floating: true” on the card that shall have one."))


def login_of(spec: VmSpec) -> str:
    """Who signs in there, when somebody wrote it (`custom.ssh_user`) and it is a name; else ""."""
    custom = spec.parameters.get("custom")
    user = custom.get("ssh_user") if isinstance(custom, Mapping) else None
    return user if isinstance(user, str) and is_login(user) else ""


def is_login(user: str) -> bool:
    """Whether it may stand in a command."""
    return bool(LOGIN.fullmatch(user))


def ssh(uid: str) -> str:
    """How an SSH command to a machine begins.

    Addresses and ports go on to other machines: SSH keeps a machine's host key by what is always its own.
    """
    return f"ssh -o HostKeyAlias=vm-{uid[:8]}"
