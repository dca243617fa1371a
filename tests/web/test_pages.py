"""Pages answer, in both languages, for everybody who may see them; what one may not see is not there."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from descriptors import actions
from tests import factories
from tests.web.conftest import Browser
from tests.world import World

MOST_QUERIES = 15
pytestmark = pytest.mark.django_db


def pages_of(world: World) -> list[str]:
    """Every page that a superuser can open."""
    web, folder = world.sam.web, world.sam.folder
    folder.refresh_from_db()  # it was read before its machines were put below it
    operation = actions.request("create", folder, actor=world.root)
    tabs = [f"/tree{node.path}?tab={tab}" for node in (web, folder) for tab in ("", "definition", "access", "history")]
    forms = [
        f"/-/nodes/{node.pk}/{form}" for node in (web, folder) for form in ("edit", "move", "rename", "copy", "delete")
    ]
    return [
        "/",
        "/tree/",
        "/search/?q=web",
        "/operations/",
        f"/operations/{operation.pk}",
        "/apply/",
        f"/tree{folder.path}?q=we&state=provisioned&sort=-name&below=1",
        f"/-/nodes/{web.pk}/row",
        f"/-/nodes/{web.pk}/panel",
        f"/-/nodes/{folder.pk}/counts",
        f"/-/nodes/{folder.pk}/ask/start",
        f"/-/nodes/{web.pk}/ask/destroy",
        f"/-/nodes/{folder.pk}/new-folder",
        f"/-/nodes/{folder.pk}/new-machine",
        f"/-/nodes/{folder.pk}/export",
        f"/-/tree/{world.courses.pk}",
        *tabs,
        *forms,
    ]


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_page_answers_with_few_queries(world: World, browser: Browser, language: str) -> None:
    pages = pages_of(world)
    client = browser(world.root, language)
    for address in pages:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        assert answer.status_code == 200, address
        assert len(queries) <= MOST_QUERIES, (address, len(queries), [q["sql"][:150] for q in queries])


def test_no_page_has_inline_script_or_style(world: World, browser: Browser) -> None:
    client = browser(world.root)
    for address in pages_of(world):
        text = client.get(address).content.decode()
        assert " style=" not in text, address
        assert "<style" not in text, address
        assert " onclick=" not in text, address
        assert "<script>" not in text, address


def test_pages_carry_a_strict_policy(world: World, browser: Browser) -> None:
    policy = browser(world.root).get("/")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy


@pytest.mark.parametrize("address", ["/", "/tree/", "/operations/", "/apply/", "/search/?q=a", "/-/nodes/1/panel"])
def test_signed_out_people_are_asked_to_sign_in(db: Any, client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 302
    assert "/accounts/login/" in answer["Location"]


def test_a_student_sees_his_machines_and_nothing_else(world: World, browser: Browser) -> None:
    ana, sam = world.ana, world.sam
    client = browser(sam.user)
    home = client.get("/").content.decode()
    assert sam.web.path in home
    assert ana.web.path not in home
    assert client.get(f"/tree{sam.web.path}").status_code == 200
    for hidden in (ana.web, ana.folder, world.tel141, world.probe):
        assert client.get(f"/tree{hidden.path}").status_code == 404, hidden.path
        assert client.get(f"/-/nodes/{hidden.pk}/panel").status_code == 404
        assert client.post(f"/-/nodes/{hidden.pk}/do/start").status_code == 404
    assert ana.web.path not in client.get("/search/?q=web").content.decode()


def test_the_root_leads_home_who_may_not_see_it(world: World, browser: Browser) -> None:
    answer = browser(world.sam.user).get("/tree/")
    assert answer.status_code == 302
    assert answer["Location"] == "/"


def test_a_student_is_offered_verbs_but_no_changes(world: World, browser: Browser) -> None:
    page = browser(world.sam.user).get(f"/tree{world.sam.web.path}").content.decode()
    assert 'data-verb="start"' in page
    assert f"/-/nodes/{world.sam.web.pk}/edit" not in page
    assert browser(world.sam.user).get(f"/-/nodes/{world.sam.web.pk}/edit").status_code == 403


def test_common_is_the_definition_of_the_folder(world: World, browser: Browser) -> None:
    answer = browser(world.root).get(f"/tree{world.courses.path}/common")
    assert answer["Location"] == f"/tree{world.courses.path}?tab=definition"


def test_a_whole_path_in_the_search_opens_its_page(world: World, browser: Browser) -> None:
    answer = browser(world.root).get("/search/", {"q": world.sam.web.path})
    assert answer["Location"] == f"/tree{world.sam.web.path}"


def test_values_carry_the_folder_that_set_them(world: World, browser: Browser) -> None:
    page = browser(world.mia).get(f"/tree{world.sam.web.path}?tab=definition").content.decode()
    assert f'href="/tree{world.courses.path}?tab=definition#at-image">{world.courses.path}</a>' in page


def test_unknown_pages_say_so_in_the_readers_language(world: World, browser: Browser) -> None:
    answer = browser(world.sam.user).get("/tree/no/such/place")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_a_form_without_its_token_is_explained(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/accounts/login/", {"username": "x", "password": "y"})
    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()


def test_an_unreachable_hypervisor_is_never_shown_as_off(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web)
    world.hypervisor.health = "unreachable"
    world.hypervisor.save(update_fields=["health"])
    page = browser(world.sam.user).get(f"/tree{world.sam.web.path}").content.decode()
    assert 'class="state state-unknown' in page
    assert "Last known state: Created" in page


def test_a_failure_says_its_reason_and_the_next_step(world: World, browser: Browser) -> None:
    operation = actions.request("create", world.sam.web, actor=world.root)
    factories.failed(operation, "No room on worker-2.")
    page = browser(world.sam.user).get(f"/tree{world.sam.web.path}").content.decode()
    assert "No room on worker-2." in page
    assert "Press “Recover”" in page
    assert "No room on worker-2." in browser(world.sam.user).get("/").content.decode()


def test_drift_and_pending_changes_are_shown_field_by_field(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web)
    actions.edit(world.tel141, {"memory_mib": 3072}, actor=world.root)
    page = browser(world.sam.user).get(f"/tree{world.sam.web.path}").content.decode()
    assert "Pending changes" in page
    assert "<ins>3072</ins>" in page


def test_rows_are_fetched_together_and_hidden_ones_left_out(world: World, browser: Browser) -> None:
    ids = f"{world.sam.web.pk},{world.ana.web.pk},junk"
    answer = browser(world.sam.user).get("/-/rows", {"ids": ids}).content.decode()
    assert f'data-node="{world.sam.web.pk}"' in answer
    assert f'data-node="{world.ana.web.pk}"' not in answer
