"""The cascade: from the definitions along a path to the one definition that counts, and who set each value.

Everything here is a pure function of its arguments: no layer is ever changed, and no two results share mutable state.

Rules. Mappings merge deeply, scalars and lists replace, an explicit null removes what is inherited; the nearest layer
wins. `prototype: name` puts the content of that prototype just beneath the own values of the nearest layer that names
one. Prototypes are looked up in the merged `prototypes` of the complete chain; a null inside one stays there until the
prototype is used: then it removes what is inherited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from descriptors.definition import at, nearest
from descriptors.parameters import EXTENDS, NOT_IN_PROTOTYPES
from olimpus.errors import Invalid
from olimpus.words import gettext as _

Values = dict[str, Any]
ROOT: Final = "/"


@dataclass(frozen=True)
class Layer:
    """The local definition of one node, in plain JSON types; a chain of layers runs from the root folder down."""

    path: str
    definition: Mapping[str, Any]


@dataclass(frozen=True)
class Computed:
    """The definition that counts.

    `origins` maps each parameter, and each entry of a mapping by its dotted path ("labels.course"), to the path of the
    layer that set it last; for content of a prototype to "<path of the defining layer>#prototypes.<name>".
    `overridden` lists, for the same keys, the (origin, value) pairs that were replaced or removed, outermost first;
    `compute` fills it, `compute_many` leaves it empty.
    """

    values: Values
    origins: dict[str, str]
    overridden: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)


def compute(chain: Sequence[Layer], *, facts: Mapping[str, str] | None = None) -> Computed:
    """The computed definition at the end of `chain` (root first).

    `facts` (see `facts_of`) fill in the ${…} references; None leaves them as they are, which is right for folders.
    Raises Invalid for an unknown prototype, a cycle of prototypes, an unknown reference.
    """
    merged = _merge_chain(chain, history=True)
    return _finished(merged if facts is None else merged.narrowed(), facts)


# Merging --------------------------------------------------------------------------------------------------------------


class _Merged:
    """Layers merged so far. `history` collects what was overridden; None does without."""

    __slots__ = ("_common", "_own", "history", "origins", "values")

    def __init__(self, values: Values, origins: dict[str, str], history: dict[str, list[tuple[str, Any]]] | None):
        self.values = values
        self.origins = origins
        self.history = history
        self._common: _Merged | None = None
        self._own: dict[str, list[str]] = {}

    def copy(self) -> _Merged:
        """An independent copy; only merges without history are copied."""
        return _Merged(_copied(self.values), self.origins.copy(), None)

    def for_machine(self, local: Mapping[str, Any]) -> _Merged:
        """A fresh copy for a machine that will add `local`: of networks that are a folder's own only those that it needs.

        A slice of a thousand machines has thousands of networks; each machine is in a few. What all machines share is
        found once; nothing may be added to this merge afterwards.
        """
        if self._common is None:
            self._own = _own_paths(self.values, self.origins)
            self._common = self._without(self._own)
        fresh = self._common.copy()
        for name in sorted(self._own.keys() & _needed(self.values, local)) if self._own else ():
            fresh.values["networks"][name] = _copied(self.values["networks"][name])
            fresh.origins.update((path, self.origins[path]) for path in self._own[name])
        return fresh

    def narrowed(self) -> _Merged:
        """This merge of a machine without the own networks of folders that it does not need."""
        own = _own_paths(self.values, self.origins)
        needed = _needed(self.values, {}) if own else set()
        return self._without({name: paths for name, paths in own.items() if name not in needed})

    def _without(self, networks: Mapping[str, list[str]]) -> _Merged:
        """The same without these networks: name → paths of its origins."""
        if not networks:
            return self
        values = {**self.values, "networks": {k: v for k, v in self.values["networks"].items() if k not in networks}}
        paths = {path for found in networks.values() for path in found}
        origins = {path: origin for path, origin in self.origins.items() if path not in paths}
        history = None if self.history is None else {k: v for k, v in self.history.items() if k not in paths}
        return _Merged(values, origins, history)

    def add(self, definition: Mapping[str, Any], origin: str) -> _Merged:
        """Lays `definition` over everything merged so far."""
        for name, value in definition.items():
            if name == "prototypes":
                self._put_prototypes(value, origin)
            else:
                self._put(self.values, name, value, name, origin, keep_null=False)
        return self

    def _put_prototypes(self, value: Any, origin: str) -> None:
        """Nulls inside a prototype are content: they remove when the prototype is used."""
        if not isinstance(value, dict):
            self._put(self.values, "prototypes", value, "prototypes", origin, keep_null=False)
            return
        merged = self._mapping(self.values, "prototypes", "prototypes", origin)
        for name, content in value.items():
            keep_null = content is not None
            self._put(merged, name, content, at("prototypes", name), origin, keep_null=keep_null)

    def _put(self, target: Values, key: str, value: Any, path: str, origin: str, *, keep_null: bool) -> None:
        if isinstance(value, dict):
            mapping = self._mapping(target, key, path, origin)
            for inner, item in value.items():
                self._put(mapping, inner, item, at(path, inner), origin, keep_null=keep_null)
            return
        if key in target:
            self._forget(target[key], path)
        if value is not None or keep_null:
            target[key] = _copied(value)
            self.origins[path] = origin
        else:
            target.pop(key, None)

    def _mapping(self, target: Values, key: str, path: str, origin: str) -> Values:
        """The mapping at `key`, made if there is none, with `origin` as the last to touch it."""
        found = target.get(key)
        if not isinstance(found, dict):
            if key in target:
                self._forget(found, path)
            found = target[key] = {}
        self.origins[path] = origin
        return found

    def _forget(self, value: Any, path: str) -> None:
        origin = self.origins.pop(path, "")
        if self.history is not None:
            self.history.setdefault(path, []).append((origin, _copied(value)))
        if isinstance(value, dict):
            for key, item in value.items():
                self._forget(item, at(path, key))


def _own_paths(values: Mapping[str, Any], origins: Mapping[str, str]) -> dict[str, list[str]]:
    """The networks that are a folder's own, each with the paths of all that is said of it."""
    networks = values.get("networks")
    networks = networks if isinstance(networks, dict) else {}
    own = {name for name, network in networks.items() if isinstance(network, dict) and network.get("own")}
    tops = {at("networks", name): name for name in own}
    found: dict[str, list[str]] = {name: [] for name in own}
    for path in origins if own else ():
        top = path if path in tops else next((top for top in _heads(path) if top in tops), "")
        if top:
            found[tops[top]].append(path)
    return found


