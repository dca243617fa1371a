"""`show` and `get`: one node, one definition."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from olimpus.cli import states
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import ago, exact, number
from olimpus.cli.options import NodePath, Output
from olimpus.cli.output import Cell, Column, Format, Styled
from olimpus.cli.panels import LOOKING
from olimpus.cli.paths import one
from olimpus.cli.words import gettext as _


def show(ctx: typer.Context, path: NodePath, output: Output = Format.TABLE) -> None:
    """Show all about a machine or a folder: state, reason, addresses, what is pending, drift, and what may be done."""
    here = Context.of(ctx, output)
    node = one(here, path)
    if node["kind"] == "folder":
        here.out.facts(_of_folder(node), node)
        return
    definition = here.client.get(f"/nodes/{node['id']}/definition")
    verbs = here.client.get(f"/nodes/{node['id']}/verbs")
    whole = node | {"pending_changes": definition["pending"], "fault": definition["fault"], "verbs": verbs}
    not_now = _not_now(whole) if output == Format.WIDE else ()
    here.out.facts([*_of_machine(whole), *not_now], whole)


def _of_folder(node: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    yield _("Path"), states.path(node)
    yield _("Id"), str(node["id"])
    counts = node["counts"] or {}
    for name in filter(counts.get, states.LOOKS):
        word, colour = states.state(name)
        yield _("Machines"), Styled(f"{word}: {number(counts[name])}", colour)
    if node["inherit_grants"] is False:
        yield _("Grants"), _("Grants from above stop here.")


def _of_machine(node: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    yield _("Path"), node["path"]
    word, colour = states.state(node["state"])
    yield _("State"), Styled(f"{word}, {ago(node['state_since'])} ({exact(node['state_since'])})", colour)
    yield _("Reason"), Styled(node["reason"] or "", "red")
    yield _("Operation"), _operation(node["operation"])
    yield _("Addresses"), ", ".join(node["addresses"])
    yield _("Hypervisor"), node["hypervisor"]
    yield _("Its id there"), node["vm_ref"]
    for card in node["cards"]:
        yield _("Network card"), f"{card['network']}  {card['mac']}  {card['ip'] or ''}".rstrip()
    for way in node["ways"]:
        yield _("Way in"), way_in(way)
    yield _("Last seen"), ago(node["observed_at"])
    if node.get("host"):
        yield _("Host"), f"{node['host']} {node.get('host_reason') or ''}".strip()
    if node.get("unheard"):
        yield _("Unknown"), Styled(_("Its host does not answer; what is told is what was last known."), "yellow")
    yield _("Definition"), Styled(node["fault"], "red")
    for name, change in node["pending_changes"].items():
        yield _("Pending"), Styled(_change(name, change["applied"], change["wanted"]), "yellow")
    for field in node["drift"]:
        yield _("Drift"), Styled(_change(field["field"], field["expected"], field["observed"]), "yellow")
    yield _("You may"), ", ".join(verb["verb"] for verb in node["verbs"] if verb["enabled"])
    yield _("Id"), str(node["id"])


def _not_now(node: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    """Verbs that wait for another state; each says for which."""
    for verb in node["verbs"]:
        if not verb["enabled"]:
            yield _("Not now"), Styled(f"{verb['verb']}: {verb['why']}", "dim")


def way_in(way: Mapping[str, Any]) -> str:
    """What one types, or where it is and where it leads."""
    at = f"{way['address']}:{way['port']}" if way["port"] else way["address"]
    return way["command"] or f"{at} → {way['target']}"


def _operation(operation: Mapping[str, Any] | None) -> str:
    return f"{operation['verb']}, {operation['status']} ({operation['id']})" if operation else ""


def _change(name: str, before: Any, after: Any) -> str:
    return f"{name}: {_value(before)} → {_value(after)}"


def _value(value: Any) -> str:
    """A value within a line, as JSON writes it where it is no text."""
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def get(
    ctx: typer.Context,
    path: NodePath,
    key: Annotated[
        str, typer.Argument(metavar="[KEY]", help=_("One parameter: cpus, or inside one: labels.role"))
    ] = "",
    computed: Annotated[
        bool, typer.Option("--computed", "-c", help=_("What results here, with what comes from the folders above."))
    ] = False,
    origins: Annotated[bool, typer.Option("--origins", help=_("Who has set each of the computed values."))] = False,
    output: Output = Format.TABLE,
) -> None:
    """Print the definition of a node: what is written there, or what results."""
    here = Context.of(ctx, output)
    node = one(here, path)
    definition = here.client.get(f"/nodes/{node['id']}/definition")
    values = definition["computed"] if computed or origins else definition["local"]
    if values is None:
        raise Failure(definition["fault"], Exit.REFUSED)
    if origins:
        _print_origins(here, definition, key)
    elif key:
        _print_value(here, _inside(values, key, node["path"]))
    else:
        here.out.document(values)


def _print_value(here: Context, value: Any) -> None:
    """A single text or number stands alone, so that scripts can take it."""
    if here.out.for_people and not isinstance(value, dict | list):
        here.out.lines(["" if value is None else _value(value)])
    else:
        here.out.document(value)


def _inside(values: Any, key: str, where: str) -> Any:
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            hint = _("Inherited values are shown by --computed.")
            raise Failure(_("There is no %(key)s here.") % {"key": key}, Exit.NOT_FOUND, where=where, hint=hint)
        values = values[part]
    return values


def _print_origins(here: Context, definition: Mapping[str, Any], key: str) -> None:
    rows = [
        {"key": name, "value": _at(definition["computed"], name), "origin": origin}
        for name, origin in definition["origins"].items()
        if not key or name == key or name.startswith(f"{key}.")
    ]
    if key and not rows:
        raise Failure(_("There is no %(key)s here.") % {"key": key}, Exit.NOT_FOUND, where=definition["path"])
    columns = [
        Column(_("Parameter"), "key"),
        Column(_("Value"), lambda row: _value(row["value"]), cut=True),
        Column(_("Set at"), "origin"),
    ]
    here.out.rows(columns, rows)


def _at(values: Any, name: str) -> Any:
    """The value under a name of `origins`; a mapping's entries are joined by dots."""
    for part in name.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("show", help=_("Show all about a machine or a folder."), rich_help_panel=LOOKING)(show)
    app.command("get", help=_("Print a definition, or one value of it."), rich_help_panel=LOOKING)(get)
