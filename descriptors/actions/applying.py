"""Documents: one YAML or JSON text that creates or updates folders, common definitions and machines, all or nothing.

A document is a folder body: `common` (its definition), `folders` and `descriptors` (mappings by name); at its top `path`
says where it goes. `export` writes the same form. Documents are read once; what they leave out is not deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import selectors, tree
from descriptors.actions.editing import checked, write
from descriptors.actions.effects import EditPlan, machines_under, plan
from descriptors.actions.shaping import MOST, insert
from descriptors.definition import at, nearest
from descriptors.models import Kind, Node
from descriptors.names import clean_name, join
from descriptors.permissions import access_of, can, forget, require, visible
from olimpus.db import retry_on_deadlock
from olimpus.errors import Conflict, Invalid, NotFound

BODY = ("common", "folders", "descriptors")
#: The way from the top of a document to a value.
Keys = tuple[str, ...]


@dataclass
class Wanted:
    """One node that the document names."""

    path: str
    kind: Kind
    definition: dict[str, Any] | None  # None: the document says nothing about it
    keys: Keys  # where its definition stands in the document
    children: list[Wanted] = field(default_factory=list)


@dataclass
class ApplyPlan:
    """What applying a document does."""

    create: list[tuple[str, str]] = field(default_factory=list)  # (path, kind)
    update: list[str] = field(default_factory=list)
    unchanged: int = 0
    effects: EditPlan = field(default_factory=EditPlan)
    #: What will be written: drafts below existing folders, and new definitions of existing nodes.
    groups: list[tuple[Node, list[tree.Draft]]] = field(default_factory=list)
    changes: list[tuple[Node, dict[str, Any]]] = field(default_factory=list)


def plan_apply(document: object, *, actor: User) -> ApplyPlan:
    """What `apply` would do; nothing is changed. Raises like `apply`."""
    return apply(document, actor=actor, dry_run=True)


@retry_on_deadlock
def apply(document: object, *, actor: User, dry_run: bool = False) -> ApplyPlan:
    """Create what the document names and is not there, update what differs; all or nothing. May be repeated.

    Invalid with `where` naming the place in the document, Conflict (a folder where a machine stands, or a machine whose
    state forbids the change), Forbidden.
    """
    wanted = _read(document)
    with tree.lock():
        found = _plan(wanted, actor)
        for node, definition in found.changes:
            write(node, definition, actor=actor)
        if found.groups:
            insert(found.groups, actor=actor)
        if dry_run:  # done and taken back, so that a plan meets every fault that the deed would meet
            transaction.set_rollback(True)
    forget()
    return found


def export(node: Node, *, actor: User) -> dict[str, Any]:
    """The branch as a document, with what the actor may see of it; applying it again changes nothing."""
    node = selectors.get(actor, node.pk)
    if not node.is_folder:
        return {"path": node.path.rpartition("/")[0] or "/", "descriptors": {node.name: node.definition}}
    rows = visible(actor, Node.objects.filter(selectors.inside(node.path, itself=True)), below=node.path)
    document: dict[str, Any] = {"path": node.path}
    for row in rows.order_by("lft"):
        if row.is_folder:
            body = _body(document, node.path, row.path)
            body |= {"common": row.definition} if row.definition else {}
        else:
            body = _body(document, node.path, row.path.rpartition("/")[0])
            body.setdefault("descriptors", {})[row.name] = row.definition
    return document


def _body(document: dict[str, Any], top: str, path: str) -> dict[str, Any]:
    """The place of a folder in the document, made with those above it when it is not there yet."""
    for name in path[len(top) :].strip("/").split("/"):
        if name:
            document = document.setdefault("folders", {}).setdefault(name, {})
    return document


# -- reading -----------------------------------------------------------------------------------------------------------


def _read(document: object) -> Wanted:
    if not isinstance(document, Mapping):
        raise _fault(_("A document is a mapping."), (), _("Its keys: path, %s.") % ", ".join(BODY))
    path = document.get("path", "/")
    if not isinstance(path, str) or not path.startswith("/"):
        raise _fault(_("A path begins with “/”."), ("path",))
    body = {key: value for key, value in document.items() if key != "path"}
    top = _folder(_clean(path), body, (), known=("path", *BODY))
    if sum(1 for _node in _walk(top)) > MOST:
        raise Invalid(_("A document names at most %d nodes.") % MOST)
    return top


def _fault(message: str, keys: Keys, hint: str = "") -> Invalid:
    """A fault with its way in the document, so that the doors can add line and column."""
    where = _dotted(keys)
    return Invalid(
        message, where=where, hint=hint, errors=[{"where": where, "message": message, "hint": hint, "path": list(keys)}]
    )


def _dotted(keys: Keys) -> str:
    return reduce(at, keys, "")


def _clean(path: str) -> str:
    clean = "/"
    for name in (part for part in path.split("/") if part):
        clean = join(clean, _name(name, ("path",)))
    return clean


def _folder(path: str, body: object, keys: Keys, *, known: Sequence[str] = BODY) -> Wanted:
    if body is None:
        body = {}
    if not isinstance(body, Mapping):
        raise _fault(_("A folder is a mapping."), keys, _("Its keys: %s.") % ", ".join(BODY))
    for key in body:
        if key not in BODY:
            raise _fault(_("Unknown key “%s”.") % str(key)[:64], (*keys, str(key)), nearest(str(key), known))
    node = Wanted(path, Kind.FOLDER, None, (*keys, "common"))
    if "common" in body:
        node.definition = _mapping(body["common"], node.keys)
    for name, inner in _entries(body, "folders", keys):
        here = (*keys, "folders", name)
        node.children.append(_folder(join(path, _name(name, here)), inner, here))
    for name, inner in _entries(body, "descriptors", keys):
        here = (*keys, "descriptors", name)
        definition = {} if inner is None else _mapping(inner, here)
        node.children.append(Wanted(join(path, _name(name, here)), Kind.DESCRIPTOR, definition, here))
    return node


def _mapping(definition: object, keys: Keys) -> dict[str, Any]:
    if not isinstance(definition, Mapping):
        raise _fault(_("A definition is a mapping."), keys)
    return dict(definition)


def _entries(body: Mapping[str, Any], key: str, keys: Keys) -> Iterator[tuple[str, Any]]:
    inner = body.get(key)
    if inner is not None and not isinstance(inner, Mapping):
        raise _fault(_("“%s” is a mapping of names.") % key, (*keys, key))
    for name, value in (inner or {}).items():
        yield str(name), value


def _name(name: str, keys: Keys) -> str:
    try:
        return clean_name(name)
    except Invalid as error:
        raise _fault(error.message, keys, error.hint) from error


def _walk(node: Wanted) -> Iterator[Wanted]:
    yield node
    for child in node.children:
        yield from _walk(child)


# -- planning ----------------------------------------------------------------------------------------------------------


def _plan(wanted: Wanted, actor: User) -> ApplyPlan:
    nodes = list(_walk(wanted))
    paths = {node.path for node in nodes} | {parent for node in nodes[:1] for parent in selectors.parents(node.path)}
    existing = _existing(sorted(paths))
    found = ApplyPlan()
    top = _with_parents(wanted, existing)
    if not can(actor, "see", existing[top.path]):  # the same answer whether it is there or not
        raise NotFound(_("There is nothing here that you may see."), where="path")
    _gather(top, existing, actor, found)
    changes = {node.path: definition for node, definition in found.changes}
    found.effects = plan(changes, machines_under(changes)).veil(access_of(actor))
    found.effects.refuse_if_broken()
    return found


def _existing(paths: list[str]) -> dict[str, Node]:
    rows: dict[str, Node] = {}
    for start in range(0, len(paths), 5000):
        rows |= {node.path: node for node in Node.objects.filter(path__in=paths[start : start + 5000])}
    return rows


def _with_parents(wanted: Wanted, existing: Mapping[str, Node]) -> Wanted:
    """The document's folder inside the folders above it that must be made, too."""
    while wanted.path not in existing and wanted.path != "/":
        parent = wanted.path.rpartition("/")[0] or "/"
        if parent in existing:
            return Wanted(parent, Kind.FOLDER, None, ("path",), [wanted])
        wanted = Wanted(parent, Kind.FOLDER, None, ("path",), [wanted])
    return wanted