def _heads(path: str) -> Iterator[str]:
    """The paths above, the nearest first."""
    for index in range(len(path) - 1, 0, -1):
        if path[index] in ".[":
            yield path[:index]


def _needed(values: Mapping[str, Any], local: Mapping[str, Any]) -> set[str]:
    """The networks that may concern a machine which adds `local`: of its cards, those it speaks of, what these reach."""
    networks = values.get("networks")
    networks = networks if isinstance(networks, dict) else {}
    said = local.get("networks")
    said = said if isinstance(said, dict) else {}
    cards = local["nics"] if "nics" in local else values.get("nics")
    waiting = [str(card.get("network") or "") for card in cards or () if isinstance(card, dict)]
    waiting += [*said, *(name for network in said.values() for name in _reached(network))]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _reached(networks.get(name))
    return found


def _reached(network: Any) -> list[str]:
    return [str(name) for name in (network.get("reaches") if isinstance(network, dict) else None) or ()]


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) if isinstance(item, (dict, list)) else item for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def _empty(*, history: bool) -> _Merged:
    return _Merged({}, {}, {} if history else None)


def _merge_chain(chain: Sequence[Layer], *, history: bool = False) -> _Merged:
    plain = _add_all(_empty(history=history), chain)
    name = plain.values.get("prototype")
    if name is None:
        return plain
    naming = max(index for index, layer in enumerate(chain) if layer.definition.get("prototype") is not None)
    merged = _add_all(_empty(history=history), chain[:naming])
    _add_all(merged, _prototype_layers(plain, name))
    return _add_all(merged, chain[naming:])


def _add_all(merged: _Merged, layers: Iterable[Layer]) -> _Merged:
    for layer in layers:
        merged.add(layer.definition, layer.path)
    return merged


# Prototypes -----------------------------------------------------------------------------------------------------------


def _prototype_layers(merged: _Merged, name: str) -> list[Layer]:
    """The content of prototype `name` as layers, the outermost base first, one for each layer that defines a part."""
    prototypes = merged.values.get("prototypes")
    prototypes = prototypes if isinstance(prototypes, dict) else {}
    layers: list[Layer] = []
    for current in reversed(_line_of(prototypes, name)):
        content = prototypes[current]
        if wrong := NOT_IN_PROTOTYPES & content.keys():
            path = at(at("prototypes", current), min(wrong))
            message = _('a prototype cannot hold "%(name)s"') % {"name": min(wrong)}
            raise Invalid(message, where=path, hint=_("Set it in a folder instead."))
        layers.extend(_by_origin(merged, current, content))
    return layers


