"""What was planned comes into being: definitions in the tree and operations on the machines, in one transaction.

From there on the workers go on by themselves, whoever is killed; how far they are is told by the machines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors import selectors as nodes
from descriptors import tree as shape
from descriptors.actions import cancel, request, request_many
from descriptors.actions.deploying import undone_on_errors
from descriptors.actions.editing import checked, write
from descriptors.actions.effects import machines_under
from descriptors.actions.effects import plan as effects_of
from descriptors.actions.requesting import faults_of
from descriptors.actions.shaping import insert, remove, remove_machines, reread
from descriptors.definition import changed
from descriptors.models import Descriptor, Kind, Node, Operation
from descriptors.names import join
from descriptors.peers import peers_in
from descriptors.permissions import require
from descriptors.states import OFF, State
from olimpus.errors import Conflict, Invalid
from slices import documents, selectors
from slices.actions.drafting import outdate
from slices.actions.planning import Standing, plan, shown, stand, stands
from slices.models import Deployment, Plan
from slices.models import Kind as What
from slices.phrases import phrase_of
from slices.plan.shape import ANEW, CHANGE, KEEP
from slices.treeform import Tree, chosen_in, tree_of

CREATE, AGAIN, BY_FORCE = {"start": True}, {"again": True}, {"force": True}


def deploy(folder: Node, *, actor: User, digest: str = "") -> Deployment | None:
    """Deploy exactly the plan of this digest ("": one made now): new machines, changes, removals, in one transaction.

    None: there was nothing to do, and nothing is recorded: the last deployment can still be undone. Conflict: it does not
    fit; the slice or its draft has changed since it was planned; a machine that would change is being worked on.
    Forbidden. A digest is good once: what was deployed is a change since the plan.
    """
    found = shown(folder, digest, actor=actor) if digest else plan(folder, actor=actor)
    return undone_on_errors(_deploy, folder, found, actor)


def resume(folder: Node, *, actor: User, names: Collection[str] = ()) -> Deployment:
    """Go on with what failed or never began: all of it, or these nodes. Conflict when there is nothing of that kind."""
    return undone_on_errors(_resume, folder, names, actor)


def undo(folder: Node, *, actor: User) -> Deployment:
    """Take back the last deployment: what it made is destroyed, the definitions are those from before it.

    What it removed comes back as definitions only. Conflict: there is none, or it is still under way: what nobody has
    begun is cancelled then, so that asking again soon helps.
    """
    last = selectors.last_deployment(folder)
    if last is None:
        raise Conflict(_("There is no deployment to undo."), where=folder.path)
    require(actor, "delete", folder)
    _calm(folder, actor)
    return undone_on_errors(_undo, folder, last, actor)


def teardown(folder: Node, *, actor: User) -> Deployment | None:
    """Destroy all machines of the slice and delete it with the last one; None: nothing stood, it is gone already.

    Conflict as with `undo`; Forbidden when one of the machines may not be destroyed or deleted: nothing is changed then.
    """
    require(actor, "delete", folder)
    _calm(folder, actor)
    return undone_on_errors(_teardown, folder, actor)


# -- deploy ------------------------------------------------------------------------------------------------------------


def _deploy(folder: Node, found: Plan, actor: User) -> Deployment | None:
    with shape.lock():
        folder = reread(folder)
        standing = stand(folder)
        _require_current(found, standing, folder)
        after = tree_of(documents.read(found.document), standing.tree, found.choices)
        _require_none_goes(standing, after, folder)
        nodes_of = defaultdict(set)
        for row in found.shown["rows"]:
            nodes_of[row["change"]].add(row["node"])
        change = Change(folder, actor, standing, after, touched=nodes_of[CHANGE], anew=nodes_of[ANEW])
        wrote, made = change.write(), change.start()
        does_something = wrote or bool(change.operations)
        if does_something or (standing.draft and standing.draft.document is not None):
            outdate(folder, actor=actor, document=None)
        return change.kept(What.DEPLOY, plan=found.shown, made=made) if does_something else None


def _require_current(found: Plan, standing: Standing, folder: Node) -> None:
    """Conflict unless the plan fits, and is of what there is now."""
    if standing.basis(found.document) != found.basis:
        hint = _("Look at a new plan.")
        raise Conflict(_("The slice has changed since it was planned."), where="digest", hint=hint)
    if not found.shown["fits"]:
        raise Conflict(_("It does not fit."), where=folder.path, errors=list(map(_told, found.shown["refusals"])))


def _told(refusal: Mapping[str, Any]) -> dict[str, str]:
    return {"where": refusal["node"] or refusal["hypervisor"], "message": phrase_of(refusal["reason"])}


def _require_none_goes(standing: Standing, after: Tree, folder: Node) -> None:
    """Conflict while one of the machines that shall be there is being destroyed: nothing would be made of it."""
    staying = [machine for name, machine in standing.machines.items() if name in after.machines]
    under_way = {machine.path: nodes.open_operation(machine) for machine in staying}
    going = [path for path, operation in under_way.items() if operation and operation.verb == "destroy"]
    if going:
        message = _("%(number)d of its machines are being destroyed.") % {"number": len(going)}
        faults = [{"where": path, "message": _("It is being destroyed.")} for path in going]
        hint = _("Wait until that is done, and deploy again.")
        raise Conflict(message, where=folder.path, hint=hint, errors=faults)


@dataclass
class Change:
    """One change of a slice, under the lock of the tree: definitions first, then what is asked of the machines."""

    folder: Node
    actor: User
    standing: Standing
    after: Tree
    #: Nodes whose machines must be rewritten where they exist.
    touched: Collection[str] = ()
    #: Nodes whose machines are destroyed.
    doomed: Collection[str] = ()
    #: Nodes whose machines are destroyed and made again.
    anew: Collection[str] = ()
    operations: list[Operation] = field(default_factory=list)

    def write(self) -> bool:
        """The definitions: removed, changed, new ones. Whether there was anything to write."""
        gone = [machine for name, machine in self.standing.machines.items() if name not in self.after.machines]
        self._remove(gone)
        changes = self._changes()
        effects = effects_of(changes, machines_under([self.folder.path]), lifted=self._lifted())
        effects.refuse_if_broken()
        for node in (self.folder, *self.standing.machines.values()):
            if node.path in changes:
                write(node, changes[node.path], actor=self.actor)
        new = {name: own for name, own in self.after.machines.items() if name not in self.standing.machines}
        self._insert(new)
        return bool(gone or changes or new)

    def start(self) -> list[str]:
        """Ask that what is to run be made, and what is there be rewritten or made anew; the uids of what is made."""
        rows = {row.name: row for row in selectors.machines(self.folder) if row.name in self.after.machines}
        new = [row for row in rows.values() if row.state == State.PROVISIONED and not _busy(row)]
        failed = [r for n, r in rows.items() if r.state == State.FAILED and not _busy(r) and n not in self.anew]
        self.ask("create", new, CREATE)
        self.recover(failed)
        self.make_anew(rows)
        self.rewrite([row for name, row in rows.items() if name in self.touched])
        return [str(row.uid) for row in (*new, *failed)]

    def recover(self, failed: Sequence[Descriptor]) -> None:
        """Have them run. Gateways are made anew: what failed attempts left there may know others than they must."""
        gateways = [machine for machine in failed if peers_in(machine.definition)]
        self.ask("recover", [machine for machine in failed if machine not in gateways], AGAIN)
        self.ask("recover", gateways, BY_FORCE)

    def make_anew(self, machines: Mapping[str, Descriptor]) -> None:
        """Have those of these machines that must be told something else be made again."""
        self.ask("recover", [machines[name] for name in self.anew], BY_FORCE)

    def rewrite(self, machines: Iterable[Descriptor]) -> None:
        """Have machines that exist take what was written; one that is paused takes it when it is started next."""
        there = [machine for machine in machines if stands(machine)]
        self.ask("restart", [machine for machine in there if machine.state == State.RUNNING], {"reapply": True})
        self.ask("reapply", [machine for machine in there if machine.state in OFF], {})

    def ask(self, verb: str, machines: Sequence[Node], arguments: Mapping[str, Any]) -> None:
        """One operation for all of these. Conflict when one of them cannot begin: half a change is none."""
        if not machines:
            return
        operation = request_many(verb, machines, actor=self.actor, arguments=arguments)
        if operation.skipped:
            raise _left_out(operation, self.folder)
        self.operations.append(operation)

    def kept(self, what: What, **more: Any) -> Deployment:
        """What was asked for, with its entry in the journal."""
        before = {"folder": self.standing.tree.folder, "machines": dict(self.standing.tree.machines)}
        operations = [str(operation.pk) for operation in self.operations]
        made = Deployment.objects.create(
            folder_id=self.folder.pk, actor=self.actor, kind=what, before=before, operations=operations, **more
        )
        data = {"deployment": str(made.pk), "nodes": len(self.after.machines)}
        journal.record(self.actor, f"slice.{what}", path=self.folder.path, node_id=self.folder.pk, data=data)
        return made

    def _remove(self, gone: Sequence[Descriptor]) -> None:
        """What stands is deleted when it has been destroyed."""
        standing = [machine for machine in gone if machine.state != State.PROVISIONED or _busy(machine)]
        plain = [machine for machine in gone if machine not in standing]
        if plain:
            remove_machines(plain, actor=self.actor)
        self.ask("destroy", standing, {"force": True, "remove": True})

    def _changes(self) -> dict[str, dict[str, Any]]:
        """Path → new local definition, of the folder and of machines that stay. Forbidden, Invalid."""
        wanted = {self.folder.path: (self.standing.tree.folder, self.after.folder)}
        for name, definition in self.standing.tree.machines.items():
            if name in self.after.machines:
                wanted[join(self.folder.path, name)] = definition, self.after.machines[name]
        found = {path: self._clean(path, *pair) for path, pair in wanted.items() if pair[0] != pair[1]}
        return {path: clean for path, clean in found.items() if clean != wanted[path][0]}

    def _clean(self, path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        """What Olimpus itself chose needs no right."""
        clean = checked(path, _said(after), actor=self.actor, before=_said(before)) | chosen_in(after)
        planned = (after.get("node") or {}).get("planned")
        return clean | {"node": clean.get("node", {}) | {"planned": planned}} if planned else clean

    def _lifted(self) -> dict[str, set[str]]:
        """Machines that are rewritten, and those that are made anew or not at all, by path."""
        found = {}
        for name, machine in self.standing.machines.items():
            if name in self.doomed or name in self.anew or not stands(machine):
                found[machine.path] = {"creation", "run"}
            elif name in self.touched:
                found[machine.path] = {"run"}
        return found

    def _insert(self, machines: Mapping[str, dict[str, Any]]) -> None:
        if not machines:
            return
        require(self.actor, "create_nodes", self.folder)
        chosen = {join(self.folder.path, name): chosen_in(own) for name, own in machines.items()}
        drafts = []
        for name, own in machines.items():
            ours = chosen_in(own)
            plain = {key: value for key, value in own.items() if key not in ours}
            drafts.append(shape.Draft(name, Kind.DESCRIPTOR, plain))
        insert([(reread(self.folder), drafts)], actor=self.actor, chosen=chosen)


def _said(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Without what a plan has chosen."""
    said = {name: value for name, value in definition.items() if name not in chosen_in(definition)}
    node = {name: value for name, value in (said.pop("node", None) or {}).items() if name != "planned"}
    return said | {"node": node} if node else said


