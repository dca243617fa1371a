"""Documents: plan, apply, export; adoption."""

from __future__ import annotations

import pytest

from accounts.models import Entry
from descriptors import actions, reconcile, selectors
from descriptors.documents import dump_yaml, load
from descriptors.models import Descriptor, Node, Unowned
from hypervisors.drivers.base import Power
from hypervisors.drivers.mock import create_by_hand
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound

COURSE = {
    "path": "/new/TEL999",
    "common": {"flavor": "small", "prototypes": {"web": {"cpus": 2}}},
    "folders": {
        "v1.2": {"common": {"labels": {"group": "a"}}, "descriptors": {"web": {"prototype": "web"}, "db": None}},
        "empty": None,
    },
    "descriptors": {"gateway": {"cpus": 1}},
}


def paths() -> set[str]:
    return set(Node.objects.values_list("path", flat=True))


def test_a_document_makes_everything_once(world):
    root = world.root
    before = paths()
    plan = actions.plan_apply(COURSE, actor=root)
    assert paths() == before
    assert len(plan.create) == 7
    applied = actions.apply(COURSE, actor=root)
    assert applied.create == plan.create
    assert selectors.computed(Node.objects.get(path="/new/TEL999/v1.2/web")).values["cpus"] == 2
    again = actions.apply(COURSE, actor=root)
    assert (again.create, again.update) == ([], [])


def test_a_document_updates_what_differs_and_leaves_the_rest(world):
    actions.apply(COURSE, actor=world.root)
    changed = {"path": "/new/TEL999", "descriptors": {"gateway": {"cpus": 2}, "extra": {}}}
    plan = actions.apply(changed, actor=world.root)
    assert (plan.create, plan.update) == ([("/new/TEL999/extra", "descriptor")], ["/new/TEL999/gateway"])
    assert "/new/TEL999/v1.2/db" in paths()


def test_export_and_apply_are_inverse(world):
    actions.apply(COURSE, actor=world.root)
    document = actions.export(Node.objects.get(path="/new/TEL999"), actor=world.root)
    assert actions.apply(load(dump_yaml(document)), actor=world.root).update == []
    actions.remove(Node.objects.get(path="/new"), actor=world.root)
    actions.apply(document, actor=world.root)
    assert actions.export(Node.objects.get(path="/new/TEL999"), actor=world.root) == document
    machine = Node.objects.get(path="/new/TEL999/gateway")
    assert actions.export(machine, actor=world.root) == {
        "path": "/new/TEL999",
        "descriptors": {"gateway": {"cpus": 1}},
    }


def test_export_holds_what_one_may_see(world):
    world.ana.web  # noqa: B018 - the world is made when asked for
    assert actions.export(world.sam.folder, actor=world.sam.user) == {
        "path": "/courses/TEL141/sam",
        "common": {"student": "sam"},
        "descriptors": {"web": {"nics": [{"network": "lan"}]}, "db": {}},
    }
    with pytest.raises(NotFound):
        actions.export(world.tel141, actor=world.sam.user)


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (None, ""),
        ([], ""),
        ({"path": "x"}, "path"),
        ({"path": 7}, "path"),
        ({"folder": {}}, "folder"),
        ({"folders": []}, "folders"),
        ({"folders": {"a": []}}, "folders.a"),
        ({"folders": {"a/b": {}}}, "a/b"),
        ({"folders": {"common": {}}}, "common"),
        ({"common": []}, "common"),
        ({"descriptors": {"vm": []}}, "descriptors.vm"),
        ({"descriptors": {"vm": {"cpu": 1}}}, "descriptors.vm.cpu"),
        ({"folders": {"a": {"common": {"cpus": "x"}}}}, "folders.a.common.cpus"),
        ({"descriptors": {"vm": {"prototype": "nothing"}}}, ""),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_faulty_document_changes_nothing_and_is_told_where(world, document, where, dry_run):
    before = paths()
    with pytest.raises(Invalid) as error:
        actions.apply(document, actor=world.root, dry_run=dry_run)
    assert where in error.value.where
    assert paths() == before


def test_the_last_fault_takes_back_everything(world):
    document = {"descriptors": {"good": {}, "bad": {"prototype": "nothing"}}, "common": {"cpus": 2}}
    before = (paths(), Node.objects.get(path="/").definition)
    with pytest.raises(Invalid, match="prototype"):
        actions.apply(document, actor=world.root)
    assert (paths(), Node.objects.get(path="/").definition) == before
    assert not Entry.objects.filter(path="/good").exists()


def test_kinds_do_not_change(world):
    with pytest.raises(Conflict):
        actions.apply({"path": world.sam.folder.path, "folders": {"web": {}}}, actor=world.root)
    with pytest.raises(Conflict):
        actions.apply({"path": world.tel141.path, "descriptors": {"sam": {}}}, actor=world.root)


def test_rights_to_apply(world):
    actions.apply({"path": world.tel141.path, "folders": {"new": {"descriptors": {"vm": {}}}}}, actor=world.mia)
    for document in ({"folders": {"x": {}}}, {"path": "/lab/x"}, {"path": world.lab.path, "common": {}}):
        with pytest.raises(NotFound):
            actions.apply(document, actor=world.mia)
    with pytest.raises(Forbidden):
        actions.apply({"path": world.sam.folder.path, "descriptors": {"more": {}}}, actor=world.sam.user)
    with pytest.raises(Forbidden):
        actions.apply({"path": world.sam.folder.path, "descriptors": {"web": {"cpus": 64}}}, actor=world.sam.user)


def test_what_cannot_be_seen_looks_like_what_is_not_there(world):
    """A document must not tell whether a path exists, or of which kind it is."""
    world.probe  # noqa: B018 - the world is made when asked for
    told = set()
    for path in ("/lab/probe", "/lab/probe/x", "/nothing/x", "/lab"):
        with pytest.raises(NotFound) as error:
            actions.apply({"path": path, "descriptors": {"vm": {}}}, actor=world.sam.user)
        told.add((error.value.message, error.value.hint))
    assert len(told) == 1


# -- adoption ----------------------------------------------------------------------------------------------------------


def stray(world, name: str = "found") -> Unowned:
    create_by_hand(world.home, world.hypervisor.name, name, cpus=2, memory_mib=1024, power=Power.ON, image="debian-12")
    reconcile.reconcile(world.hypervisor.pk)
    return Unowned.objects.get(name=name)


def test_a_vm_made_by_hand_is_adopted_as_it_is(world):
    machine = actions.adopt(stray(world), world.tel141, actor=world.root, name="ours")
    assert (machine.path, machine.state) == ("/courses/TEL141/ours", "running")
    assert machine.definition["cpus"] == 2
    assert not Unowned.objects.exists()
    reconcile.reconcile(world.hypervisor.pk)
    machine.refresh_from_db()
    assert not machine.drifted
    assert not Unowned.objects.exists()
    assert world.do("stop", machine).status == "succeeded"


def test_only_superusers_adopt_and_a_taken_name_changes_nothing(world):
    vm = stray(world, "web")
    with pytest.raises(Forbidden):
        actions.adopt(vm, world.tel141, actor=world.mia)
    with pytest.raises(Conflict):
        actions.adopt(vm, world.sam.folder, actor=world.root, name=world.sam.web.name)
    assert Unowned.objects.count() == 1
    assert not Descriptor.objects.exclude(state="provisioned").exists()
