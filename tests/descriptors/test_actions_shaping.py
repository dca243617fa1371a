"""Create, rename, move, copy, delete by the actions."""

from __future__ import annotations

import pytest

from accounts.models import Entry
from descriptors import actions, selectors
from descriptors.models import Descriptor, Folder, Node
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound
from tests import factories


def paths() -> set[str]:
    return set(Node.objects.values_list("path", flat=True))


def test_a_manager_makes_folders_and_machines_in_his_branch(world):
    folder = actions.create_folder(world.tel141, "new", actor=world.mia, definition={"cpus": 1})
    machine = actions.create_descriptor(folder, "vm", actor=world.mia)
    assert machine.path == "/courses/TEL141/new/vm"
    assert Descriptor.objects.get(pk=machine.pk).state == "provisioned"
    verbs = Entry.objects.filter(actor=world.mia).values_list("verb", "path")
    assert set(verbs) == {("folder.create", folder.path), ("descriptor.create", machine.path)}


@pytest.mark.parametrize("name", ["", "common", "a/b", "..", " x", "x" * 129, "a\0", "tab\t"])
def test_bad_names_are_refused(world, name):
    before = paths() | {world.lab.path}
    with pytest.raises(Invalid):
        actions.create_folder(world.lab, name, actor=world.root)
    assert paths() == before


def test_names_are_taken_once(world):
    with pytest.raises(Conflict):
        actions.create_descriptor(world.sam.folder, "web", actor=world.mia)
    with pytest.raises(Conflict):
        actions.rename(world.sam.web, "db", actor=world.mia)
    with pytest.raises(Conflict):
        actions.create_folder(world.sam.web, "inside", actor=world.root)


def test_who_may_not_create(world):
    with pytest.raises(NotFound):
        actions.create_folder(world.lab, "x", actor=world.mia)
    with pytest.raises(Forbidden):
        actions.create_folder(world.sam.folder, "x", actor=world.sam.user)


def test_a_rename_takes_everything_below_along(world):
    machine = world.sam.web
    actions.rename(world.tel141, "TEL142", actor=world.mia)
    assert selectors.get(world.sam.user, machine.pk).path == "/courses/TEL142/sam/web"
    assert Entry.objects.get(verb="folder.move").data == {"from": "/courses/TEL141"}
    with pytest.raises(Conflict):
        actions.rename(selectors.get(world.root, "/"), "x", actor=world.root)


def test_a_move_keeps_machines_running_and_inherits_anew(world):
    web = world.sam.web
    world.do("create", web)
    world.do("start", web)
    moved = actions.move(web, world.ana.folder, actor=world.mia, name="guest")
    assert moved.path == "/courses/TEL141/ana/guest"
    web = Descriptor.objects.get(pk=web.pk)
    assert web.state == "running"
    assert selectors.computed(web).values["student"] == "ana"


def test_moves_that_make_no_tree_or_break_machines_are_refused(world):
    with pytest.raises(Conflict):
        actions.move(world.tel141, world.sam.folder, actor=world.root)
    actions.edit(world.tel141, {"prototypes": {"web": {"cpus": 2}}}, actor=world.root)
    actions.edit(world.sam.web, {"prototype": "web"}, actor=world.root)
    with pytest.raises(Invalid, match="prototype"):
        actions.move(world.sam.web, world.lab, actor=world.root)
    assert "/courses/TEL141/sam/web" in paths()


def test_who_may_not_move(world):
    with pytest.raises(NotFound):
        actions.move(world.sam.web, world.lab, actor=world.mia)
    with pytest.raises(Forbidden):
        actions.rename(world.sam.web, "mine", actor=world.sam.user)
    closed = world.sam.folder.definition | {"rights": {"manager": {"move": False, "delete": False}}}
    actions.edit(world.sam.folder, closed, actor=world.root)
    for deed in (
        lambda: actions.rename(world.tel141, "x", actor=world.mia),
        lambda: actions.remove(world.tel141, actor=world.mia),
    ):
        with pytest.raises(Forbidden, match="below"):
            deed()


