"""Groups of commands that go by either of two usual names: `ls` is `list`, `rm` is `delete`."""

from __future__ import annotations

from typing import Final

import click
import typer
from typer.core import TyperGroup

ALIASES: Final = {"ls": "list", "list": "ls", "rm": "delete", "delete": "rm"}


class Aliased(TyperGroup):
    """Finds a command also by the other name; help and completion show its own."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, else that of the name which many would type."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))


def command_group() -> typer.Typer:
    """A group of commands, which shows its help when none is named."""
    return typer.Typer(cls=Aliased, no_args_is_help=True)
