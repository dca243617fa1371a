"""`manage.py setup`: keys and the first superuser of a production site. May be repeated."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import actions, journal
from accounts.models import User
from olimpus.errors import OlimpusError

KEYS: dict[str, Callable[[], str]] = {
    "OLIMPUS_SECRET_KEY": lambda: secrets.token_urlsafe(64),
    "OLIMPUS_SECRET_KEYS": lambda: Fernet.generate_key().decode(),
}


class Command(BaseCommand):
    """Make keys where none are set, and a superuser where the name is not taken."""

    help = "Makes the keys of a production site and its first superuser. May be repeated: nothing is overwritten."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--env-file", type=Path, help="add missing keys to this file (mode 600), print none")
        parser.add_argument("--username", help="name of the superuser; asked for when missing")
        parser.add_argument("--email", default="", help="e-mail address of the superuser")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        parser.add_argument("--keys-only", action="store_true", help="make no superuser")

    def handle(self, *args: Any, **options: Any) -> None:
        """Keys first, then the superuser."""
        self._keys(options["env_file"])
        if not options["keys_only"]:
            with journal.context(via="command"):
                self._superuser(options)

    def _keys(self, file: Path | None) -> None:
        if file is None:
            for name, make in KEYS.items():
                self.stdout.write(f"{name}={make()}")
            return
        added = add_missing(file, KEYS)
        self.stdout.write(f"{file}: " + (", ".join(added) + " added" if added else "nothing to add"))

    def _superuser(self, options: dict[str, Any]) -> None:
        name = options["username"] or self._asked_name(options)
        if User.objects.filter(username=name).exists():
            self.stdout.write(f"The user {name} exists already; left as it is.")
            return
        password = _password(from_stdin=options["password_stdin"])
        try:
            actions.create_user(name, actor=None, email=options["email"], password=password, is_superuser=True)
        except OlimpusError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Superuser {name} created.")

    def _asked_name(self, options: dict[str, Any]) -> str:
        if options["password_stdin"] or not sys.stdin.isatty():
            raise CommandError("Name the superuser with --username (or use --keys-only).")
        return input("Name of the superuser: ").strip()


def add_missing(file: Path, keys: dict[str, Callable[[], str]]) -> list[str]:
    """Append the keys that `file` does not define, with mode 600; return their names. Never changes a line.

    The file is closed to others before a secret is written into it.
    """
    text = file.read_text() if file.exists() else ""
    missing = [name for name in keys if not re.search(rf"^\s*(export\s+)?{name}\s*=\s*\S", text, re.MULTILINE)]
    if not missing:
        return []
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        os.fchmod(descriptor, 0o600)
        stream.write("" if not text or text.endswith("\n") else "\n")
        stream.writelines(f"{name}={keys[name]()}\n" for name in missing)
    return missing


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise CommandError("The two passwords differ.")
    return first