def _gather(wanted: Wanted, existing: Mapping[str, Node], actor: User, found: ApplyPlan) -> None:
    node = existing[wanted.path]
    require(actor, "see", node)
    if node.kind != wanted.kind:
        raise Conflict(_("There is a node of another kind at this path."), where=f"{_dotted(wanted.keys)}: {node.path}")
    _update(node, wanted, actor, found)
    drafts = []
    for child in wanted.children:
        if child.path in existing:
            _gather(child, existing, actor, found)
        else:
            drafts.append(_draft(child, actor, found))
    if drafts:
        require(actor, "create_nodes", node)
        found.groups.append((node, drafts))


def _update(node: Node, wanted: Wanted, actor: User, found: ApplyPlan) -> None:
    if wanted.definition is None:
        return
    clean = _checked(node.path, wanted, actor, before=node.definition)
    if clean == node.definition:
        found.unchanged += 1
        return
    found.update.append(node.path)
    found.changes.append((node, clean))


def _draft(wanted: Wanted, actor: User, found: ApplyPlan) -> tree.Draft:
    definition = _checked(wanted.path, wanted, actor, before={}, new=True)
    found.create.append((wanted.path, str(wanted.kind)))
    children = [_draft(child, actor, found) for child in wanted.children]
    return tree.Draft(wanted.path.rpartition("/")[2], wanted.kind, definition, children)


def _checked(path: str, wanted: Wanted, actor: User, *, before: Mapping[str, Any], new: bool = False) -> dict[str, Any]:
    """Faults name the place in the document, so that the doors can add line and column."""
    try:
        return checked(path, wanted.definition or {}, actor=actor, before=before, new=new)
    except Invalid as error:
        faults = [_placed(fault, wanted.keys) for fault in error.errors or [{"message": error.message}]]
        raise Invalid(error.message, where=faults[0]["where"], hint=error.hint, errors=faults) from error


def _placed(fault: dict[str, Any], keys: Keys) -> dict[str, Any]:
    """A fault of a definition as a fault of the document."""
    where = f"{_dotted(keys)}.{fault.get('where', '')}".rstrip(".")
    return {**fault, "where": where, "path": [*keys, *fault.get("path", ())]}