def _line_of(prototypes: Mapping[str, Any], name: str) -> list[str]:
    """`name` and the prototypes it extends, nearest first."""
    line: list[str] = []
    current: Any = name
    while current is not None:
        where = at(at("prototypes", line[-1]), EXTENDS) if line else "prototype"
        if current in line:
            cycle = " → ".join([*line[line.index(current) :], current])
            raise Invalid(_("prototypes extend each other in a cycle: %(cycle)s") % {"cycle": cycle}, where=where)
        if not isinstance(current, str) or not isinstance(prototypes.get(current), dict):
            message = _('unknown prototype "%(name)s"') % {"name": current}
            raise Invalid(message, where=where, hint=nearest(str(current), prototypes))
        line.append(current)
        current = prototypes[current].get(EXTENDS)
    return line


def _by_origin(merged: _Merged, name: str, content: Mapping[str, Any]) -> Iterator[Layer]:
    """The content split by the layer that set each part, since one prototype may be refined further down the branch."""
    root = at("prototypes", name)
    parts: dict[str, Values] = {}

    def spread(value: Mapping[str, Any], path: str, keys: tuple[str, ...]) -> None:
        for key, item in value.items():
            inner = at(path, key)
            part = parts.setdefault(merged.origins[inner], {})
            for outer in keys:
                part = part.setdefault(outer, {})
            if isinstance(item, dict):
                part.setdefault(key, {})
                spread(item, inner, (*keys, key))
            else:
                part[key] = item

    spread({key: item for key, item in content.items() if key != EXTENDS}, root, ())
    for origin, part in parts.items():
        yield Layer(f"{origin}#{root}", part)


# References -----------------------------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")


def facts_of(path: str) -> dict[str, str]:
    """The facts that the references of the node at `path` may name, but for ${student}, which is a parameter.

    path, name, folder (name of the parent), folder.1 (name of the top-level ancestor), folder.2, …
    """
    names = [name for name in path.split("/") if name]
    facts = {"path": path, "name": names[-1] if names else ""}
    if len(names) > 1:
        facts["folder"] = names[-2]
    return facts | {f"folder.{depth}": name for depth, name in enumerate(names[:-1], start=1)}


def _finished(merged: _Merged, facts: Mapping[str, str] | None) -> Computed:
    """Takes `merged` over as the result, its references filled in."""
    if facts is not None:
        try:
            _fill_in(merged.values, facts)
        except Invalid as error:
            raise _traced(error, merged.origins, facts["path"]) from error
    return Computed(merged.values, merged.origins, merged.history or {})


def _traced(error: Invalid, origins: Mapping[str, str], path: str) -> Invalid:
    """The same error, saying also where the value comes from when that is not the node itself."""
    origin = next((origins[part] for part in (error.where, *_heads(error.where)) if part in origins), path)
    if origin == path:
        return error
    told = _("It comes from %(path)s; what is said nearer to the machine wins.") % {"path": origin}
    return Invalid(error.message, where=error.where, hint=f"{error.hint} {told}".strip())


def _fill_in(values: Values, facts: Mapping[str, str]) -> None:
    """Fills in every reference in `values` but those in prototypes, which wait for their use."""
    if isinstance(student := values.get("student"), str):
        values["student"] = student = _filled(student, facts, "student")
        facts = {**facts, "student": student}
    for name, value in values.items():
        if name not in ("student", "prototypes"):
            values[name] = _filled(value, facts, name)


def _filled(value: Any, facts: Mapping[str, str], path: str) -> Any:
    """`value` with its references filled in; mappings and lists are changed in place."""
    if isinstance(value, str):
        return _filled_text(value, facts, path) if "${" in value else value
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (str, dict, list)):
                value[key] = _filled(item, facts, at(path, key))
    elif isinstance(value, list):
        value[:] = [_filled(item, facts, at(path, index)) for index, item in enumerate(value)]
    return value