def _busy(machine: Descriptor) -> bool:
    return nodes.open_operation(machine) is not None


def _left_out(operation: Operation, folder: Node) -> Conflict:
    faults = faults_of((operation.result or {}).get("skipped") or [])
    return Conflict(_("Not all of its machines can do this now."), where=folder.path, errors=faults)


# -- go on, take back, tear down ---------------------------------------------------------------------------------------


def _resume(folder: Node, names: Collection[str], actor: User) -> Deployment:
    with shape.lock():
        folder = reread(folder)
        standing = stand(folder)
        if strangers := sorted(set(names) - standing.machines.keys()):
            raise Invalid(_("There is no node “%s”.") % strangers[0][:128], where="nodes")
        change = Change(folder, actor, standing, standing.tree)
        idle = [m for n, m in standing.machines.items() if (not names or n in names) and not _busy(m)]
        by_state = {state: [m for m in idle if m.state == state] for state in State}
        change.ask("create", by_state[State.PROVISIONED], CREATE)
        change.recover(by_state[State.FAILED])
        change.ask("start", by_state[State.CREATED], {})
        if not change.operations:
            raise Conflict(_("Nothing of it failed, and nothing waits to begin."), where=folder.path)
        return change.kept(What.RESUME)


def _undo(folder: Node, last: Deployment, actor: User) -> Deployment:
    with shape.lock():
        folder = reread(folder)
        if selectors.last_deployment(folder) != last:
            raise Conflict(_("Somebody else has just started an operation here."), where=folder.path)
        standing = stand(folder)
        made = {name: machine for name, machine in standing.machines.items() if str(machine.uid) in set(last.made)}
        since = {name: own for name, own in standing.tree.machines.items() if name not in made}
        before = Tree(last.before["folder"], since | _still_there(last, standing))
        anew = {n for n in since if stands(standing.machines[n]) and _is_retold(before, standing.tree, n)}
        touched = {n for n in since if _cards(before, n) != _cards(standing.tree, n)} - anew
        change = Change(folder, actor, standing, before, touched, made, anew)
        change.write()
        stays = [machine for name, machine in made.items() if name in before.machines]
        change.ask("destroy", [machine for machine in stays if machine.state != State.PROVISIONED], {"force": True})
        change.make_anew(standing.machines)
        change.rewrite([standing.machines[name] for name in touched])
        Deployment.objects.filter(pk=last.pk).update(undone=True)
        outdate(folder, actor=actor)
        return change.kept(What.UNDO)


