"""Slices made of templates: what a template asks for is put in where it belongs.

- A parameter of the type `image` or `flavor` is that of all machines, and of those that name the template's own one.
- One that is called as a parameter of definitions (`cpus`, `memory_mib`, `hypervisor`…) is that of all machines.
- `size` is the number of machines, of a template that is one of the topologies.
- Any other one is kept under `custom`, for whatever application it is meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from jsonschema import Draft202012Validator

from descriptors.definition import PARAMETERS, nearest
from descriptors.faults import Faults, explain
from olimpus.errors import Invalid
from olimpus.words import gettext as _
from slices import topology
from slices.graph import Graph, Node
from slices.parameters import value_schema

SIZE: Final = "size"
NAMED: Final = ("image", "flavor")


def used(template: Graph, values: Mapping[str, Any]) -> Graph:
    """The slice that a template makes with these values; those that nobody gave are its defaults.

    Invalid with all faults at once (`parameters.size`).
    """
    given = _checked(template.parameters, values)
    graph = replace(template, parameters={})
    for name, value in given.items():
        kind = template.parameters[name]["type"]
        if kind in NAMED:
            graph = _named(graph, kind, template.parameters[name].get("default"), value)
        elif name == SIZE and kind == "integer":
            graph = _sized(graph, value)
        elif name in PARAMETERS:
            graph = replace(graph, defaults={**graph.defaults, name: value})
        else:
            custom = {**(graph.defaults.get("custom") or {}), name: value}
            graph = replace(graph, defaults={**graph.defaults, "custom": custom})
    return graph


def _checked(parameters: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    faults = Faults("")
    for name in values:
        if name not in parameters:
            hint = nearest(str(name)[:128], parameters) if parameters else ""
            faults.add(("parameters", str(name)[:128]), _("The template does not ask for this."), hint)
    for name, parameter in parameters.items():
        if name in values:
            for error in Draft202012Validator(value_schema(dict(parameter))).iter_errors(values[name]):
                explain(error, ("parameters", name), "", faults)
    faults.raise_if_any()
    told = {name: parameter["default"] for name, parameter in parameters.items() if "default" in parameter}
    return told | dict(values)


def _named(graph: Graph, parameter: str, before: Any, value: Any) -> Graph:
    """Machines that name another image or flavor than the template's own one keep it."""
    nodes = [
        replace(node, definition={**node.definition, parameter: value})
        if before is not None and node.definition.get(parameter) == before
        else node
        for node in graph.nodes
    ]
    return replace(graph, defaults={**graph.defaults, parameter: value}, nodes=tuple(nodes))


# -- another number of machines ----------------------------------------------------------------------------------------


def _sized(graph: Graph, size: int) -> Graph:
    if size == len(graph.nodes):
        return graph
    kinds = [name for name, kind in topology.KINDS.items() if set(kind.asks) == {SIZE}]
    found = next((kind for kind in kinds if _is_of(graph, kind)), None)
    if found is None:
        hint = _("It can be given for a ring, a star, a bus, a mesh or a line as it was generated.")
        raise Invalid(_("The number of its machines cannot be changed."), where="parameters.size", hint=hint)
    try:
        return _filled(topology.generate(found, {SIZE: size}), graph)
    except Invalid as error:
        raise Invalid(error.message, where="parameters.size", hint=error.hint) from error


def _is_of(graph: Graph, kind: str) -> bool:
    """Whether it is the topology of this name, by its machines and who is linked to whom."""
    try:
        made = topology.generate(kind, {SIZE: len(graph.nodes)})
    except Invalid:  # there is none of this size
        return False
    return _outline(made) == _outline(graph)


def _outline(graph: Graph) -> tuple[set[str], Counter[frozenset[str]]]:
    return {node.name for node in graph.nodes}, Counter(frozenset(link.nodes) for link in graph.links)


def _filled(made: Graph, template: Graph) -> Graph:
    """The new topology with what the template says of it; new machines are like the last one of their role."""
    known = {node.name: node for node in template.nodes}
    like = {node.role: node for node in template.nodes}
    networks = {link.name: link for link in template.links}
    nodes = [_as(node, known.get(node.name) or like.get(node.role)) for node in made.nodes]
    links = [
        replace(link, options=networks[link.name].options) if link.name in networks else link for link in made.links
    ]
    return replace(template, nodes=tuple(nodes), links=tuple(links))


def _as(node: Node, model: Node | None) -> Node:
    if model is None:
        return node
    return replace(model, name=node.name, x=node.x, y=node.y)
