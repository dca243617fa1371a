"""Which server, with which token: from the command line, the environment, or what `login` has kept."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from urllib.parse import urlsplit

from olimpus.cli.errors import Exit, Failure
from olimpus.cli.store import SignIn, Store, is_token
from olimpus.cli.words import gettext as _

DEFAULT = "http://127.0.0.1:8000"


@dataclass
class Settings:
    """What the options before the command say; the rest is found when it is needed."""

    server: str = ""
    plain_http: bool = False
    store: Store = field(default_factory=Store)

    @cached_property
    def address(self) -> str:
        """The server: `--server`, `OLIMPUS_SERVER`, that of the last `login`, this computer."""
        given = self.server or os.environ.get("OLIMPUS_SERVER", "")
        return address_of(given) if given else self.store.current or DEFAULT

    @cached_property
    def sign_in(self) -> SignIn | None:
        """What `login` has kept for the server."""
        return self.store.of(self.address)

    @property
    def token(self) -> str:
        """`OLIMPUS_TOKEN`, or the kept one; "" without any. Raises Failure when it would travel unprotected."""
        token = os.environ.get("OLIMPUS_TOKEN", "").strip() or (self.sign_in.token if self.sign_in else "")
        if not is_token(token):
            raise Failure(_("This is no token."), Exit.SIGNED_OUT, where="OLIMPUS_TOKEN")
        if token:
            self.require_privacy()
        return token

    def require_privacy(self) -> None:
        """Raise Failure before a secret travels in clear to another computer, unless that was asked for."""
        allowed = self.plain_http or (self.sign_in is not None and self.sign_in.plain_http)
        if self.address.startswith("https://") or is_loopback(self.address) or allowed:
            return
        raise Failure(
            _("Password and token would travel unencrypted."),
            Exit.USAGE,
            where=self.address,
            hint=_("Use https://, or accept it with: olimpus --plain-http"),
        )


def address_of(text: str) -> str:
    """A server's address in its one form: scheme, host, port, prefix; no slash at the end, no `/api`.

    Without a scheme: https, on this computer http. Raises Failure when it is no such address.
    """
    text = text.strip()
    if "://" not in text:
        text = f"{'http' if is_loopback(f'//{text}') else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or parts.username is not None or not text.isprintable() or " " in text:
        hint = _("For example: https://olimpus.example.edu")
        raise Failure(_("This is no address of a server."), Exit.USAGE, where=_without_password(text), hint=hint)
    path = parts.path.rstrip("/").removesuffix("/api").rstrip("/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _without_password(text: str) -> str:
    scheme, separator, rest = text.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def is_loopback(address: str) -> bool:
    """Whether what is sent there stays on this computer."""
    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:
        return False
