"""The command palette: places, verbs here or on the selection, pages, choices; only what this person may."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from descriptors import actions
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db
JSON = {"headers": {"Accept": "application/json", "X-Requested-With": "fetch"}}
MOST_QUERIES = 11


class Palette:
    """What the palette offers one person."""

    def __init__(self, browser: Browser, user: User, **asked: Any):
        answer = browser(user).get("/-/palette", asked, **JSON)
        assert answer.status_code == 200
        self.groups = {group["label"]: group["items"] for group in answer.json()["groups"]}

    def labels(self, group: str) -> list[str]:
        """The labels of one group."""
        return [item["label"] for item in self.groups.get(group, [])]


def test_a_place_by_parts_of_its_path(world: World, browser: Browser) -> None:
    world.ana  # noqa: B018 - made
    (place,) = Palette(browser, world.mia, q=f"tel/{world.sam.folder.name}/we").groups["Go to"]
    assert (place["label"], place["detail"], place["go"]) == ("web", world.sam.web.path, f"/tree{world.sam.web.path}")
    assert place["state"] == "Provisioned"


def test_verbs_that_a_machine_can_do_now(world: World, browser: Browser) -> None:
    web = world.sam.web
    offered = Palette(browser, world.sam.user, node=web.pk)
    assert offered.labels("Do") == ["Create web"]
    assert offered.groups["Do"][0]["do"] == f"/-/nodes/{web.pk}/do/create"
    world.do("create", web)
    deeds = Palette(browser, world.sam.user, node=web.pk).groups["Do"]
    asking = {item["label"] for item in deeds if "ask" in item}
    assert "Start web" in {item["label"] for item in deeds if "do" in item}
    assert {"Destroy web", "Take snapshot web"} <= asking


def test_verbs_on_a_folder_and_on_a_selection(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web)
    world.ana  # noqa: B018 - made
    below = Palette(browser, world.mia, node=world.tel141.pk, q="start").groups["Do"]
    assert [(item["label"], item["detail"]) for item in below] == [("Start: everything below…", "1 of 4")]
    ids = [world.sam.web.pk, world.sam.db.pk]
    chosen = Palette(browser, world.mia, node=world.tel141.pk, ids=ids, q="start").groups["Do"][0]
    assert (chosen["label"], chosen["detail"]) == ("Start: the selection…", "1 of 2")
    assert chosen["fields"] == [["ids", str(pk)] for pk in ids]


def test_nothing_that_one_may_not(world: World, browser: Browser) -> None:
    world.ana  # noqa: B018 - made
    hidden = Palette(browser, world.sam.user, node=world.ana.web.pk, q="web", recent=[world.ana.web.path])
    assert "Do" not in hidden.groups
    assert [item["detail"] for item in hidden.groups["Go to"]] == [world.sam.web.path]
    actions.edit(world.sam.web, {"rights": {"user": {"create": False}}}, actor=world.root)
    assert "Do" not in Palette(browser, world.sam.user, node=world.sam.web.pk).groups
    assert "Operator console" not in Palette(browser, world.sam.user).labels("Pages")
    assert "Operator console" in Palette(browser, world.mia).labels("Pages")


def test_recent_places_keep_their_order_and_lose_what_is_gone(world: World, browser: Browser) -> None:
    recent = [world.sam.db.path, "/no/such", world.ana.web.path, world.sam.web.path]
    places = Palette(browser, world.sam.user, recent=recent).groups["Go to"]
    assert [item["detail"] for item in places] == [world.sam.db.path, world.sam.web.path]


def test_pages_and_choices_are_found_by_their_words(world: World, browser: Browser) -> None:
    assert Palette(browser, world.mia, q="oper").labels("Pages") == ["Operations", "Operator console"]
    (dark,) = Palette(browser, world.mia, q="dark").groups["Your choices"]
    assert dark["act"] == "theme"
    (language,) = Palette(browser, world.mia, q="language").groups["Your choices"]
    assert (language["act"], language["value"]) == ("language", "es")


@pytest.mark.parametrize("asked", [{}, {"q": "web"}, {"node": "junk"}, {"node": "99999999"}])
def test_odd_questions_are_answered(world: World, browser: Browser, asked: dict[str, str]) -> None:
    world.sam  # noqa: B018 - made
    assert Palette(browser, world.mia, **asked).groups


def test_few_queries(world: World, browser: Browser) -> None:
    world.ana  # noqa: B018 - made
    client = browser(world.mia)
    asked = {"node": world.tel141.pk, "ids": [world.sam.web.pk, world.sam.folder.pk], "q": "sta"}
    client.get("/-/palette", asked, **JSON)
    with CaptureQueriesContext(connection) as queries:
        client.get("/-/palette", asked, **JSON)
    assert len(queries) <= MOST_QUERIES


def test_the_dialog_of_keys_names_them(world: World, browser: Browser) -> None:
    page = browser(world.sam.user).get("/-/keys").content.decode()
    assert "data-single-keys" in page
    for key in ("/", "K", "?", "j", "x", "Enter"):
        assert f"<kbd>{key}</kbd>" in page
