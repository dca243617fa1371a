"""`slice new` and `slice import`: slices from generators, from documents, and from files of other programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from olimpus.cli import following, values
from olimpus.cli.completion import complete_name
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.options import Output
from olimpus.cli.output import Format, printable
from olimpus.cli.paths import checked
from olimpus.cli.slices import files, planned
from olimpus.cli.slices.options import (
    FILE_HELP,
    Description,
    FileFormat,
    Flavor,
    Hypervisor,
    Image,
    NewPath,
    Row,
    complete_new,
    found,
)
from olimpus.cli.words import gettext as _
from olimpus.cli.words import ngettext

#: Of an own document, what a new slice is made of.
PARTS: Final = ("description", "defaults", "routed", "parameters", "nodes", "links", "networks")
WORDS_HELP: Final = _("A topology, its size where it has one, and the path of the slice: ring 4 /course/lab")
#: Asked for what a hypervisor lacks.
INSTEAD: Final = {
    "images": _("%(hypervisor)s has no image “%(name)s”. Instead"),
    "flavors": _("%(hypervisor)s has no flavor “%(name)s”. Instead"),
}
MapImage = Annotated[
    list[str] | None,
    typer.Option("--map-image", metavar="NAME=IMAGE", help=_("Another image than the file names: ceos=debian-12")),
]
MapFlavor = Annotated[
    list[str] | None,
    typer.Option("--map-flavor", metavar="NAME=FLAVOR", help=_("Another flavor than the file names.")),
]
Template = Annotated[
    str,
    typer.Option(
        "--template",
        "-t",
        metavar="PATH",
        autocompletion=complete_name("slices", "path"),
        help=_("Another slice that it begins as. See: olimpus slice ls --templates"),
    ),
]
Deploy = Annotated[bool, typer.Option("--deploy", help=_("Deploy it at once, if it fits."))]


@dataclass(frozen=True)
class Wish:
    """What a new slice gets beside its topology."""

    hypervisor: str
    image: str
    flavor: str
    description: str
    deploy: bool

    def body(self, path: str, document: Mapping[str, Any]) -> Row:
        """What is asked of the server: options win over what the document says."""
        folder, _slash, name = checked(path).rpartition("/")
        told = {"hypervisor": self.hypervisor, "image": self.image, "flavor": self.flavor}
        body = {key: document[key] for key in (*PARTS, "topology", "template") if key in document}
        defaults = {**(document.get("defaults") or {}), **{key: said for key, said in told.items() if said}}
        body |= {"name": name, "folder": folder or "/", "defaults": defaults, "deploy": self.deploy}
        if self.hypervisor:
            body["hypervisor"] = self.hypervisor
        return body | ({"description": self.description} if self.description else {})


def new(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[TOPOLOGY [SIZE]] PATH", autocompletion=complete_new, help=WORDS_HELP),
    ],
    parameters: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help=_("Of the topology or template: arity=2")),
    ] = None,
    file: Annotated[str, typer.Option("--file", "-f", metavar="FILE", help=FILE_HELP)] = "",
    template: Template = "",
    hypervisor: Hypervisor = "",
    image: Image = "",
    flavor: Flavor = "",
    description: Description = "",
    deploy: Deploy = False,
    output: Output = Format.TABLE,
) -> None:
    """Make a slice of a topology, a file or another slice; nothing is on a hypervisor before it is deployed."""
    here = Context.of(ctx, output)
    *topology, path = words
    if [bool(file), bool(template), bool(topology)].count(True) != 1:
        raise Failure(_("Name one: a topology, a document (-f) or a template."), Exit.USAGE, where=path)
    if file:
        document = files.imported(here, file)["document"]
    else:
        document = _like(here, template, parameters or []) if template else _generated(topology, parameters or [])
    make(here, Wish(hypervisor, image, flavor, description, deploy).body(path, document))


def _like(here: Context, template: str, parameters: Sequence[str]) -> Row:
    """Another slice, with values for what it asks for."""
    return {"template": found(here, template)["id"], "parameters": values.pairs(parameters)}


def _generated(words: Sequence[str], parameters: Sequence[str]) -> Row:
    """What the server is to make: `ring 4`, and parameters by name."""
    kind, *size = words
    if len(size) > 1:
        raise Failure(_("One topology, its size and one path are understood."), Exit.USAGE, where=size[1])
    asked = {"size": values.value_of(size[0], where="size")} if size else {}
    return {"topology": {**asked, **values.pairs(parameters), "kind": kind}}


def import_(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)],
    path: NewPath,
    form: FileFormat = "",
    hypervisor: Hypervisor = "",
    image: Image = "",
    flavor: Flavor = "",
    map_image: MapImage = None,
    map_flavor: MapFlavor = None,
    description: Description = "",
    deploy: Deploy = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help=_("Only tell what would be made."))] = False,
    output: Output = Format.TABLE,
) -> None:
    """Make a slice of a file that another program has written, and tell what was understood of it, line by line."""
    here = Context.of(ctx, output)
    text, names = files.content(file), files.mapping(map_image or [], map_flavor or [])
    read = files.of_text(here, text, file, format=form, hypervisor=hypervisor, mapping=names)
    for line in files.told(read["report"]):
        here.out.note(line)
    if dry_run:
        here.out.document(read["document"] if here.out.for_people else read)
        return
    if unknown := files.unknown(read["report"]):
        names = _named(unknown, names, hypervisor)
        read = files.of_text(here, text, file, format=form, hypervisor=hypervisor, mapping=names)
    make(here, Wish(hypervisor, image, flavor, description, deploy).body(path, read["document"]))


def _named(unknown: Sequence[tuple[str, str, str]], names: files.Names, hypervisor: str) -> files.Names:
    """The names with those that somebody at the keyboard gives for what is unknown. Raises Failure where nobody can."""
    if not sys.stdin.isatty():
        told = _("%(hypervisor)s does not have all that the file names; nothing was made.") % {"hypervisor": hypervisor}
        faults = [f"--map-{kind.removesuffix('s')} {name}={near or '…'}" for kind, name, near in unknown]
        raise Failure(told, Exit.REFUSED, faults=faults)
    for kind, name, near in unknown:
        told = INSTEAD[kind] % {"hypervisor": hypervisor, "name": name}
        names[kind][name] = typer.prompt(printable(told), default=near or None, err=True)
    return names


def make(here: Context, body: Row) -> None:
    """Have it made, and tell what came of it: what does not fit is told at once."""
    answer = here.client.post("/slices", body)
    if not here.out.for_people:
        here.out.data(answer)
        return
    row = answer["slice"]
    here.out.done(_("%(path)s: made, %(size)s.") % {"path": row["path"], "size": sizes(row)})
    for refusal in planned.refusals(answer["plan"]):
        here.out.note(refusal)
    for operation in answer["operations"]:
        here.out.note(_("Asked for: %(what)s") % {"what": following.told(operation)})
    if not answer["operations"]:
        here.out.note(_("See where it lands: olimpus slice plan %(path)s") % {"path": row["path"]})


def sizes(row: Mapping[str, Any]) -> str:
    """How many nodes and links it has."""
    nodes, links = row["nodes"], row["links"]
    return ", ".join([ngettext("%d node", "%d nodes", nodes) % nodes, ngettext("%d link", "%d links", links) % links])
