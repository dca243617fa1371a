"""A folder's page: views, filters that are kept, groups that fold, a selection counted by the server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from descriptors import actions, tree
from descriptors.models import Kind, Operation
from descriptors.web.filters import MOST_KEPT, Filters
from tests import factories
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db
FETCH = {"headers": {"X-Requested-With": "fetch", "Accept": "application/json"}}
TYPED = {"headers": {"HX-Request": "true", "HX-Target": "results"}}
MOST_QUERIES = 15


def nodes_in(page: str) -> list[int]:
    """The ids of the rows, cards or marks of a page, in order."""
    return [int(pk) for pk in re.findall(r'data-node="(\d+)"', page)]


def choose(client: Client, name: str, value: Any) -> int:
    """Remember a choice as our script does."""
    return client.post("/-/preferences", {"name": name, "value": value}, **FETCH).status_code


@pytest.fixture
def course(world: World) -> str:
    """The address of a course with two students and their four machines."""
    world.sam, world.ana  # noqa: B018 - made
    return f"/tree{world.tel141.path}"


# -- views -------------------------------------------------------------------------------------------------------------


def test_the_view_chosen_last_is_remembered_and_the_address_wins(world: World, browser: Browser, course: str) -> None:
    client = browser(world.mia)
    assert choose(client, "view", "grid") == 204
    assert 'data-shape="grid"' in client.get(course).content.decode()
    assert 'data-shape="cards"' in client.get(f"{course}?view=cards").content.decode()
    assert choose(client, "view", "mosaic") == 400
    assert 'data-shape="grid"' in client.get(course).content.decode()


def test_cards_of_everything_below(world: World, browser: Browser, course: str) -> None:
    page = browser(world.mia).get(f"{course}?view=cards&q=web").content.decode()
    assert nodes_in(page) == [world.ana.web.pk, world.sam.web.pk]
    assert page.count('class="card machine-card"') == 2


def test_the_class_shows_exceptions_first(world: World, browser: Browser, course: str) -> None:
    factories.failed(actions.request("create", world.sam.db, actor=world.root))
    page = browser(world.mia).get(f"{course}?view=grid").content.decode()
    assert page.index(">sam<") < page.index(">ana<", page.index("tiles"))
    assert "1 of 2 needs a look" in page
    assert f'data-node="{world.sam.db.pk}" data-state="failed" data-name="db" title="db: Failed"' in page


def test_a_folder_without_folders_has_no_class(world: World, browser: Browser) -> None:
    page = browser(world.mia).get(f"/tree{world.sam.folder.path}?view=grid").content.decode()
    assert 'data-shape="cards"' in page


def test_a_machine_whose_hypervisor_is_silent_is_an_exception(world: World, browser: Browser, course: str) -> None:
    world.do("create", world.sam.web)
    world.hypervisor.health = "unreachable"
    world.hypervisor.save(update_fields=["health"])
    page = browser(world.mia).get(f"{course}?view=grid").content.decode()
    assert "web: Unknown" in page
    assert "1 of 2 needs a look" in page


@pytest.mark.parametrize("view", ["table", "cards", "grid", "table&below=1"])
def test_no_query_per_row_group_or_tile(world: World, browser: Browser, view: str) -> None:
    folder = factories.folder(f"{world.courses.path}/many", world.root)
    client, counted = browser(world.mia), []
    for students in (2, 12):
        made = tree.insert(
            [(folder, [tree.Draft(f"s{students}-{index:02}", Kind.FOLDER) for index in range(students)])]
        )
        for student in made:
            tree.insert([(student, [tree.Draft(f"vm-{index}", Kind.DESCRIPTOR) for index in range(3)])])
        client.get("/")
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/tree{folder.path}?view={view}").status_code == 200
        counted.append(len(queries))
    assert counted[0] == counted[1] <= MOST_QUERIES


# -- groups ------------------------------------------------------------------------------------------------------------


def test_everything_below_is_grouped_and_folding_is_remembered(world: World, browser: Browser, course: str) -> None:
    client = browser(world.mia)
    address = f"{course}?below=1"
    assert len(nodes_in(client.get(address).content.decode())) == 4
    assert choose(client, "groups-shut", f"{world.sam.folder.pk},{world.ana.folder.pk}") == 204
    assert nodes_in(client.get(address).content.decode()) == []
    assert choose(client, "groups-open", world.ana.folder.pk) == 204
    assert set(nodes_in(client.get(address).content.decode())) == {world.ana.web.pk, world.ana.db.pk}
    assert choose(client, "groups-open", "sam") == 400


def test_a_group_that_is_opened_keeps_the_filter(world: World, browser: Browser, course: str) -> None:
    address = f"/-/nodes/{world.tel141.pk}/group/{world.sam.folder.pk}"
    assert nodes_in(browser(world.mia).get(f"{address}?q=we").content.decode()) == [world.sam.web.pk]
    assert browser(world.mia).get(f"/-/nodes/{world.tel141.pk}/group/{world.courses.pk}").status_code == 404
    assert browser(world.ana.user).get(address).status_code == 404


def test_groups_have_only_verbs_that_apply(world: World, browser: Browser, course: str) -> None:
    page = browser(world.mia).get(f"{course}?below=1").content.decode()
    assert f"/-/nodes/{world.sam.folder.pk}/ask/create?all=1" in page
    assert f"/-/nodes/{world.sam.folder.pk}/ask/start?" not in page


def test_counts_of_groups_are_told_again(world: World, browser: Browser, course: str) -> None:
    world.do("create", world.sam.web)
    ids = f"{world.sam.folder.pk},{world.probe.pk},junk"
    told = browser(world.mia).get(f"/-/nodes/{world.tel141.pk}/tallies", {"ids": ids}, **FETCH).json()
    assert list(told) == [str(world.sam.folder.pk)]
    assert "Created" in told[str(world.sam.folder.pk)]


# -- filters -----------------------------------------------------------------------------------------------------------


def test_a_filter_survives_its_address() -> None:
    text = "q=web&state=running&state=failed&hypervisor=mock-1&label=course%3DTEL141&drift=1&mine=1&below=1&sort=-age"
    assert Filters.read(QueryDict(Filters.read(QueryDict(text)).query)) == Filters.read(QueryDict(text))
    assert Filters.read(QueryDict("state=flying&q=+&page=3")).query == ""


def test_typing_answers_with_rows_only_and_a_clean_address(world: World, browser: Browser, course: str) -> None:
    answer = browser(world.mia).get(f"{course}?q=web&state=&label=&sort=&hypervisor=", **TYPED)
    page = answer.content.decode()
    assert answer["HX-Replace-Url"] == f"{course}?q=web"
    assert "<html" not in page
    assert nodes_in(page) == [world.ana.web.pk, world.sam.web.pk]


def test_several_states_at_once(world: World, browser: Browser, course: str) -> None:
    world.do("create", world.sam.web, world.sam.db)
    world.do("start", world.sam.db)
    page = browser(world.mia).get(f"{course}?state=created&state=running").content.decode()
    assert nodes_in(page) == [world.sam.db.pk, world.sam.web.pk]


def test_flags_narrow(world: World, browser: Browser, course: str) -> None:
    world.do("create", world.sam.web, world.sam.db, world.ana.web)
    actions.edit(world.sam.folder, {"student": "sam", "memory_mib": 4096}, actor=world.root)
    world.ana.web.drifted = True
    world.ana.web.save(update_fields=["drifted"])
    actions.request("start", world.ana.web, actor=world.root)
    found = {
        flag: set(nodes_in(browser(world.mia).get(f"{course}?{flag}=1").content.decode()))
        for flag in ("pending", "drift", "busy", "mine")
    }
    assert found["pending"] == {world.sam.web.pk, world.sam.db.pk}
    assert found["drift"] == found["busy"] == {world.ana.web.pk}
    assert found["mine"] == {world.sam.web.pk, world.sam.db.pk, world.ana.web.pk, world.ana.db.pk}


def test_given_to_me_is_not_what_a_superuser_merely_sees(world: World, browser: Browser, course: str) -> None:
    assert nodes_in(browser(world.root).get(f"{course}?mine=1").content.decode()) == []


def test_filters_are_kept_with_the_account(world: World, browser: Browser, course: str) -> None:
    client = browser(world.mia)
    kept = client.post("/-/filters", {"name": " off  now ", "query": "state=stopped&page=4"}, **FETCH)
    assert 'href="?state=stopped"' in kept.content.decode()
    page = browser(world.mia).get(f"/tree{world.courses.path}?state=stopped").content.decode()
    assert re.search(r'kept-chip active"><a href="\?state=stopped" aria-current="true">.*off now</a>', page)
    client.post("/-/filters/forget", {"name": "off now"}, **FETCH)
    assert User.objects.get(pk=world.mia.pk).preferences["filters"] == []


def test_kept_filters_are_bounded_and_need_a_name(world: World, browser: Browser) -> None:
    client = browser(world.mia)
    for index in range(MOST_KEPT):
        assert client.post("/-/filters", {"name": f"n{index}", "query": "q=a"}, **FETCH).status_code == 200
    for name, query in [("one more", "q=a"), ("", "q=a"), ("n1", ""), ("x" * 41, "q=a")]:
        assert client.post("/-/filters", {"name": name, "query": query}, **FETCH).status_code == 400, name
    assert len(User.objects.get(pk=world.mia.pk).preferences["filters"]) == MOST_KEPT
    assert client.post("/-/filters", {"name": "n1", "query": "q=b"}, **FETCH).status_code == 200


def test_hidden_columns_are_remembered(world: World, browser: Browser, course: str) -> None:
    client = browser(world.mia)
    assert choose(client, "columns", "age,address") == 204
    assert "hide-address hide-age" in client.get(course).content.decode()
    assert choose(client, "columns", "name") == 400
    assert choose(client, "shoes", "red") == 400


# -- selection ---------------------------------------------------------------------------------------------------------


def counted(client: Client, node: Any, **data: Any) -> tuple[int, dict[str, dict[str, Any]]]:
    """What the selection bar is told."""
    told = client.get(f"/-/nodes/{node.pk}/selection", data, **FETCH).json()
    return told["total"], {verb["verb"]: verb for verb in told["verbs"]}


def test_the_bar_says_how_many_a_verb_takes_and_why_not_the_others(world: World, browser: Browser, course: str) -> None:
    world.do("create", world.sam.web, world.sam.db, world.ana.web)
    world.do("start", world.sam.db)
    actions.request("start", world.ana.web, actor=world.root)
    ids = [world.sam.web.pk, world.sam.db.pk, world.ana.folder.pk]
    total, verbs = counted(browser(world.mia), world.tel141, ids=ids)
    assert total == 4
    assert verbs["start"]["label"] == "Start 1 of 4"
    assert sorted(verbs["start"]["why"].removeprefix("Left out: ").split(", ")) == [
        "1 in progress",
        "1 provisioned",
        "1 running",
    ]
    assert "resume" not in verbs


def test_a_verb_that_all_can_do_is_just_named(world: World, browser: Browser, course: str) -> None:
    total, verbs = counted(browser(world.mia), world.tel141, ids=[world.sam.web.pk, world.ana.web.pk])
    assert (total, verbs["create"]["label"], verbs["create"]["why"]) == (2, "Create", "")


def test_a_selection_counts_only_what_one_may_do(world: World, browser: Browser, course: str) -> None:
    total, verbs = counted(browser(world.sam.user), world.sam.folder, ids=[world.sam.web.pk, world.ana.web.pk])
    assert (total, verbs["create"]["able"]) == (1, 1)
    actions.edit(world.sam.web, {"rights": {"user": {"create": False}}}, actor=world.root)
    ids = [world.sam.web.pk, world.sam.db.pk]
    total, verbs = counted(browser(world.sam.user), world.sam.folder, ids=ids)
    assert (total, verbs["create"]["label"]) == (2, "Create 1 of 2")


def test_all_that_match_are_asked_for_by_the_filter(world: World, browser: Browser, course: str) -> None:
    client, choice = browser(world.mia), {"all": "1", "filter": "q=web"}
    total, _verbs = counted(client, world.tel141, **choice)
    question = client.get(f"/-/nodes/{world.tel141.pk}/ask/create", choice).content.decode()
    assert total == 2
    assert "Create: 2 machines" in question
    assert 'name="filter" value="q=web"' in question
    assert client.post(f"/-/nodes/{world.tel141.pk}/do/create", choice, **FETCH).status_code == 202
    parent = Operation.objects.get(parent=None)
    assert set(parent.children.values_list("node_id", flat=True)) == {world.sam.web.pk, world.ana.web.pk}


def test_what_is_lost_by_a_filter_needs_the_number_too(world: World, browser: Browser, course: str) -> None:
    world.do("create", world.sam.web, world.ana.web, world.sam.db)
    client, choice = browser(world.mia), {"all": "1", "filter": "q=web"}
    refused = client.post(f"/-/nodes/{world.tel141.pk}/do/destroy", choice | {"number": "3"}, **FETCH)
    assert (refused.status_code, Operation.objects.filter(verb="destroy").count()) == (400, 0)
    accepted = client.post(f"/-/nodes/{world.tel141.pk}/do/destroy", choice | {"number": "2"}, **FETCH)
    assert accepted.status_code == 202


def test_an_unfiltered_all_is_the_whole_folder(world: World, browser: Browser, course: str) -> None:
    total, _verbs = counted(browser(world.mia), world.tel141, all="1", filter="")
    assert total == 4


# -- the way there -----------------------------------------------------------------------------------------------------


def test_hidden_parts_of_the_path_are_one_ellipsis(world: World, browser: Browser) -> None:
    page = browser(world.sam.user).get(f"/tree{world.sam.web.path}").content.decode()
    crumbs = page[page.index('class="crumbs"') : page.index("</nav>", page.index('class="crumbs"'))]
    assert crumbs.count("…</span>") - crumbs.count("One moment…") == 1
    assert ">TEL141<" not in crumbs


def test_siblings_are_those_one_may_see(world: World, browser: Browser, course: str) -> None:
    shown = browser(world.mia).get("/-/siblings", {"of": world.sam.folder.path}).content.decode()
    assert world.ana.folder.path in shown
    mine = browser(world.sam.user).get("/-/siblings", {"of": world.sam.folder.path}).content.decode()
    assert world.ana.folder.path not in mine
    beside = browser(world.sam.user).get("/-/siblings", {"of": world.sam.web.path}).content.decode()
    assert world.sam.db.path in beside
    assert browser(world.sam.user).get("/-/siblings", {"of": world.ana.web.path}).status_code == 404


def test_folders_left_open_in_the_tree_are_open_on_the_next_page(world: World, browser: Browser, course: str) -> None:
    client = browser(world.mia)
    assert f'href="{course}/sam"' not in client.get("/operations/").content.decode()
    choose(client, "tree-open", world.courses.pk)
    choose(client, "tree-open", world.tel141.pk)
    assert f'href="{course}/sam"' in client.get("/operations/").content.decode()
    choose(client, "tree-shut", world.tel141.pk)
    assert f'href="{course}/sam"' not in client.get("/operations/").content.decode()


def test_the_tree_marks_folders_with_failed_machines(world: World, browser: Browser, course: str) -> None:
    assert "tree-failed" not in browser(world.mia).get(course).content.decode()
    factories.failed(actions.request("create", world.sam.db, actor=world.root))
    page = browser(world.mia).get(course).content.decode()
    assert page.count('class="tree-failed" title="1 failed machine below"') == 3
