"""`hypervisor`: the records, their connection, what runs there that nobody owns."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from olimpus.cli import lookups, values
from olimpus.cli.aliases import command_group
from olimpus.cli.asking import Yes, confirm, secret
from olimpus.cli.completion import complete_path
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import ago
from olimpus.cli.options import Output
from olimpus.cli.output import Cell, Column, Format, Styled
from olimpus.cli.panels import ADMINISTRATION
from olimpus.cli.paths import checked
from olimpus.cli.words import gettext as _

Name = Annotated[str, typer.Argument(metavar="HYPERVISOR", help=_("A hypervisor."))]
Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SETTING=VALUE…]", help=_("As the driver declares them; see: olimpus hypervisor drivers")),
]
SecretStdin = Annotated[
    bool, typer.Option("--secrets-stdin", help=_("Read secrets from the standard input, a line name=value for each."))
]
Description = Annotated[str | None, typer.Option("--description", help=_("What it is."))]
Concurrency = Annotated[int | None, typer.Option("--concurrency", min=1, help=_("Calls at the same time."))]
HEALTH = {"ok": "green", "degraded": "yellow", "down": "red", "unreachable": "red"}

app = command_group()


@app.command("list", help=_("List hypervisors."))
def list_(ctx: typer.Context, output: Output = Format.TABLE) -> None:
    """With what one may know of them."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Name"), "name"),
        Column(_("Driver"), "driver"),
        Column(_("Health"), _health),
        Column(_("Maintenance"), _maintenance),
        Column(_("Last answer"), lambda row: ago(row.get("last_ok_at"))),
        Column(_("Queue"), lambda row: row.get("queue"), wide=True),
        Column(_("Concurrency"), lambda row: str(row.get("concurrency", "")), wide=True, right=True),
        Column(_("Detail"), lambda row: row.get("health_detail"), cut=True),
    ]
    here.out.rows(columns, here.client.paged("/hypervisors"))


def _health(row: Mapping[str, Any]) -> Styled:
    return Styled(row["health"], HEALTH.get(row["health"], ""))


def _maintenance(row: Mapping[str, Any]) -> str:
    return (row.get("maintenance_reason") or _("yes")) if row["maintenance"] else ""