def _still_there(last: Deployment, standing: Standing) -> dict[str, Any]:
    """The machines from before, without those that it kept, and that somebody has renamed, moved or deleted since."""
    kept = {row["node"] for row in last.plan["rows"] if row["change"] in (KEEP, CHANGE)}
    return {name: own for name, own in last.before["machines"].items() if name in standing.machines or name not in kept}


def _is_retold(before: Tree, after: Tree, name: str) -> bool:
    """Whether it is a gateway that is made of something else by now, or told so."""
    pair = before.machines.get(name, {}), after.machines.get(name, {})
    peers = [peers_in(definition) for definition in pair]
    return any(peers) and (peers[0] != peers[1] or bool(changed(*pair)["creation"]))


def _cards(tree: Tree, name: str) -> tuple[Any, ...]:
    """What a machine would have to be rewritten for."""
    definition = tree.machines.get(name, {})
    return tuple(definition.get(key) for key in ("nics", "flavor", "cpus", "memory_mib", "disks"))


def _teardown(folder: Node, actor: User) -> Deployment | None:
    with shape.lock():
        folder = reread(folder)
        standing = stand(folder)
        there = Descriptor.objects.filter(nodes.inside(folder.path)).exclude(state=State.PROVISIONED).count()
        if not there:
            journal.record(actor, "slice.teardown", path=folder.path, node_id=folder.pk)
            remove(folder, actor=actor)
            return None
        arguments = {"force": True, "remove": True, "whole": True}
        operation = request("destroy", folder, actor=actor, arguments=arguments)
        if operation.total < there:
            raise _left_out(operation, folder)
        change = Change(folder, actor, standing, Tree(), operations=[operation])
        return change.kept(What.TEARDOWN)


def _calm(folder: Node, actor: User) -> None:
    """Cancel what is under way. Conflict while something of it has not ended."""
    busy = Operation.objects.filter(open_for__in=_ids_below(folder))
    for operation in _parents(busy):
        if not operation.cancel_requested and operation.verb != "destroy":
            with suppress(Conflict):  # it has ended meanwhile, which is what is wanted
                cancel(operation, actor=actor)
    if number := busy.all().count():  # asked anew
        message = _("%(number)d of its machines are being worked on.") % {"number": number}
        raise Conflict(message, where=folder.path, hint=_("What nobody has begun is cancelled. Ask again in a moment."))


def _ids_below(folder: Node) -> list[int]:
    rows = Descriptor.objects.filter(nodes.inside(folder.path), open_operation__isnull=False)
    return list(rows.values_list("pk", flat=True))


def _parents(operations: Iterable[Operation]) -> list[Operation]:
    rows = list(operations)
    single = [row for row in rows if row.parent_id is None]
    return [*Operation.objects.filter(pk__in={row.parent_id for row in rows} - {None}), *single]
