"""Tokens of `login`, kept by address of the server in a file that only its owner can read."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from olimpus.cli.errors import Exit, Failure
from olimpus.cli.words import gettext as _

FILE = "credentials.json"


@dataclass(frozen=True)
class SignIn:
    """What `login` keeps of one server."""

    token: str
    token_id: int
    user: str
    expires_at: str | None = None
    #: The owner has said that this token may travel unencrypted.
    plain_http: bool = False

    @property
    def sound(self) -> bool:
        """Whether it is what `login` writes: a token that can be sent, the number of one, a name."""
        texts = isinstance(self.token, str) and isinstance(self.user, str) and isinstance(self.expires_at, str | None)
        return texts and is_token(self.token) and isinstance(self.token_id, int)


def is_token(text: str) -> bool:
    """Whether this can be sent as a token."""
    return text.isascii() and text.isprintable() and " " not in text


class Store:
    """The file `credentials.json` (mode 600) in a folder (mode 700), written as a whole or not at all."""

    def __init__(self, folder: Path | None = None):
        self.file = (folder or user_config_path("olimpus", appauthor=False)) / FILE

    @property
    def current(self) -> str | None:
        """The address of the last `login`, signed out of or not."""
        current = self._read().get("current")
        if not isinstance(current, str | None):
            raise self._spoilt()
        return current

    def of(self, address: str) -> SignIn | None:
        """What is kept for a server."""
        kept = self._read().get("servers", {}).get(address)
        try:
            found = SignIn(**kept) if kept else None
        except TypeError:
            raise self._spoilt() from None
        if found and not found.sound:
            raise self._spoilt()
        return found

    def keep(self, address: str, sign_in: SignIn) -> None:
        """Keep a sign-in and make its server the current one."""
        known = self._read()
        self._write({"current": address, "servers": known.get("servers", {}) | {address: asdict(sign_in)}})

    def forget(self, address: str) -> None:
        """Keep no token for this server; its address stays the current one where no other is signed in to. Repeatable."""
        known = self._read()
        servers = {name: kept for name, kept in known.get("servers", {}).items() if name != address}
        current = known.get("current")
        self._write({"current": next(iter(servers), address) if current == address else current, "servers": servers})

    def _read(self) -> dict[str, Any]:
        try:
            text = self.file.read_text(encoding="utf-8")
            self._tighten()
            known = json.loads(text)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Failure(error.strerror or str(error), Exit.USAGE, where=str(self.file)) from error
        except (ValueError, RecursionError):
            raise self._spoilt() from None
        if not isinstance(known, dict) or not isinstance(known.get("servers", {}), dict):
            raise self._spoilt()
        return known

    def _spoilt(self) -> Failure:
        hint = _("Delete it and sign in again: olimpus login")
        return Failure(_("This file of tokens cannot be read."), Exit.SIGNED_OUT, where=str(self.file), hint=hint)

    def _tighten(self) -> None:
        """Whoever loosened the mode may have shown the tokens to others: repaired, and said."""
        if os.name == "posix" and self.file.stat().st_mode & 0o077:
            self.file.chmod(0o600)
            told = _("Other users of this computer could read the tokens in %(file)s; not any more.")
            print(told % {"file": self.file}, file=sys.stderr)

    def _write(self, known: dict[str, Any]) -> None:
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.file.parent.chmod(0o700)
            # mkstemp makes files of mode 600.
            handle, draft = tempfile.mkstemp(dir=self.file.parent, prefix=f".{FILE}.")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(known, file, indent=2)
                os.replace(draft, self.file)
            except BaseException:  # whatever stopped us, no second file with tokens may stay behind
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(draft)
                raise
        except OSError as error:
            raise Failure(error.strerror or str(error), Exit.USAGE, where=str(self.file)) from error
