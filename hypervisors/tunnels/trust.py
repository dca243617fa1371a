"""Which host keys are believed."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import itertools
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import paramiko

from hypervisors.tunnels.hops import Hop
from olimpus.errors import Misconfigured
from olimpus.words import gettext as _


@dataclass(frozen=True)
class Known:
    """A host key as it was told: its fingerprint, and its type when the whole key is known."""

    fingerprint: str
    type: str = ""


def fingerprint(blob: bytes) -> str:
    """As OpenSSH shows it: SHA256:…"""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def parsed(text: str) -> list[Known]:
    """The keys in lines of known_hosts, of public keys or of fingerprints. `Misconfigured` for anything else."""
    lines = [line.strip() for line in text.splitlines()]
    return [_parsed(line) for line in lines if line and not line.startswith("#")]


def _parsed(line: str) -> Known:
    words = line.split()
    for word in words:
        if word.startswith("SHA256:") and len(word) >= 50:
            return Known(word.rstrip("="))
    for kind, key in itertools.pairwise(words):
        if kind.startswith(("ssh-", "ecdsa-")):
            try:
                return Known(fingerprint(base64.b64decode(key, validate=True)), kind)
            except binascii.Error:
                break
    hint = _("Give a line as in known_hosts (ssh-ed25519 AAAA…) or a fingerprint (SHA256:…).")
    raise Misconfigured(_("“%(text)s” is not a host key.") % {"text": line[:60]}, hint=hint)


class Trust:
    """The keys of the hops of one way: from the settings, or kept since the first use.

    What is kept lies in `<home>/tunnels/known_hosts/`, one file per way, so that two closed networks that use the same
    addresses do not disturb each other.
    """

    def __init__(self, folder: Path):
        self._folder = folder / "known_hosts"

    def known(self, hops: tuple[Hop, ...]) -> list[Known]:
        """What the key of the last of these hops must be; empty when nobody knows. The settings win."""
        if given := parsed(hops[-1].host_key):
            return given
        try:
            return parsed(self._path(hops).read_text())
        except FileNotFoundError:
            return []

    def verify(self, hops: tuple[Hop, ...], key: paramiko.PKey, *, keep: bool) -> str:
        """What to say about the key of the last of these hops; with `keep` a new key that is accepted is kept.

        `Misconfigured` when it is another than the known one, or new and new ones are not accepted.
        """
        hop, met = hops[-1], fingerprint(key.asbytes())
        known = self.known(hops)
        if not known and hop.accept_new_host_key:
            if not keep:
                return _("%(key)s, new: it will be trusted from the first use on.") % {"key": met}
            known = self._keep(hops, key)
        if not known:
            message = _("The host key of %(host)s is not known: %(key)s.") % {"host": hop.address, "key": met}
            hint = _("Compare it with the host's own; then enter it as its host key, or accept new keys.")
            raise Misconfigured(message, hint=hint)
        if met not in {each.fingerprint for each in known}:
            raise _changed(hop, known, met)
        return met

    def _keep(self, hops: tuple[Hop, ...], key: paramiko.PKey) -> list[Known]:
        """The kept key: this one, unless another process was first."""
        path = self._path(hops)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".new-") as file:
            file.write(f"[{hops[-1].host}]:{hops[-1].port} {key.get_name()} {key.get_base64()}\n")
            file.flush()
            with contextlib.suppress(FileExistsError):  # whose key that is will be seen at once
                os.link(file.name, path)
        return parsed(path.read_text())

    def _path(self, hops: tuple[Hop, ...]) -> Path:
        return self._folder / quote("+".join(f"{hop.host}_{hop.port}" for hop in hops), safe="+._-")


def _changed(hop: Hop, known: list[Known], met: str) -> Misconfigured:
    told = {"host": hop.address, "known": ", ".join(each.fingerprint for each in known), "met": met}
    message = _("The host key of %(host)s is not the known one: expected %(known)s, met %(met)s.") % told
    hint = _("If the host was reinstalled, enter its new host key; if not, somebody may be in between.")
    return Misconfigured(message, hint=hint)
