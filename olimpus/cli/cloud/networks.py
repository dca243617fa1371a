"""`network`: networks of a cloud, their subnets, and routers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from olimpus.cli.aliases import command_group
from olimpus.cli.asking import Yes
from olimpus.cli.cloud.answers import NETWORK, ROUTER, SUBNET, ask, asked, command, found, given, label, remove, show
from olimpus.cli.cloud.options import Hypervisor, Owner, Project, Refresh
from olimpus.cli.completion import complete_name
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.options import Output
from olimpus.cli.output import Cell, Column, Format, Styled
from olimpus.cli.panels import CLOUDS
from olimpus.cli.words import gettext as _

NETWORKS = complete_name("openstack/networks")
SUBNETS = complete_name("openstack/subnets")

Name = Annotated[str, typer.Argument(metavar="NETWORK", autocompletion=NETWORKS, help=_("Name or id of a network."))]
NewName = Annotated[str, typer.Argument(metavar="NAME", help=_("Its name."))]
Cidr = Annotated[str, typer.Option("--cidr", metavar="CIDR", help=_("Its addresses: 192.168.100.0/24"))]
Gateway = Annotated[
    str, typer.Option("--gateway", metavar="ADDRESS", help=_("The way out; left out: the first address."))
]
Dns = Annotated[list[str] | None, typer.Option("--dns", metavar="ADDRESS", help=_("A name server; may be repeated."))]
Dhcp = Annotated[bool, typer.Option("--dhcp/--no-dhcp", help=_("Whether machines are told their addresses."))]
Pool = Annotated[
    str, typer.Option("--pool", metavar="FIRST-LAST", help=_("Addresses to hand out: 10.0.0.10-10.0.0.99"))
]

app = command_group()
subnets = command_group()
routers = command_group()
app.add_typer(subnets, name="subnet", help=_("Addresses of networks."))
app.add_typer(routers, name="router", help=_("What joins subnets and leads out of them."))


# -- networks ----------------------------------------------------------------------------------------------------------


@command(app, "ls", help=_("List networks with their subnets."))
def ls(
    ctx: typer.Context,
    project: Project = "",
    hypervisor: Hypervisor = "",
    refresh: Refresh = False,
    output: Output = Format.TABLE,
) -> None:
    """For those in charge of the cloud."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Name"), label),
        Column(_("Status"), _status),
        Column(_("Addresses"), lambda row: ", ".join(subnet["cidr"] for subnet in row["subnets"])),
        Column(_("Kind"), _kind),
        Column(_("MTU"), lambda row: str(row["mtu"] or ""), wide=True, right=True),
        Column(_("Project"), "project_id", wide=True),
        Column(_("Id"), "id", wide=True),
    ]
    show(here, columns, asked(here, "networks", hypervisor, project=project, refresh=refresh))


def _status(row: Mapping[str, Any]) -> Styled:
    return Styled(row["status"].lower(), {"ACTIVE": "green", "DOWN": "red", "ERROR": "red"}.get(row["status"], ""))


def _kind(row: Mapping[str, Any]) -> str:
    kinds = [_("external")] if row["external"] else []
    return ", ".join([*kinds, *([_("shared")] if row["shared"] else [])])


@command(app, "show", help=_("Show a network with its subnets."))
def show_(ctx: typer.Context, name: Name, hypervisor: Hypervisor = "", output: Output = Format.TABLE) -> None:
    """By name or id."""
    here = Context.of(ctx, output)
    row = found(here, NETWORK, name, hypervisor)
    facts: list[tuple[str, Cell]] = [
        (_("Name"), row["name"]),
        (_("Status"), _status(row)),
        (_("Kind"), _kind(row)),
        (_("MTU"), str(row["mtu"] or "")),
        (_("Project"), row["project_id"]),
        (_("Id"), row["id"]),
    ]
    here.out.facts(facts, row)
    if here.out.for_people:
        here.out.rows(_subnet_columns(), row["subnets"])