def _filled_text(text: str, facts: Mapping[str, str], path: str) -> str:
    def hint(name: str) -> str:
        if name == "student":
            return _("Give the parameter “student”, or another “%(name)s”.") % {"name": path}
        known = ", ".join(f"${{{fact}}}" for fact in facts)
        return _("Known here: %(known)s. Write $${ for a plain ${.") % {"known": known}

    def fact(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if not match[2]:
            raise Invalid(_("a reference ${ is not closed"), where=path, hint=_("Write $${ for a plain ${."))
        if match[1] not in facts:
            raise Invalid(_("unknown reference %(name)s") % {"name": match[0][:80]}, where=path, hint=hint(match[1]))
        return facts[match[1]]

    return _REFERENCE.sub(fact, text)


# Many at once ---------------------------------------------------------------------------------------------------------


class _Folder:
    """A folder's chain, merged once: as it is (`plain`), and with the prototype that holds there (`computed`)."""

    def __init__(self, layer: Layer, parent: _Folder | None):
        self._layer = layer
        self._parent = parent
        self._with_prototype: dict[str, _Merged] = {}
        self.chain: tuple[Layer, ...] = (*parent.chain, layer) if parent else (layer,)
        under = parent.plain.copy() if parent else _empty(history=False)
        self.plain: _Merged = under.add(layer.definition, layer.path)
        self._computed = self._compute()

    def _compute(self) -> _Merged | None:
        """None when it is broken: a child that names another prototype does not suffer from that."""
        try:
            return self._parent.with_child(self._layer) if self._parent else _merge_chain(self.chain)
        except Invalid:
            return None

    @property
    def computed(self) -> _Merged:
        """Raises Invalid, each time anew, when the folder names a prototype that is broken."""
        return self._computed or _merge_chain(self.chain)

    def with_child(self, layer: Layer) -> _Merged:
        """A fresh merge of this chain and `layer`, a child of this folder."""
        if "prototypes" in layer.definition:  # it may change what a prototype named above says: no memo holds
            return _merge_chain((*self.chain, layer))
        return self._beneath(layer).copy().add(layer.definition, layer.path)

    def with_machine(self, layer: Layer) -> _Merged:
        """A fresh merge of this chain and `layer`, a machine in this folder: without networks that do not concern it."""
        if "prototypes" in layer.definition:
            return self.with_child(layer).narrowed()
        merged = self._beneath(layer).for_machine(layer.definition).add(layer.definition, layer.path)
        return merged.narrowed() if "networks" in layer.definition else merged

    def _beneath(self, layer: Layer) -> _Merged:
        """What lies under the own values of `layer`."""
        if "prototype" not in layer.definition:
            return self.computed
        name = layer.definition["prototype"]
        if name is None:
            return self.plain
        if name not in self._with_prototype:
            self._with_prototype[name] = _add_all(self.plain.copy(), _prototype_layers(self.plain, name))
        return self._with_prototype[name]


class Cascade:
    """Computes many nodes of one tree; each distinct chain of folders is merged only once.

    `folders` maps the path of each folder to its local definition ("/" is the root); one that is missing says nothing.
    The mapping must not change while the cascade is in use.
    """

    def __init__(self, folders: Mapping[str, Mapping[str, Any]]):
        self._definitions = folders
        self._folders = {ROOT: _Folder(self._layer(ROOT), None)}

    def of(self, parent: str, name: str, local: Mapping[str, Any]) -> Computed:
        """The computed definition of the VM `name` in the folder at `parent`, its references filled in."""
        path = f"{parent.rstrip('/')}/{name}"
        layer = Layer(path, local)
        return _finished(self._folder(parent or ROOT).with_machine(layer), facts_of(path))

    def of_folder(self, path: str) -> Computed:
        """The computed definition of the folder at `path`, its references as they are."""
        return _finished(self._folder(path or ROOT).computed.copy(), None)

    def _folder(self, path: str) -> _Folder:
        missing = []
        while path not in self._folders:
            missing.append(path)
            path = path.rpartition("/")[0] or ROOT
        folder = self._folders[path]
        for below in reversed(missing):
            folder = self._folders[below] = _Folder(self._layer(below), folder)
        return folder

    def _layer(self, path: str) -> Layer:
        return Layer(path, self._definitions.get(path, {}))


def compute_many(
    nodes: Iterable[tuple[str, str, Mapping[str, Any]]], folders: Mapping[str, Mapping[str, Any]]
) -> Iterator[Computed]:
    """The computed definition of each (path of the parent folder, name, local definition), in the order given.

    Raises Invalid at the first node that has none; use `Cascade` to go on with the others.
    """
    cascade = Cascade(folders)
    for parent, name, local in nodes:
        yield cascade.of(parent, name, local)
