"""A body of `POST /api/slices` as a graph: explicit nodes and links, a generator with parameters, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from django.utils.translation import gettext as _

from descriptors.faults import nearest
from hypervisors.models import Hypervisor
from hypervisors.placement import links_of
from olimpus.errors import Invalid
from slices import documents, formats, templates, topology
from slices.graph import Graph

#: Fields of a body that are the own document's.
DOCUMENT: Final = ("name", "description", "defaults", "routed", "parameters", "nodes", "links", "networks")
#: Of these, what a body says beside a topology.
SAID: Final = ("name", "description", "routed", "parameters")
HYBRID: Final = "hybrid"


def graph_of_wish(given: Mapping[str, Any], template: Graph | None = None) -> Graph:
    """The graph that somebody asks for. Invalid naming the fields; hypervisors are looked up, nobody is asked.

    With a `template`, its graph, to which the body's `parameters` are values.
    """
    kind = given.get("topology")
    if template is not None:
        graph = _of_template(given, template)
    else:
        graph = _generated(given, kind) if isinstance(kind, Mapping) else _explicit(given, kind)
    hypervisor = _hypervisor(given)
    return replace(graph, defaults={"hypervisor": hypervisor, **graph.defaults}) if hypervisor else graph


def _of_template(given: Mapping[str, Any], template: Graph) -> Graph:
    for name in ("topology", "nodes", "links", "networks"):
        if given.get(name):
            message = _("A template has its own nodes and links.")
            raise Invalid(message, where=name, hint=_("Leave them out, or leave “template” out."))
    graph = templates.used(template, given.get("parameters") or {})
    said = documents.read({name: given[name] for name in ("name", "description", "defaults") if name in given})
    defaults = {name: value for name, value in graph.defaults.items() if name != "hypervisor" or not _says_where(given)}
    description = said.description or graph.description
    return replace(graph, name=said.name, description=description, defaults={**defaults, **said.defaults})


def _says_where(given: Mapping[str, Any]) -> bool:
    return bool(given.get("hypervisor") or given.get("infrastructure"))


def _generated(given: Mapping[str, Any], asked: Mapping[str, Any]) -> Graph:
    for name in ("nodes", "links", "networks"):
        if given.get(name):
            message = _("A topology makes its own nodes and links.")
            raise Invalid(message, where=name, hint=_("Leave them out, or leave “topology” out."))
    try:
        made = _of_file(asked) if "text" in asked else _of_kind(asked)
    except Invalid as error:
        raise _below(error, "topology") from error
    said = documents.read({name: given[name] for name in DOCUMENT if name in given})
    told = {name: getattr(said, name) for name in SAID if given.get(name)}
    return replace(made, **told | {"defaults": {**made.defaults, **said.defaults}})


def _of_kind(asked: Mapping[str, Any]) -> Graph:
    parameters = {name: value for name, value in asked.items() if name != "kind"}
    return topology.generate(str(asked.get("kind") or ""), parameters)


def _of_file(asked: Mapping[str, Any]) -> Graph:
    """The graph of a file's text; without `format` the text says what it is."""
    strangers = sorted(map(str, asked.keys() - {"format", "text"}))
    if strangers or not isinstance(asked["text"], str) or not isinstance(asked.get("format", ""), str):
        raise Invalid(_("A file is given by “text” and “format”."), where=strangers[0][:64] if strangers else "text")
    return formats.read(asked["text"], asked.get("format", ""))[0]


def _below(error: Invalid, where: str) -> Invalid:
    faults = [{**fault, "where": f"{where}.{fault.get('where', '')}".rstrip(".")} for fault in error.errors]
    return Invalid(error.message, where=f"{where}.{error.where}".rstrip("."), hint=error.hint, errors=faults)


def _explicit(given: Mapping[str, Any], name: str | None) -> Graph:
    """The nodes and links of the body, with those that a topology of this name has between the nodes."""
    graph = documents.read({key: given[key] for key in DOCUMENT if key in given})
    if not name:
        return graph
    pairs = links_of(name, [node.name for node in graph.nodes])
    document = documents.write(graph)
    joined = {frozenset(link.nodes) for link in graph.links if not link.shared}
    more = [list(pair) for pair in pairs if frozenset(pair) not in joined]
    return documents.read(document | {"links": [*document.get("links", []), *more]})


# -- which hypervisor --------------------------------------------------------------------------------------------------


def _hypervisor(given: Mapping[str, Any]) -> str:
    """The name of the record that is meant; "" leaves it to the folder, or to each node. Invalid: what to do."""
    if name := given.get("hypervisor"):
        return _known(name, "hypervisor")
    infrastructure = str(given.get("infrastructure") or "")
    if infrastructure in ("", HYBRID):
        return ""
    records = list(Hypervisor.objects.filter(driver=infrastructure).order_by("name").values_list("name", flat=True))
    if not records:
        return _known(infrastructure, "infrastructure")
    if len(records) > 1:
        hint = _("Name one of them as “hypervisor”: %s.") % ", ".join(records)
        message = _("There are several hypervisors of the kind “%s”.") % infrastructure
        raise Invalid(message, where="infrastructure", hint=hint)
    return records[0]


def _known(name: str, where: str) -> str:
    names = list(Hypervisor.objects.values_list("name", flat=True))
    if name in names:
        return name
    if where == "infrastructure" and name in ("mock", "openstack", "linux"):
        hint = _("A superuser adds one in the console; until then choose another infrastructure.")
        raise Invalid(_("No hypervisor of the kind “%s” is connected.") % name, where=where, hint=hint)
    raise Invalid(_("There is no hypervisor “%s”.") % name, where=where, hint=nearest(name, names))