@app.command("show", help=_("Show a hypervisor."))
def show(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> None:
    """Settings without secrets."""
    here = Context.of(ctx, output)
    row = lookups.hypervisor(here, name)
    facts: list[tuple[str, Cell]] = [
        (_("Name"), row["name"]),
        (_("Driver"), row["driver"]),
        (_("Health"), _health(row)),
        (_("Detail"), row.get("health_detail")),
        (_("Last answer"), ago(row.get("last_ok_at"))),
        (_("Maintenance"), _maintenance(row)),
        (_("Description"), row.get("description")),
        (_("Can"), ", ".join(row.get("capabilities", []))),
        *((f"  {key}", str(value)) for key, value in row.get("settings", {}).items() if value not in (None, "")),
        *((f"  {key}", "***") for key in row.get("secrets_set", [])),
        *((f"  {key}", str(value)) for key, value in (row.get("capacity") or {}).items()),
        (_("Id"), str(row["id"])),
    ]
    here.out.facts(facts, row)


@app.command("drivers", help=_("List the drivers and the settings that they declare."))
def drivers(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[DRIVER]", help=_("Only this one."))] = "",
    output: Output = Format.TABLE,
) -> None:
    """Secrets are asked for, never written on the command line."""
    here = Context.of(ctx, output)
    found = [driver for driver in here.client.get("/drivers") if name in ("", driver["name"])]
    if not found:
        raise Failure(_("There is no such driver."), Exit.NOT_FOUND, where=name)
    if not here.out.for_people:
        here.out.data(found)
        return
    columns = [
        Column(_("Driver"), "driver"),
        Column(_("Setting"), "name"),
        Column(_("Type"), lambda row: _("secret") if row["secret"] else row["type"]),
        Column(_("Required"), lambda row: _("yes") if row["required"] else ""),
        Column(_("Default"), lambda row: "" if row["default"] is None else str(row["default"])),
        Column(_("Meaning"), lambda row: row["help"] or row["label"], cut=True),
    ]
    here.out.rows(
        columns, [{**setting, "driver": driver["name"]} for driver in found for setting in driver["settings"]]
    )


@app.command("create", help=_("Add a hypervisor."))
def create(
    ctx: typer.Context,
    name: Name,
    driver: Annotated[str, typer.Option("--driver", "-d", help=_("See: olimpus hypervisor drivers"))],
    settings: Settings = None,
    secrets_stdin: SecretStdin = False,
    description: Description = None,
    concurrency: Concurrency = None,
    output: Output = Format.TABLE,
) -> None:
    """Required secrets are asked for."""
    here = Context.of(ctx, output)
    given = _settings(here, driver, settings or [], from_stdin=secrets_stdin, ask=True)
    body = {"name": name, "driver": driver, "settings": given, **_fields(description, concurrency)}
    here.out.done(_("%(name)s: added.") % {"name": name}, here.client.post("/hypervisors", body))
    here.out.note(_("Try it: olimpus hypervisor test %(name)s") % {"name": name})


@app.command("update", help=_("Change settings of a hypervisor."))
def update(
    ctx: typer.Context,
    name: Name,
    settings: Settings = None,
    secret_names: Annotated[
        list[str] | None, typer.Option("--secret", metavar="NAME", help=_("Ask for a new value of this secret."))
    ] = None,
    secrets_stdin: SecretStdin = False,
    description: Description = None,
    concurrency: Concurrency = None,
    output: Output = Format.TABLE,
) -> None:
    """What is not named stays; secrets, too."""
    here = Context.of(ctx, output)
    row = lookups.hypervisor(here, name)
    given = _settings(here, row["driver"], settings or [], from_stdin=secrets_stdin, ask=False)
    given |= {key: secret(key) for key in secret_names or []}
    body: dict[str, Any] = _fields(description, concurrency)
    if given:
        body["settings"] = row.get("settings", {}) | given
    if not body:
        raise Failure(_("Nothing to change is named."), Exit.USAGE, hint="SETTING=VALUE, --description, …")
    tag = f'"{row["version"]}"' if "version" in row else "*"
    saved = here.client.patch(f"/hypervisors/{row['id']}", body, if_match=tag)
    here.out.done(_("%(name)s: saved.") % {"name": name}, saved)


def _fields(description: str | None, concurrency: int | None) -> dict[str, Any]:
    given = {"description": description, "concurrency": concurrency}
    return {name: value for name, value in given.items() if value is not None}


def _settings(here: Context, driver: str, given: list[str], *, from_stdin: bool, ask: bool) -> dict[str, Any]:
    """Settings of the command line, secrets of the standard input; missing secrets are asked for."""
    rows = next((row["settings"] for row in here.client.get("/drivers") if row["name"] == driver), [])
    secrets = {row["name"]: row for row in rows if row["secret"]}
    texts = {row["name"] for row in rows if row["type"] in ("text", "lines")}
    found = values.pairs(given, texts=texts)
    if shown := sorted(found.keys() & secrets.keys()):
        hint = _("It would stay in the shell's history. Leave it out to be asked for it, or: --secrets-stdin")
        raise Failure(_("This is a secret."), Exit.USAGE, where=shown[0], hint=hint)
    if from_stdin:
        found |= dict(_secret_line(line) for line in sys.stdin.read().splitlines() if line.strip())
    if ask:
        missing = [name for name, row in secrets.items() if row["required"] and name not in found]
        found |= {name: secret(secrets[name]["label"] or name) for name in missing}
    return found


def _secret_line(line: str) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals:
        raise Failure(_("The standard input needs lines of name=value."), Exit.USAGE)
    return name.strip(), value


@app.command("test", help=_("Try the connection step by step."))
def try_(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> int:
    """1 when a step fails."""
    here = Context.of(ctx, output)
    done = here.client.post(f"/hypervisors/{lookups.hypervisor(here, name)['id']}/test")
    columns = [
        Column(_("Step"), lambda row: row["label"] or row["step"]),
        Column(_("Result"), lambda row: Styled(_("fine"), "green") if row["ok"] else Styled(_("failed"), "red")),
        Column(_("Seconds"), lambda row: f"{row['seconds']:.2f}", right=True),
        Column(_("Detail"), "detail"),
    ]
    if here.out.for_people:
        here.out.rows(columns, done["checks"])
    else:
        here.out.data(done)
    return Exit.OK if done["ok"] else Exit.FAILED


@app.command("maintenance", help=_("Begin or end maintenance: while it lasts, new work is refused."))
def maintenance(
    ctx: typer.Context,
    name: Name,
    on: Annotated[bool, typer.Option("--on/--off", help=_("Begin or end."))],
    reason: Annotated[str, typer.Option("--reason", help=_("Shown to everybody."))] = "",
    output: Output = Format.TABLE,
) -> None:
    """May be repeated."""
    here = Context.of(ctx, output)
    address = f"/hypervisors/{lookups.hypervisor(here, name)['id']}/maintenance"
    row = here.client.post(address, {"on": on, "reason": reason})
    told = _("%(name)s: in maintenance.") if on else _("%(name)s: in service.")
    here.out.done(told % {"name": name}, row)


@app.command("reconcile", help=_("Let a hypervisor be compared with the tree now."))
def reconcile(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> None:
    """What drifted is seen by diff and find."""
    here = Context.of(ctx, output)
    row = here.client.post(f"/hypervisors/{lookups.hypervisor(here, name)['id']}/reconcile")
    here.out.done(_("%(name)s: a worker was asked to compare it.") % {"name": name}, row)


@app.command("unowned", help=_("List machines on a hypervisor that nobody owns."))
def unowned(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> None:
    """As last seen."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Id there"), "ref"),
        Column(_("Name"), "name"),
        Column(_("Power"), lambda row: str(row["info"].get("power", ""))),
        Column(_("Last seen"), lambda row: ago(row["seen_at"])),
    ]
    here.out.rows(columns, here.client.paged(f"/hypervisors/{lookups.hypervisor(here, name)['id']}/unowned"))


@app.command("adopt", help=_("Take a machine that nobody owns into the tree."))
def adopt(
    ctx: typer.Context,
    name: Name,
    ref: Annotated[str, typer.Argument(metavar="ID", help=_("Its id there; see: olimpus hypervisor unowned"))],
    folder: Annotated[str, typer.Argument(metavar="FOLDER", autocompletion=complete_path, help=_("Where it goes."))],
    as_: Annotated[str, typer.Option("--name", help=_("Its name here; left out: its name there."))] = "",
    output: Output = Format.TABLE,
) -> None:
    """In the state in which it is."""
    here = Context.of(ctx, output)
    body = {"ref": ref, "folder": checked(folder)} | ({"name": as_} if as_ else {})
    row = here.client.post(f"/hypervisors/{lookups.hypervisor(here, name)['id']}/adopt", body)
    here.out.done(f"{ref} → {row['path']}", row)


@app.command("alias", help=_("Show or set what a hypervisor calls the images, flavors and networks of definitions."))
def alias(
    ctx: typer.Context,
    name: Name,
    kind: Annotated[str, typer.Argument(metavar="[KIND]", help=_("images, flavors or networks."))] = "",
    ours: Annotated[str, typer.Argument(metavar="[NAME]", help=_("The name in definitions."))] = "",
    there: Annotated[str, typer.Argument(metavar="[THERE]", help=_("The name there; left out: forget the pair."))] = "",
    output: Output = Format.TABLE,
) -> None:
    """Without NAME, all of them."""
    here = Context.of(ctx, output)
    row = lookups.hypervisor(here, name)
    known: dict[str, dict[str, str]] = row.get("aliases") or {}
    if not ours:
        pairs = [(which, *pair) for which in known if kind in ("", which) for pair in known[which].items()]
        columns = [Column(_("Kind"), "kind"), Column(_("Name"), "name"), Column(_("Name there"), "there")]
        here.out.rows(columns, [dict(zip(("kind", "name", "there"), pair, strict=True)) for pair in pairs])
        return
    names = {key: value for key, value in known.get(kind, {}).items() if key != ours} | ({ours: there} if there else {})
    body = {"aliases": {**known, kind: names}}
    saved = here.client.patch(f"/hypervisors/{row['id']}", body, if_match=f'"{row["version"]}"')
    here.out.done(_("%(name)s: saved.") % {"name": name}, saved)


@app.command("delete", help=_("Forget a hypervisor that no machine refers to; what runs there stays."))
def delete(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
    """Its settings and secrets are gone."""
    here = Context.of(ctx)
    row = lookups.hypervisor(here, name)
    confirm(_("Forget %(name)s with its settings and secrets?") % {"name": name}, yes=yes)
    here.client.delete(f"/hypervisors/{row['id']}")
    here.out.done(_("%(name)s: forgotten.") % {"name": name})


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="hypervisor", help=_("Hypervisors."), rich_help_panel=ADMINISTRATION)
