"""The program `olimpus`.

To add a command, write it in a module of this package and name both in `MODULES`:

    def beat(ctx: typer.Context, paths: NodePaths, output: Output = Format.TABLE) -> None:
        here = Context.of(ctx, output)                          # here.client, here.out
        rows = expand(here, paths)                              # paths and patterns → rows; Failure when nothing matches
        found = [here.client.get(f"/nodes/{row['id']}/metrics") for row in rows]
        here.out.rows([Column(_("Path"), "path")], found)       # -o json and yaml print `found`

    def register(app: typer.Typer) -> None:
        app.command("beat", help=_("Show that a machine is alive."), rich_help_panel=LOOKING)(beat)

Whatever a person can meet is raised as `Failure(message, Exit.…, where=, hint=)` and printed here, once. `Client` raises
it for all that goes wrong with the server.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final, NoReturn

import click
import typer

from olimpus.cli import words
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.settings import Settings
from olimpus.cli.table import printable
from olimpus.cli.words import gettext as _

PROGRAM: Final = "olimpus"
#: Module → the commands that it registers, in the order of the help. Only the module of the command is loaded.
MODULES: Final[dict[str, tuple[str, ...]]] = {
    "account": ("login", "logout", "whoami"),
    "reading": ("ls", "tree", "find"),
    "showing": ("show", "get"),
    "editing": ("set", "edit"),
    "documents": ("apply", "diff", "export"),
    "shaping": ("mkdir", "cp", "mv", "rm"),
    "verbs": (
        *("create", "start", "stop", "force-off", "pause", "resume", "restart"),
        *("snapshot", "revert", "delete-snapshot", "reapply", "publish", "recover", "destroy"),
    ),
    "console": ("console",),
    "slices.commands": ("slice",),
    "cloud.flavors": ("flavor",),
    "cloud.zones": ("zone",),
    "cloud.images": ("image",),
    "cloud.networks": ("network",),
    "cloud.volumes": ("volume",),
    "cloud.projects": ("project", "quota", "keypair"),
    "cloud.tunnels": ("tunnel",),
    "operations": ("ops",),
    "watching": ("watch",),
    "records": ("journal",),
    "granting": ("grants",),
    "people": ("user",),
    "groups": ("group",),
    "hypervisors": ("hypervisor",),
    "resources": ("resources",),
}
#: Options before the command that take a value.
VALUED: Final = frozenset({"--server", "-s", "--lang"})


def main() -> None:
    """Entry point: does what the command line says and ends with one of the codes of `Exit`."""
    # Twenty thousand rows are no garbage: looking for some among them takes a tenth of a call's time.
    gc.set_threshold(200_000)
    words.use(words.wanted(sys.argv[1:], os.environ))
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter shows a question mark; no traceback.
        getattr(stream, "reconfigure", lambda **_given: None)(errors="replace")
    leave(run(sys.argv[1:]))


def leave(code: int) -> NoReturn:
    """End the process at once. To take apart all that was loaded, as Python does, takes a fifth of a short call's time."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Who read it has gone, or the disk is full.
            code = code or Exit.BROKEN_PIPE
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Do it; returns the exit code. Nothing that can be expected leaves as an exception."""
    try:
        program = typer.main.get_command(build(command_of(arguments)))
        for option in program.params:
            # The options that typer adds know no language.
            option.help = _(option.help or "")  # type: ignore[attr-defined]
        ended = program(list(arguments), prog_name=PROGRAM, standalone_mode=False)
    except Failure as failure:
        return tell(failure)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return Exit.USAGE
    except click.ClickException as error:
        return tell(_of_usage(error))
    except (KeyboardInterrupt, click.Abort):
        print(file=sys.stderr)
        return Exit.INTERRUPTED
    return int(ended) if isinstance(ended, int) else Exit.OK


def tell(failure: Failure) -> int:
    """Print a failure as one line (and one for each of several faults); returns its exit code."""
    if failure.message:
        lines = [f"{PROGRAM}: {failure}", *(f"  {fault}" for fault in failure.faults)]
        print("\n".join(printable(line) for line in lines), file=sys.stderr)
    return failure.code


def _of_usage(error: click.ClickException) -> Failure:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else PROGRAM
    hint = _("See: %(command)s --help") % {"command": command}
    return Failure(" ".join(error.format_message().split()), Exit.USAGE, hint=hint)


# -- the commands ------------------------------------------------------------------------------------------------------


def command_of(arguments: Sequence[str]) -> str:
    """The command that is called; "" when all must be known: for help, for completion, without a command."""
    if any(name.endswith("_COMPLETE") for name in os.environ):
        return ""
    rest = iter(arguments)
    for argument in rest:
        if argument in VALUED:
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
    return ""


def build(command: str = "") -> typer.Typer:
    """The program with this command, or with all where it is none of ours."""
    app = typer.Typer(
        name=PROGRAM,
        help=_("One tree of virtual machines over any hypervisor: the command line."),
        no_args_is_help=True,
        suggest_commands=False,  # click does it, too
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(before)
    for name in [name for name, commands in MODULES.items() if command in commands] or MODULES:
        # By name, so that `olimpus ls` loads nothing that it does not use.
        importlib.import_module(f"olimpus.cli.{name}").register(app)
    return app


def _language(given: str) -> str:
    if given and given not in words.LANGUAGES:
        raise typer.BadParameter(", ".join(words.LANGUAGES))
    return given


def _version(wanted: bool) -> None:
    if wanted:
        print(importlib.import_module("importlib.metadata").version(PROGRAM))
        raise typer.Exit()


# The texts of these options are looked up when the program is built, after the language is known.
def before(
    ctx: typer.Context,
    server: Annotated[
        str,
        typer.Option(
            "--server", "-s", metavar="URL", help=_("The server; else OLIMPUS_SERVER, else that of the last login.")
        ),
    ] = "",
    lang: Annotated[str, typer.Option("--lang", metavar="en|es", callback=_language, help=_("The language."))] = "",
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help=_("Send password and token unencrypted to another computer."))
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help=_("Print the version."))
    ] = False,
) -> Any:
    """What stands before the command."""
    ctx.obj = Settings(server=server, plain_http=plain_http)
