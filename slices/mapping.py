"""Images and flavors of other programs' files in the names of ours: which need one, what is most like each."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from descriptors.faults import shown
from olimpus.errors import Invalid
from olimpus.words import gettext as _
from slices.graph import Graph

#: Kind → the parameter of a definition.
KINDS: Final = {"images": "image", "flavors": "flavor"}
#: Kind → foreign name → our name; "" for none of its own.
Names = Mapping[str, Mapping[str, str]]
#: Kind → the names that there are; None: each is one.
Known = Mapping[str, Collection[str] | None]
LONGEST: Final = 255
MOST: Final = 500
#: Systems on which most others run: what a container's image stands for when no name is alike.
_COMMON: Final = ("debian", "ubuntu", "alpine", "cirros", "rocky", "fedora", "linux")
#: Words of images that every Linux can stand in for.
_LINUX: Final = frozenset(
    {"linux", "python", "nginx", "httpd", "busybox", "multitool", "netshoot", "vpcs", "host", "none"}
)
_ALIKE: Final = 0.6


def unknown(graph: Graph, known: Known) -> dict[str, list[str]]:
    """Kind → what the graph names and nobody knows, sorted. None knows every name."""
    said = [graph.defaults, *(node.definition for node in graph.nodes)]
    found = {}
    for kind, names in known.items():
        wanted = {str(definition[KINDS[kind]]) for definition in said if definition.get(KINDS[kind])}
        found[kind] = sorted(wanted - set(names)) if names is not None else []
    return found


def suggested(name: str, known: Collection[str]) -> str:
    """The known name most like this one: with most of its words, else spelled alike, else a common Linux for what runs on
    any; "" when nothing is.
    """
    words = _words(name)
    shared = {one: len(words & _words(one)) for one in known}
    best = max(shared.values(), default=0)
    if best:
        return max((one for one in sorted(known) if shared[one] == best), key=lambda one: _likeness(name, one))
    alike = max(sorted(known), key=lambda one: _likeness(name, one), default="")
    if alike and _likeness(name, alike) >= _ALIKE:
        return alike
    common = (one for system in _COMMON for one in sorted(known) if system in _words(one))
    return next(common, "") if words & _LINUX else ""


def _words(name: str) -> frozenset[str]:
    """Its words: of a container's image (registry/owner/name:tag) those behind the registry."""
    path = name[:LONGEST].lower().split("/")
    start = 1 if len(path) > 1 and re.search(r"[.:]", path[0]) else 0
    return frozenset(re.findall(r"[a-z]{2,}", " ".join(path[start:])))


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower()[-80:], other.lower()[-80:]).ratio()


def mapped(graph: Graph, names: Names) -> Graph:
    """The graph in our names; a definition for whose name we have "" says none, and takes what its slice says."""
    return replace(
        graph,
        defaults=_mapped(graph.defaults, names),
        nodes=tuple(replace(node, definition=_mapped(node.definition, names)) for node in graph.nodes),
    )


def _mapped(definition: Mapping[str, Any], names: Names) -> dict[str, Any]:
    found = dict(definition)
    for kind, parameter in KINDS.items():
        ours = names.get(kind, {}).get(str(definition.get(parameter)))
        if ours == "":
            del found[parameter]
        elif ours is not None:
            found[parameter] = ours
    return found


def clean(given: object) -> dict[str, dict[str, str]]:
    """What somebody gave as names. Invalid when it is none."""
    if not isinstance(given, dict) or not given.keys() <= KINDS.keys():
        message = _("give %(wanted)s, not %(value)s") % {"wanted": _("a mapping"), "value": shown(given)}
        raise Invalid(message, where="mapping", hint=_("Such as %s.") % '{"images": {"frr:10": "debian-12"}}')
    for kind, names in given.items():
        fits = isinstance(names, dict) and len(names) <= MOST
        if not fits or not all(_is_name(one) for pair in names.items() for one in pair):
            message = _("give %(wanted)s, not %(value)s") % {"wanted": _("a mapping"), "value": shown(names)}
            raise Invalid(message, where=f"mapping.{kind}")
    return {kind: dict(names) for kind, names in given.items()}


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST and value.isprintable()
