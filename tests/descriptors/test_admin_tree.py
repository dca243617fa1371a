"""The console's tree: levels, filter, counts, what a selection can do, and the dialogs that change its shape."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from descriptors import actions, selectors
from descriptors.models import Node, Operation
from tests import factories

TREE = "/admin/descriptors/node/tree/"


def console(person: User) -> Client:
    made = Client(headers={"Accept-Language": "en"})
    made.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return made


def text(answer) -> str:
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def item(node: Node) -> str:
    """What the line of a node begins with."""
    return f'id="node-{node.pk}"'


@pytest.fixture
def mia(world) -> Client:
    world.ana.web, world.sam.web, world.probe  # noqa: B018 - the world is made when asked for
    return console(world.mia)


@pytest.fixture
def root(world, mia) -> Client:
    return console(world.root)


# -- levels ------------------------------------------------------------------------------------------------------------


def test_the_tree_begins_where_somebodys_view_begins(world, mia, root):
    page = text(mia.get(TREE))
    assert item(world.courses) in page
    assert item(world.tel141) in page
    assert item(world.sam.folder) not in page
    assert "probe" not in page
    assert item(world.lab) in text(root.get(TREE))
    assert console(world.sam.user).get(TREE).status_code == 302


def test_an_address_unfolds_the_way_to_a_node(world, mia):
    page = text(mia.get(TREE, {"at": world.sam.web.path}))
    assert f'data-at="{world.sam.web.path}"' in page
    assert item(world.sam.web) in page
    assert item(world.ana.web) not in page
    assert 'data-at=""' in text(mia.get(TREE, {"at": world.probe.path}))


def test_a_level_holds_folders_first_and_only_what_one_may_see(world, mia):
    level = text(mia.get(f"{TREE}level/{world.tel141.pk}/"))
    assert level.index(item(world.ana.folder)) < level.index(item(world.sam.folder))
    assert "2 machines" in level
    assert mia.get(f"{TREE}level/{world.lab.pk}/").status_code == 404
    inner = text(mia.get(f"{TREE}level/{world.sam.folder.pk}/", {"level": "4"}))
    assert 'aria-level="4"' in inner
    assert 'data-state="provisioned"' in inner


def test_a_large_level_comes_in_parts_and_says_how_much_is_left(world, mia):
    big = factories.folder(f"{world.courses.path}/big", world.root)
    factories.many_machines(big.path, 450, world.root)
    first = text(mia.get(f"{TREE}level/{big.pk}/"))
    assert first.count("data-name=") == 200
    assert "Show 200 more" in first
    assert "250 not shown" in first
    last = text(mia.get(f"{TREE}level/{big.pk}/", {"first": "400"}))
    assert last.count("data-name=") == 50
    assert "not shown" not in last
    assert 'aria-posinset="450"' in last
    assert text(mia.get(f"{TREE}level/{big.pk}/", {"number": "450"})).count("data-name=") == 450


def test_the_number_of_queries_does_not_grow_with_the_rows(world, mia):
    big = factories.folder(f"{world.courses.path}/big", world.root)
    factories.many_machines(big.path, 300, world.root)
    for index in range(30):
        actions.create_folder(big, f"f-{index}", actor=world.root)
    numbers = []
    for folder in (world.sam.folder, big):
        with CaptureQueriesContext(connection) as captured:
            text(mia.get(f"{TREE}level/{folder.pk}/"))
        numbers.append(len(captured))
    assert numbers[1] <= 10
    assert numbers[1] <= numbers[0] + 2
    with CaptureQueriesContext(connection) as captured:
        text(mia.get(TREE, {"at": world.sam.web.path}))
    assert len(captured) <= 15, "all levels that are unfolded are read together"


def test_the_plain_page_takes_few_queries(world, root, django_assert_max_num_queries):
    with django_assert_max_num_queries(15):
        root.get(TREE)


def test_an_empty_folder_says_so(world, mia):
    empty = factories.folder(f"{world.courses.path}/empty", world.root)
    assert "Nothing here" in text(mia.get(f"{TREE}level/{empty.pk}/"))


# -- filter and counts -------------------------------------------------------------------------------------------------


def test_matches_keep_the_folders_above_them(world, mia):
    found = text(mia.get(f"{TREE}search/", {"q": "WEB"}))
    for node in (world.courses, world.tel141, world.sam.folder, world.sam.web, world.ana.web):
        assert item(node) in found
    assert item(world.sam.db) not in found
    assert "2 match" in found
    assert item(world.ana.web) not in text(mia.get(f"{TREE}search/", {"q": "sam/w"}))
    assert "Nothing matches" in text(mia.get(f"{TREE}search/", {"q": "probe"}))


def test_machines_are_found_by_state(world, mia):
    world.do("create", world.sam.web)
    found = text(mia.get(f"{TREE}search/", {"state": "created"}))
    assert item(world.sam.web) in found
    assert item(world.ana.web) not in found
    assert "Nothing matches" in text(mia.get(f"{TREE}search/", {"state": "drifted"}))


def test_folders_count_what_is_below_by_state(world, mia):
    world.do("create", world.sam.web, world.sam.db)
    world.do("start", world.sam.web)
    counted = selectors.counts_below(world.mia, [world.courses.path, world.sam.folder.path, world.lab.path])
    assert counted[world.courses.path] == {"provisioned": 2, "created": 1, "running": 1}
    assert counted[world.sam.folder.path] == {"created": 1, "running": 1}
    assert world.lab.path not in counted
    told = mia.post(f"{TREE}counts/", {"ids": [world.sam.folder.pk, world.lab.pk]}).json()["counts"]
    assert list(told) == [str(world.sam.folder.pk)]
    assert "running" in told[str(world.sam.folder.pk)]


# -- panel, menu, selection --------------------------------------------------------------------------------------------


def test_the_panel_of_a_machine_says_state_and_verbs(world, mia):
    world.do("create", world.sam.web)
    panel = text(mia.get(f"{TREE}panel/{world.sam.web.pk}/"))
    assert 'data-state="created"' in panel
    assert reverse("do", args=[world.sam.web.pk, "start"]) in panel
    assert reverse("admin:descriptors_node_definition", args=[world.sam.web.pk]) in panel
    assert reverse("admin:descriptors_node_grants", args=[world.sam.web.pk]) in panel
    assert mia.get(f"{TREE}panel/{world.probe.pk}/").status_code == 404


def test_the_panel_of_a_folder_offers_what_its_machines_can_do(world, mia):
    world.do("create", world.sam.web)
    panel = text(mia.get(f"{TREE}panel/{world.sam.folder.pk}/"))
    assert "Start 1 of 2" in panel
    assert "Create 1 of 2" in panel
    assert "Stop" not in panel
    assert "Start 1 of 2" in text(mia.get(f"{TREE}panel/{world.sam.folder.pk}/", {"part": "counts"}))


def test_the_menu_holds_what_one_may_do(world, mia):
    menu = text(mia.get(f"{TREE}menu/{world.sam.web.pk}/"))
    assert reverse("do", args=[world.sam.web.pk, "create"]) in menu
    assert reverse("do", args=[world.sam.web.pk, "start"]) not in menu
    assert 'data-tree-act="remove"' in menu
    actions.edit(world.tel141, {"rights": {"manager": {"delete": False, "move": False}}}, actor=world.root)
    menu = text(mia.get(f"{TREE}menu/{world.sam.folder.pk}/"))
    assert 'data-tree-act="remove"' not in menu
    assert 'data-tree-act="cut"' not in menu
    assert 'data-tree-act="take"' in menu


def test_a_selection_says_how_many_of_it_can_do_what(world, mia):
    world.do("create", world.sam.web, world.sam.db)
    world.do("start", world.sam.web)
    actions.request("start", world.sam.db, actor=world.root)
    bar = text(mia.post(f"{TREE}offers/", {"ids": [world.sam.folder.pk, world.ana.web.pk, world.sam.web.pk]}))
    for said in ("3 selected", "3 machines", "1 running", "1 busy", "Create 1 of 3", "Stop 1 of 3"):
        assert said in bar, said
    assert "Destroy" not in bar
    assert bar.count('name="ids"') == 3


def test_verbs_count_only_where_they_are_allowed(world, mia):
    actions.edit(world.ana.folder, {"rights": {"manager": {"create": False}}}, actor=world.root)
    states, busy, able = selectors.readiness(world.mia, [world.courses])
    assert sum(states.values()) == 4
    assert busy == 0
    assert able["create"] == 2
    assert able["start"] == 0


def test_a_selection_that_is_gone_or_hidden_is_told(world, mia):
    answer = mia.post(f"{TREE}offers/", {"ids": [world.probe.pk, 999999]})
    assert answer.status_code == 404
    assert "any more" in answer.json()["message"]
    assert mia.post(f"{TREE}offers/", {"ids": list(range(1, 1100))}).status_code == 400


def test_readiness_of_many_takes_few_queries(world, root, django_assert_max_num_queries):
    big = factories.folder(f"{world.courses.path}/big", world.root)
    machines = factories.many_machines(big.path, 500, world.root)
    with django_assert_max_num_queries(8):
        bar = text(root.post(f"{TREE}offers/", {"ids": [node.pk for node in machines]}))
    assert "Create 500" in bar


def test_what_failed_is_told_by_reason_and_asked_again(world, mia):
    parent = actions.request("create", world.sam.folder, actor=world.mia)
    for child in parent.children.all():
        factories.failed(child, "No room.")
    Operation.objects.filter(pk=parent.pk).update(status="failed", failed=2)
    told = text(mia.get(f"{TREE}outcome/{parent.pk}/"))
    assert "No room." in told
    assert "Retry the 2 that failed" in told
    world.do("recover", world.sam.web, world.sam.db)
    again = mia.post(f"{TREE}retry/{parent.pk}/")
    assert again.status_code == 202
    assert "data-line" in again.json()["line"]
    assert console(world.root).get(f"{TREE}outcome/{parent.pk}/").status_code == 200


# -- dialogs -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def arc(world, mia):
    """/courses/ARC, where machines are larger."""
    return factories.folder(f"{world.courses.path}/ARC", world.root, {"cpus": 4})


def test_a_move_says_what_it_will_change_and_then_does_it(world, mia, arc):
    world.do("create", world.sam.web)
    actions.grant(arc, "user", user=factories.user("ines"), actor=world.root)
    asked = {"ids": [world.sam.folder.pk], "how": "move", "to": str(arc.pk)}
    plan = text(mia.get(f"{TREE}place/", asked))
    for said in ("/courses/ARC/sam", "at the next start", "cpus", "ines", "<b>2</b> machines"):
        assert said in plan, said
    assert Node.objects.get(pk=world.sam.folder.pk).path == "/courses/TEL141/sam"
    done = mia.post(f"{TREE}place/", asked).json()
    assert done == {"parents": [arc.pk, world.tel141.pk], "show": world.sam.folder.pk}
    assert Node.objects.get(pk=world.sam.web.pk).path == "/courses/ARC/sam/web"


def test_many_are_moved_together_or_not_at_all(world, mia, arc):
    factories.folder(f"{arc.path}/sam", world.root)
    asked = {"ids": [world.ana.folder.pk, world.sam.folder.pk], "how": "move", "to": arc.path}
    assert "name already" in text(mia.get(f"{TREE}place/", asked))
    answer = mia.post(f"{TREE}place/", asked)
    assert answer.status_code == 409
    assert "name already" in answer.json()["message"]
    assert Node.objects.get(pk=world.ana.folder.pk).path == "/courses/TEL141/ana"


def test_a_copy_is_planned_under_its_new_name(world, mia, arc):
    asked = {"ids": [world.sam.folder.pk], "how": "copy", "to": arc.path, "name": "copy"}
    plan = text(mia.get(f"{TREE}place/", asked))
    assert "/courses/ARC/copy" in plan
    assert "Who has access to the original and not to the copy" in plan
    made = Node.objects.get(pk=mia.post(f"{TREE}place/", asked).json()["show"])
    assert made.path == "/courses/ARC/copy"
    assert Node.objects.filter(path="/courses/TEL141/sam").exists()


@pytest.mark.parametrize(
    ("place", "said"), [("", "Name a folder"), ("/lab", "may not see"), ("/nowhere", "no such path")]
)
def test_a_dialog_says_why_it_cannot_be_there(world, mia, place, said):
    plan = text(mia.get(f"{TREE}place/", {"ids": [world.sam.web.pk], "how": "move", "to": place}))
    assert said in plan
    assert "data-go disabled" in plan


def test_new_nodes_and_names(world, mia):
    assert "New folder in /courses/TEL141" in text(mia.get(f"{TREE}new/{world.tel141.pk}/folder/"))
    made = mia.post(f"{TREE}new/{world.tel141.pk}/folder/", {"name": "new"}).json()
    assert made["parents"] == [world.tel141.pk]
    mia.post(f"{TREE}new/{made['show']}/machine/", {"name": "vm"})
    assert Node.objects.get(path="/courses/TEL141/new/vm").kind == "descriptor"
    mia.post(f"{TREE}rename/{made['show']}/", {"name": "other"})
    assert Node.objects.filter(path="/courses/TEL141/other/vm").exists()
    refused = mia.post(f"{TREE}new/{world.tel141.pk}/folder/", {"name": "common"})
    assert refused.status_code == 400
    assert "reserved" in refused.json()["message"]


def test_deletion_needs_the_number(world, mia):
    asked = {"ids": [world.sam.folder.pk, world.sam.web.pk, world.ana.db.pk]}
    assert "Type 4 to go on" in text(mia.get(f"{TREE}remove/", asked))
    assert mia.post(f"{TREE}remove/", asked | {"number": "3"}).status_code == 400
    assert Node.objects.filter(pk=world.sam.folder.pk).exists()
    done = mia.post(f"{TREE}remove/", asked | {"number": "4"}).json()
    assert done["parents"] == sorted([world.tel141.pk, world.ana.folder.pk])
    assert not Node.objects.filter(path__startswith=world.sam.folder.path).exists()


def test_machines_that_stand_are_not_deleted(world, mia):
    world.do("create", world.sam.web)
    answer = mia.post(f"{TREE}remove/", {"ids": [world.ana.folder.pk, world.sam.folder.pk], "number": "6"})
    assert answer.status_code == 409
    assert Node.objects.filter(pk=world.ana.folder.pk).exists()
