"""A new machine in two steps: from which prototype, then the names and the few values that matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from descriptors import actions, selectors
from descriptors.cascade import Computed, Layer, compute, facts_of
from descriptors.documents import Positions, dump_yaml, locate
from descriptors.models import Kind, Node
from descriptors.names import join, series
from descriptors.panes.texts import parsed
from descriptors.parameters import PARAMETERS
from descriptors.permissions import require
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, done, door
from descriptors.web.form_pages import form_page
from descriptors.web.forms import CODE, FIRST, CoreForm, YamlField
from olimpus.errors import Invalid, OlimpusError

#: Parameters that have a field of their own; everything else is written as YAML.
ASKED: Final = ("image", "flavor", "cpus", "memory_mib", "disk_gib")
WHOLE: Final = frozenset({"cpus", "memory_mib"})
MOST_PROTOTYPES: Final = 60
MOST_TO_COPY: Final = 30
#: Names listed in the preview.
NAMED: Final = 8
#: A name that no machine has: what a machine here would inherit is computed for it.
ANY_NAME: Final = "new"


@dataclass(frozen=True)
class Choice:
    """A prototype as a card: what a machine made from it would be."""

    name: str
    description: str
    image: str
    flavor: str
    size: str
    fault: str = ""


def choices_of(parent: Node, layers: list[Layer]) -> list[Choice]:
    """The prototypes that are offered in a folder; no query."""
    offered = compute(layers).values.get("prototypes") or {}
    return [_choice(parent, layers, name) for name in sorted(offered)[:MOST_PROTOTYPES]]


def _choice(parent: Node, layers: list[Layer], name: str) -> Choice:
    try:
        values = inherited(parent, layers, {"prototype": name}).values
        size = selectors.size_of(values)
    except Invalid as error:
        return Choice(name, "", "", "", "", fault=str(error.message))
    told = ngettext(
        "%(cpus)s CPU, %(memory)s MiB, %(disk)s GiB", "%(cpus)s CPUs, %(memory)s MiB, %(disk)s GiB", size.cpus
    )
    told %= {"cpus": size.cpus, "memory": size.memory_mib, "disk": f"{size.disk_gib:g}"}
    return Choice(
        name,
        str(values.get("description") or ""),
        str(values.get("image") or ""),
        str(values.get("flavor") or ""),
        told,
    )


def inherited(parent: Node, layers: list[Layer], local: Mapping[str, Any]) -> Computed:
    """What a machine with this local definition would be here; no query. Invalid when it cannot be computed."""
    path = join(parent.path, ANY_NAME)
    return compute([*layers, Layer(path, dict(local))], facts=facts_of(path))


class MachineForm(CoreForm):
    """Names, the values with fields of their own, the rest as YAML. An empty field is inherited."""

    fields_of_errors = {"name": "name"} | {name: name for name in ASKED} | {"nics": "network"}

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=2000,
        help_text=gettext_lazy("One name, or many: web-{1..5}, {red,blue}-db, or names with commas between."),
        widget=forms.TextInput(attrs=FIRST),
    )
    image = forms.CharField(required=False, max_length=255, widget=forms.TextInput(attrs=CODE))
    flavor = forms.CharField(required=False, max_length=255, widget=forms.TextInput(attrs={**CODE, "list": "flavors"}))
    cpus = forms.IntegerField(required=False)
    memory_mib = forms.IntegerField(required=False)
    disk_gib = forms.FloatField(required=False)
    network = forms.ChoiceField(required=False, label=gettext_lazy("Network"))
    definition = YamlField(label=gettext_lazy("Anything else (YAML)"))
    create = forms.BooleanField(
        required=False,
        label=gettext_lazy("Create on the hypervisor at once"),
        help_text=gettext_lazy("Otherwise only the definition is made, and “Create” builds it later."),
    )

    def __init__(self, *args: Any, here: Mapping[str, Any], **kwargs: Any):
        super().__init__(*args, initial={name: here.get(name) for name in ASKED}, **kwargs)
        for name in ASKED:
            self._describe(name)
        self._show_sizes(here)
        networks = sorted(here.get("networks") or {})
        self.fields["network"].choices = [("", _("as inherited")), *((name, name) for name in networks)]
        self.fields["network"].help_text = _("Its first network card is put there.")

    def _describe(self, name: str) -> None:
        parameter, field = PARAMETERS[name], self.fields[name]
        unit = f" ({_(parameter.unit)})" if parameter.unit else ""
        field.label = f"{name}{unit}"
        field.help_text = _("%(text)s For example: %(example)s") % {
            "text": _(parameter.description),
            "example": parameter.example,
        }

    def _show_sizes(self, here: Mapping[str, Any]) -> None:
        """What an empty size comes to, by the flavor."""
        try:
            size = selectors.size_of(here)
        except Invalid:
            return
        for name in ("cpus", "memory_mib", "disk_gib"):
            self.fields[name].widget.attrs["placeholder"] = f"{getattr(size, name):g}"

    def local(self, prototype: str, here: Mapping[str, Any]) -> tuple[dict[str, Any], Positions]:
        """The local definition: only what differs from what is inherited. Invalid, with the line, for bad YAML."""
        written, positions = parsed(self.cleaned_data["definition"])
        values: dict[str, Any] = {"prototype": prototype} if prototype else {}
        for name in ASKED:
            given = self.cleaned_data[name]
            if given not in (None, "") and given != here.get(name):
                values[name] = (
                    int(given) if name not in WHOLE and isinstance(given, float) and given.is_integer() else given
                )
        network = self.cleaned_data["network"]
        if network and network != _first_network(here):
            values["nics"] = [{"network": network}]
        return values | written, positions


def _first_network(values: Mapping[str, Any]) -> str:
    cards = values.get("nics") or []
    return str(cards[0].get("network") or "") if cards else ""


@door
def new_machine(request: SignedIn, node_id: int) -> HttpResponse:
    """First the choice of a prototype; with one chosen (or with what was typed), the form."""
    parent = _folder(request, node_id)
    layers = selectors.chain(parent)
    prototype = (request.POST if request.method == "POST" else request.GET).get("prototype")
    if prototype is None and request.method != "POST":
        return _choose(request, parent, layers)
    return _fill_in(request, parent, layers, prototype or "")


@door
def preview(request: SignedIn, node_id: int) -> HttpResponse:
    """The definition as it would be written and for which paths, while somebody types."""
    parent = _folder(request, node_id)
    prototype = request.POST.get("prototype", "")
    here = _values(parent, selectors.chain(parent), prototype)
    form = MachineForm(request.POST, here=here)
    return render(request, "portal/new_machine_preview.html", _preview_of(parent, form, prototype, here))


def _folder(request: SignedIn, node_id: int) -> Node:
    parent = selectors.get(request.user, node_id)
    require(request.user, "create_nodes", parent)
    return parent


def _values(parent: Node, layers: list[Layer], prototype: str) -> Mapping[str, Any]:
    """What the machine inherits; nothing where that cannot be computed: the core says why when it is made."""
    try:
        return inherited(parent, layers, {"prototype": prototype} if prototype else {}).values
    except Invalid:
        return {}


def _choose(request: SignedIn, parent: Node, layers: list[Layer]) -> HttpResponse:
    try:
        choices = choices_of(parent, layers)
    except Invalid:  # the folder's own definition is broken: a machine can be defined nevertheless
        choices = []
    machines = selectors.nodes(request.user, below=parent.path, children=True)
    machines = machines.filter(parent=parent, kind=Kind.DESCRIPTOR).order_by("name")[:MOST_TO_COPY]
    return form_page(
        request, parent, CoreForm(), "portal/new_machine.html", choices=choices, machines=machines, kind="machine"
    )


def _fill_in(request: SignedIn, parent: Node, layers: list[Layer], prototype: str) -> HttpResponse:
    here = _values(parent, layers, prototype)
    form = MachineForm(request.POST if request.method == "POST" else None, here=here)
    if form.is_valid():
        positions: Positions | None = None
        try:
            names = series(form.cleaned_data["name"], actions.MOST_AT_ONCE)
            local, positions = form.local(prototype, here)
            made = actions.create_descriptors(parent, dict.fromkeys(names, local), actor=request.user)
        except OlimpusError as error:
            _refuse(form, error, positions)
        else:
            return _made(request, parent, made, create=form.cleaned_data["create"])
    context = {"prototype": prototype, "kind": "machine"} | _preview_of(parent, form, prototype, here)
    return form_page(request, parent, form, "portal/new_machine_form.html", **context)


def _refuse(form: MachineForm, error: OlimpusError, positions: Positions | None) -> None:
    """Faults of what was typed as YAML say their line; the others stand at their field."""
    located = locate(error, positions) if isinstance(error, Invalid) and positions and _in_yaml(form, error) else error
    yaml = not isinstance(error, Invalid) or error.where.startswith("line:") or located is not error
    form.refuse(located, "definition" if yaml and isinstance(error, Invalid) else "name")


def _in_yaml(form: MachineForm, error: Invalid) -> bool:
    """Whether a fault is in what was written as YAML, which wins over a field of its own."""
    written, _positions = parsed(form.cleaned_data["definition"])
    return any(fault.get("path") and fault["path"][0] in written for fault in error.errors)


def _made(request: SignedIn, parent: Node, made: list[Node], *, create: bool) -> HttpResponse:
    """Where it goes on: the machine, or the folder of the many. A hypervisor that refuses takes nothing back."""
    if create:
        try:
            actions.request_many("create", made, actor=request.user)
        except OlimpusError as error:
            messages.warning(request, _("Defined, but not created: %(why)s") % {"why": error.message})
    if len(made) == 1:
        return done(request, _("“%s” is there.") % made[0].path, tree_url(made[0].path))
    told = _("%(n)d machines are there, %(first)s to %(last)s.")
    told %= {"n": len(made), "first": made[0].name, "last": made[-1].name}
    return done(request, told, tree_url(parent.path))


def _preview_of(parent: Node, form: MachineForm, prototype: str, here: Mapping[str, Any]) -> dict[str, Any]:
    """The paths and the YAML that the form would make; what is wrong so far stays beside its field."""
    if not form.is_bound:
        return {"yaml": dump_yaml({"prototype": prototype}) if prototype else "", "paths": [], "unnamed": 0}
    try:
        form.is_valid()
        names = series(str(form.cleaned_data.get("name", "")), actions.MOST_AT_ONCE)
        local, _positions = form.local(prototype, {**here}) if not form.errors.keys() - {"name"} else ({}, None)
    except (Invalid, KeyError) as error:
        return {"fault": str(error), "yaml": "", "paths": [], "unnamed": 0}
    paths = [join(parent.path, name) for name in names]
    return {"yaml": dump_yaml(local) if local else "", "paths": paths[:NAMED], "unnamed": max(0, len(paths) - NAMED)}