def test_a_stale_position_gives_no_rights_over_neighbours(world):
    """The node in hand was read before others shifted it."""
    folder = world.sam.folder
    stale = Node.objects.get(pk=folder.pk)
    factories.many_machines("/", 5, world.root)
    world.ana.web  # noqa: B018 - the world is made when asked for
    closed = world.sam.folder.definition | {"rights": {"manager": {"delete": False}}}
    actions.edit(world.sam.web, world.sam.web.definition | {"rights": closed["rights"]}, actor=world.root)
    with pytest.raises(Forbidden):
        actions.remove(stale, actor=world.mia)


def test_a_copy_is_a_definition_with_new_addresses(world):
    fixed = {"nics": [{"network": "lan", "mac": "02:aa:00:00:00:01", "ip": "10.0.0.5", "model": "e1000"}]}
    one = factories.machine(f"{world.sam.folder.path}/one", world.root, fixed)
    world.do("create", one)
    actions.set_inherit_grants(world.sam.folder, False, actor=world.root)
    copy = actions.copy(world.sam.folder, world.tel141, actor=world.root, name="copy")
    assert {"/courses/TEL141/copy", "/courses/TEL141/copy/one", "/courses/TEL141/copy/web"} <= paths()
    twin = Descriptor.objects.get(path="/courses/TEL141/copy/one")
    assert twin.definition == {"nics": [{"network": "lan", "model": "e1000"}]}
    assert (twin.state, twin.vm_ref) == ("provisioned", "")
    assert not Folder.objects.get(pk=copy.pk).inherit_grants
    assert world.do("create", twin).status == "succeeded"
    same = actions.copy(one, world.tel141, actor=world.root, new_addresses=False)
    assert Node.objects.get(pk=same.pk).definition == fixed
    with pytest.raises(Conflict, match="belongs to"):
        actions.request("create", same, actor=world.root)


def test_whose_an_address_is_is_told_to_those_who_see_it(world):
    fixed = {"nics": [{"network": "lan", "mac": "02:aa:00:00:00:01"}]}
    networks = {"networks": {"lan": {"cidr": "10.0.0.0/24"}}}
    world.do(
        "create", factories.machine(f"{world.lab.path}/secret", world.root, fixed | networks | {"flavor": "small"})
    )
    mine = factories.machine(f"{world.sam.folder.path}/one", world.root, fixed)
    for who, told in ((world.root, "belongs to /lab/secret already"), (world.mia, "belongs to another machine")):
        with pytest.raises(Conflict, match=told):
            actions.request("create", mine, actor=who)


def test_copies_that_are_refused(world):
    with pytest.raises(Conflict, match="itself"):
        actions.copy(world.tel141, world.sam.folder, actor=world.root)
    with pytest.raises(Conflict):
        actions.copy(world.sam.web, world.sam.folder, actor=world.root)
    with pytest.raises(Forbidden):
        actions.copy(world.sam.web, world.sam.folder, actor=world.sam.user, name="x")
    with pytest.raises(NotFound):
        actions.copy(world.sam.web, world.ana.folder, actor=world.sam.user)


def test_a_duplicate_takes_the_first_free_name(world):
    assert actions.duplicate(world.sam.web, actor=world.mia).name == "web-2"
    assert actions.duplicate(world.sam.web, actor=world.mia).name == "web-3"
    with pytest.raises(Conflict):
        actions.duplicate(selectors.get(world.root, "/"), actor=world.root)


def test_what_stands_on_a_hypervisor_is_not_deleted(world):
    world.do("create", world.sam.web)
    with pytest.raises(Conflict) as error:
        actions.remove(world.tel141, actor=world.mia)
    assert world.sam.web.path in [fault["where"] for fault in error.value.errors]
    world.do("destroy", world.sam.web)
    assert actions.remove(world.tel141, actor=world.mia) == 4
    assert paths() == {"/", "/courses"}
    assert Entry.objects.get(verb="folder.delete").data == {"nodes": 4}
    with pytest.raises(Conflict):
        actions.remove(selectors.get(world.root, "/"), actor=world.root)


def test_a_gone_node_is_not_found(world):
    web = world.sam.web
    actions.remove(web, actor=world.mia)
    for deed in (
        lambda: actions.remove(web, actor=world.mia),
        lambda: actions.rename(web, "x", actor=world.mia),
        lambda: actions.copy(web, world.tel141, actor=world.mia),
    ):
        with pytest.raises(NotFound):
            deed()
