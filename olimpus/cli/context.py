"""What every command works with: the settings, the client, and where it prints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import typer

from olimpus.cli.client import Client
from olimpus.cli.output import Format, Out
from olimpus.cli.settings import Settings


@dataclass
class Context:
    """One call of `olimpus`."""

    settings: Settings
    out: Out

    @classmethod
    def of(cls, ctx: typer.Context, output: Format = Format.TABLE) -> Context:
        """What a command needs; nothing is asked of the server yet."""
        return cls(ctx.obj, Out(output))

    @cached_property
    def client(self) -> Client:
        """The server, asked as whoever is signed in. Raises Failure without a usable token."""
        return Client(self.settings.address, self.settings.token)