@command(app, "create", help=_("Make a private network; with --cidr it has a subnet at once."))
def create(
    ctx: typer.Context,
    name: NewName,
    cidr: Cidr = "",
    gateway: Gateway = "",
    dns: Dns = None,
    dhcp: Dhcp = True,
    pool: Pool = "",
    mtu: Annotated[int | None, typer.Option("--mtu", help=_("Bytes of the largest packet."))] = None,
    project: Owner = "",
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """When its subnet fails, nothing stays."""
    here = Context.of(ctx, output)
    body = {"name": name, **given(mtu=mtu, project=project, cidr=cidr), **_addresses(gateway, dns, dhcp, pool)}
    row = ask(here, "POST", ["networks"], hypervisor, body)
    here.out.done(_("%(name)s: made.") % {"name": label(row)}, row)


def _addresses(gateway: str, dns: list[str] | None, dhcp: bool, pool: str) -> dict[str, Any]:
    """The fields that are told only where they are not the usual."""
    told = given(gateway=gateway, dns=dns) | ({} if dhcp else {"dhcp": False})
    if not pool:
        return told
    first, dash, last = pool.partition("-")
    if not dash:
        raise Failure(_("Two addresses with a dash between them are needed."), Exit.USAGE, where=pool)
    return told | {"pool": [first.strip(), last.strip()]}


@command(app, "rm", help=_("Delete a network with its subnets; refused while something uses it."))
def rm(ctx: typer.Context, name: Name, hypervisor: Hypervisor = "", yes: Yes = False) -> None:
    """By name or id."""
    here = Context.of(ctx)
    remove(here, NETWORK, name, hypervisor, _("Delete the network %(name)s with its subnets?"), yes=yes)


# -- subnets -----------------------------------------------------------------------------------------------------------

SubnetName = Annotated[str, typer.Argument(metavar="SUBNET", autocompletion=SUBNETS, help=_("Name or id of a subnet."))]


def _subnet_columns() -> list[Column]:
    return [
        Column(_("Subnet"), label),
        Column(_("Addresses"), "cidr"),
        Column(_("Gateway"), "gateway"),
        Column(_("Handed out"), lambda row: ", ".join("-".join(pool) for pool in row["pools"])),
        Column(_("DHCP"), lambda row: _("yes") if row["dhcp"] else _("no")),
        Column(_("DNS"), lambda row: ", ".join(row["dns"])),
        Column(_("Network"), "network_id", wide=True),
        Column(_("Id"), "id", wide=True),
    ]


@command(subnets, "ls", help=_("List the subnets of all networks."))
def subnet_ls(
    ctx: typer.Context,
    project: Project = "",
    hypervisor: Hypervisor = "",
    refresh: Refresh = False,
    output: Output = Format.TABLE,
) -> None:
    """For those in charge of the cloud."""
    here = Context.of(ctx, output)
    show(here, _subnet_columns(), asked(here, "subnets", hypervisor, project=project, refresh=refresh))


@command(subnets, "create", help=_("Add a subnet to a network."))
def subnet_create(
    ctx: typer.Context,
    network: Name,
    cidr: Annotated[str, typer.Argument(metavar="CIDR", help=_("Its addresses: 192.168.100.0/24"))],
    name: Annotated[str, typer.Option("--name", "-n", help=_("Its name."))] = "",
    gateway: Gateway = "",
    dns: Dns = None,
    dhcp: Dhcp = True,
    pool: Pool = "",
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """Refused when it overlaps one that the network has."""
    here = Context.of(ctx, output)
    body = {"cidr": cidr, **given(name=name), **_addresses(gateway, dns, dhcp, pool)}
    body["network"] = found(here, NETWORK, network, hypervisor)["id"]
    row = ask(here, "POST", ["subnets"], hypervisor, body)
    here.out.done(_("%(name)s: made.") % {"name": f"{network} {row['cidr']}"}, row)


@command(subnets, "rm", help=_("Delete a subnet; refused while something uses it."))
def subnet_rm(ctx: typer.Context, name: SubnetName, hypervisor: Hypervisor = "", yes: Yes = False) -> None:
    """By name or id."""
    here = Context.of(ctx)
    remove(here, SUBNET, name, hypervisor, _("Delete the subnet %(name)s (%(cidr)s)?"), yes=yes)


# -- routers -----------------------------------------------------------------------------------------------------------

RouterName = Annotated[
    str,
    typer.Argument(
        metavar="ROUTER", autocompletion=complete_name("openstack/routers"), help=_("Name or id of a router.")
    ),
]


@command(routers, "ls", help=_("List routers and the subnets that they join."))
def router_ls(
    ctx: typer.Context,
    project: Project = "",
    hypervisor: Hypervisor = "",
    refresh: Refresh = False,
    output: Output = Format.TABLE,
) -> None:
    """For those in charge of the cloud."""
    here = Context.of(ctx, output)
    answer = asked(here, "routers", hypervisor, project=project, refresh=refresh)
    known = asked(here, "networks", hypervisor)["results"] if here.out.for_people and answer["results"] else []
    external = {row["id"]: row["name"] for row in known}
    inner = {subnet["id"]: subnet["cidr"] for row in known for subnet in row["subnets"]}
    columns = [
        Column(_("Name"), label),
        Column(_("Status"), _status),
        Column(_("Joins"), lambda row: ", ".join(inner.get(one, one) for one in row["subnet_ids"])),
        Column(_("Way out"), lambda row: external.get(row["external_network_id"], row["external_network_id"])),
        Column(_("Id"), "id", wide=True),
    ]
    show(here, columns, answer)


@command(routers, "create", help=_("Make a router that joins subnets, with a way out when --external is named."))
def router_create(
    ctx: typer.Context,
    name: NewName,
    joined: Annotated[
        list[str] | None,
        typer.Option("--subnet", autocompletion=SUBNETS, help=_("A subnet, by name or id; may be repeated.")),
    ] = None,
    external: Annotated[
        str, typer.Option("--external", metavar="NETWORK", autocompletion=NETWORKS, help=_("An external network."))
    ] = "",
    project: Owner = "",
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """When something fails, nothing stays."""
    here = Context.of(ctx, output)
    ids = [found(here, SUBNET, subnet, hypervisor)["id"] for subnet in joined or []]
    body = {"name": name, **given(external=external, subnets=ids, project=project)}
    row = ask(here, "POST", ["routers"], hypervisor, body)
    here.out.done(_("%(name)s: made.") % {"name": label(row)}, row)


@command(routers, "rm", help=_("Take a router off its subnets and delete it."))
def router_rm(ctx: typer.Context, name: RouterName, hypervisor: Hypervisor = "", yes: Yes = False) -> None:
    """By name or id."""
    here = Context.of(ctx)
    remove(here, ROUTER, name, hypervisor, _("Delete the router %(name)s? Its subnets part."), yes=yes)


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="network", help=_("Networks of a cloud."), rich_help_panel=CLOUDS)
