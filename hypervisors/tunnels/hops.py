"""One SSH host on the way into a closed network: where it is, who signs in, and by which key."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from olimpus.errors import Misconfigured
from olimpus.words import gettext as _

#: What the hops are called, in their order; settings and steps of a check begin with these.
ROLES: Final = ("bastion", "headnode")
#: A host of a cluster, behind the bastion.
WORKER: Final = "worker"

PEM, OPENSSH, CLEAR = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
KEY_CLASSES: Final = (
    (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
    (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
    (rsa.RSAPrivateKey, paramiko.RSAKey),
)


@dataclass(frozen=True)
class Hop:
    """How to reach and enter one SSH host. Without `key` and `key_file` an SSH agent is asked."""

    host: str
    port: int = 22
    user: str = ""
    key: str = field(default="", repr=False)  # the text of a private key: PEM or OpenSSH
    passphrase: str = field(default="", repr=False)
    key_file: str = ""
    host_key: str = ""  # lines of known_hosts, "type key", or fingerprints (SHA256:…); empty: see the next
    accept_new_host_key: bool = False  # trust the key met first, and from then on only that one
    role: str = ROLES[0]

    @property
    def address(self) -> str:
        """host:port"""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def hops_from(values: Mapping[str, Any]) -> tuple[Hop, ...]:
    """The hops that settings name (`bastion_host`, `bastion_port`… and `headnode_…`); empty: no tunnel.

    `Misconfigured` when they are not complete.
    """
    hops = [hop_of(values, role) for role in ROLES if values.get(f"{role}_host")]
    if len(hops) == 1 and values.get("headnode_host"):
        hint = _("Give the bastion too, or make the head node the bastion.")
        raise Misconfigured(_("There is a head node, but no bastion before it."), hint=hint)
    return tuple(hops)


def private_keys(hop: Hop) -> Iterator[paramiko.PKey]:
    """The keys to offer, the given one or those of the agent. `Misconfigured` when there is none or it cannot be read."""
    if hop.key:
        yield _loaded(hop.key, hop.passphrase)
    elif hop.key_file:
        yield _loaded(_read(hop.key_file), hop.passphrase)
    else:
        yield from _of_agent()


def hop_of(values: Mapping[str, Any], role: str) -> Hop:
    """The hop that the settings beginning with this role name. `Misconfigured` when nobody is named who signs in."""
    names = Hop.__dataclass_fields__.keys() - {"role"}
    known = {name: values[f"{role}_{name}"] for name in names if values.get(f"{role}_{name}")}
    if not known.get("user"):
        hint = _("Give the account that signs in by SSH.")
        raise Misconfigured(_("The setting “%(name)s” is missing.") % {"name": f"{role}_user"}, hint=hint)
    return Hop(role=role, **known)


def _read(path: str) -> str:
    try:
        return Path(path).expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else _("not a text")
        message = _("The key file %(path)s cannot be read: %(reason)s.") % {"path": path, "reason": reason}
        raise Misconfigured(message, hint=_("It must be a private key that this process may read.")) from None


def _loaded(text: str, passphrase: str) -> paramiko.PKey:
    """The key in paramiko's form, whatever form the text has (OpenSSH, PKCS#1, PKCS#8, SEC1)."""
    data = (text.replace("\r\n", "\n").strip() + "\n").encode()
    password = passphrase.encode() or None
    load = serialization.load_ssh_private_key if b"BEGIN OPENSSH" in data else serialization.load_pem_private_key
    try:
        key = load(data, password)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        # No `from`: the cause's text may quote the key.
        message = _("The private SSH key cannot be read.")
        raise Misconfigured(message, hint=_("It must be a whole key (OpenSSH or PEM); check its passphrase.")) from None
    for made, wanted in KEY_CLASSES:
        if isinstance(key, made):
            return wanted.from_private_key(io.StringIO(key.private_bytes(PEM, OPENSSH, CLEAR).decode()))
    raise Misconfigured(_("This kind of SSH key is not supported."), hint=_("Use an Ed25519, ECDSA or RSA key."))


def _of_agent() -> Iterator[paramiko.PKey]:
    try:
        agent = paramiko.Agent()
    except paramiko.SSHException:
        agent = None
    keys = agent.get_keys() if agent else ()
    try:
        if not keys:
            message = _("There is no SSH key to sign in with.")
            raise Misconfigured(message, hint=_("Give a key or a key file, or start an SSH agent for this process."))
        yield from keys
    finally:
        if agent:
            agent.close()
