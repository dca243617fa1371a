"""Home: what is not ready for who runs classes, one card a machine for who uses them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from descriptors import actions, selectors
from tests import factories
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db
MOST_QUERIES = 15


def test_a_student_has_a_card_with_state_button_and_the_way_in(world: World, browser: Browser) -> None:
    web = world.sam.web
    definition = {**web.definition, "nics": [{"network": "lan", "ip": "10.0.0.7"}], "custom": {"ssh_user": "debian"}}
    actions.edit(web, definition, actor=world.root)
    world.do("create", web)
    page = browser(world.sam.user).get("/").content.decode()
    assert "My machines" in page
    assert 'data-copy="10.0.0.7"' in page
    assert 'data-copy="ssh debian@10.0.0.7"' in page
    assert f'formaction="/-/nodes/{web.pk}/do/start"' in page


def test_a_manager_sees_classes_with_counts_and_what_needs_attention(world: World, browser: Browser) -> None:
    world.ana  # noqa: B018 - made
    operation = actions.request("create", world.sam.web, actor=world.root)
    factories.failed(operation, "No room on worker-2.")
    page = browser(world.mia).get("/").content.decode()
    assert "Who is not ready?" in page
    assert "No room on worker-2." in page
    assert 'href="/tree/courses/TEL141?state=failed"' in page
    assert "of 4 running" in page


def test_places_are_classes_not_the_folders_of_students(world: World) -> None:
    world.sam, world.ana, world.probe  # noqa: B018 - made
    assert [place.path for place in selectors.places(world.root)] == ["/courses/TEL141", "/lab"]
    assert [place.path for place in selectors.places(world.mia)] == ["/courses/TEL141"]
    assert [place.path for place in selectors.places(world.sam.user)] == ["/courses/TEL141/sam"]
    assert selectors.places(world.stranger) == []


def test_a_place_counts_what_this_person_may_see(world: World) -> None:
    world.sam, world.ana  # noqa: B018 - made
    world.do("create", world.sam.web)
    tally = selectors.tallies_below(world.mia, ["/courses/TEL141"])["/courses/TEL141"]
    assert (tally.total, tally.states["created"], tally.states["provisioned"]) == (4, 1, 3)


def test_home_asks_few_questions_whoever_asks(world: World, browser: Browser) -> None:
    world.ana  # noqa: B018 - made
    factories.failed(actions.request("create", world.sam.web, actor=world.root), "No room.")
    for person in (world.root, world.mia, world.sam.user):
        client = browser(person)
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/").status_code == 200
        assert len(queries) <= MOST_QUERIES, (person, len(queries))


def test_empty_homes_say_what_to_expect(world: World, browser: Browser) -> None:
    page = browser(world.stranger).get("/").content.decode()
    assert "No machine has been given to you yet" in page
    assert "you sign in as “stranger”" in page
    assert "No machine yet" in browser(factories.user("boss", kind="manager")).get("/").content.decode()


def test_the_figures_of_places_come_as_a_fragment(world: World, browser: Browser) -> None:
    world.sam  # noqa: B018 - made
    page = browser(world.mia).get("/-/places").content.decode()
    assert page.lstrip().startswith("<article")
    assert "/courses/TEL141" in page
