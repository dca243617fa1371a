"""Finding nodes: words in any order, parts of a path, suggestions as one types; nothing that one may not see."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from descriptors.templatetags.portal import marked
from descriptors.web.searching import SUGGESTIONS, Query, matching
from tests import factories
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db
FETCH = {"headers": {"X-Requested-With": "fetch"}}


def found(world: World, text: str, **more: str) -> list[str]:
    """The paths that a manager finds, in order."""
    query = QueryDict(mutable=True)
    query.update({"q": text, **more})
    return [node.path for node in matching(world.mia, Query.read(query))]


@pytest.mark.parametrize(
    "text", ["sam web", "web sam", "WEB Sam", "  web   TEL141 sam ", "tel/sam/we", "TEL141/sam/web"]
)
def test_words_in_any_order_and_parts_of_a_path(world: World, text: str) -> None:
    world.sam, world.ana  # noqa: B018 - made
    assert found(world, text) == [world.sam.web.path]


def test_one_word_must_be_in_the_name(world: World) -> None:
    world.sam, world.ana  # noqa: B018 - made
    assert found(world, "tel141") == [world.tel141.path]
    assert found(world, "/TEL141/")[:2] == [f"{world.tel141.path}/ana", f"{world.tel141.path}/sam"]
    assert len(found(world, "/TEL141/")) == 6


def test_the_likeliest_comes_first(world: World) -> None:
    for name in ("a-web", "web-2", "web"):
        factories.machine(f"{world.courses.path}/{name}", world.root)
    assert [path.rpartition("/")[2] for path in found(world, "web")] == ["web", "web-2", "a-web"]


def test_letters_beyond_ascii_are_found_in_either_case(world: World) -> None:
    factories.machine(f"{world.courses.path}/Ñandú", world.root)
    factories.machine(f"{world.courses.path}/nandu", world.root)
    for text in ("ñandú", "ÑANDÚ"):  # which is the likelier depends on how far the database lowers letters
        assert sorted(found(world, text)) == ["/courses/nandu", "/courses/Ñandú"]


def test_kind_and_state_narrow(world: World) -> None:
    world.do("create", world.sam.web)
    world.ana  # noqa: B018 - made
    assert found(world, "sam", kind="folder") == [world.sam.folder.path]
    assert found(world, "web", state="created") == [world.sam.web.path]
    assert found(world, "web", kind="nothing", state="flying") == [world.ana.web.path, world.sam.web.path]


def test_no_text_finds_nothing_and_patterns_are_plain_text(world: World) -> None:
    world.sam  # noqa: B018 - made
    assert found(world, "") == found(world, " / ") == found(world, "%") == found(world, "w_b") == []


def test_the_page_marks_what_was_found_and_offers_filters(world: World, browser: Browser) -> None:
    world.sam  # noqa: B018 - made
    page = browser(world.mia).get("/search/?q=we+sam").content.decode()
    assert "<mark>sam</mark>/<mark>we</mark>b" in page
    assert 'href="?q=we+sam&amp;kind=descriptor"' in page
    assert 'href="?q=we+sam&amp;state=failed"' in page


def test_marking_never_lets_a_tag_through() -> None:
    assert marked("<b>a&b</b>", ["B"]) == "&lt;<mark>b</mark>&gt;a&amp;<mark>b</mark>&lt;/<mark>b</mark>&gt;"
    assert marked("<i>", []) == "&lt;i&gt;"


def test_suggestions_are_options_few_and_lead_to_all(world: World, browser: Browser) -> None:
    folder = factories.folder(f"{world.courses.path}/many", world.root)
    factories.many_machines(folder.path, SUGGESTIONS + 3, world.root)
    client = browser(world.mia)
    client.get("/-/suggest?q=vm", **FETCH)
    with CaptureQueriesContext(connection) as queries:
        page = client.get("/-/suggest?q=vm", **FETCH).content.decode()
    assert page.count('role="option"') == SUGGESTIONS + 1
    assert '<a class="suggestion suggestion-more"' in page
    assert 'href="/search/?q=vm"' in page
    assert len(queries) <= 5


def test_suggestions_hide_what_one_may_not_see(world: World, browser: Browser) -> None:
    page = browser(world.sam.user).get(f"/-/suggest?q={world.ana.web.name}", **FETCH).content.decode()
    assert world.sam.web.path in re.sub("</?mark>", "", page)
    assert world.ana.web.path not in re.sub("</?mark>", "", page)
    assert "Nothing found" in browser(world.sam.user).get("/-/suggest?q=probe", **FETCH).content.decode()
