"""The bell: what goes on, what ended since the last look, failed first; looking makes it seen."""

from __future__ import annotations

import pytest
from django.utils import timezone

from descriptors import actions
from descriptors.models import Operation
from tests import factories
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db


def figures(client: object) -> dict[str, object]:
    """What our script is told."""
    return client.get("/-/open", headers={"Accept": "application/json"}).json()  # type: ignore[attr-defined]


def test_what_goes_on_and_what_ended_is_counted_and_said(world: World, browser: Browser) -> None:
    world.sam.folder  # noqa: B018 - made
    actions.request("create", world.sam.folder, actor=world.mia)
    client = browser(world.mia)
    assert figures(client) == {"open": 1, "new": 0, "failed": 0, "shown": 1, "said": ""}
    world.perform()
    told = figures(client)
    assert (told["open"], told["new"], told["said"]) == (0, 1, "Create: 2 machines done")


def test_failures_come_first_with_their_reason_and_a_retry(world: World, browser: Browser) -> None:
    client, web, db = browser(world.sam.user), world.sam.web, world.sam.db
    failed = actions.request("create", web, actor=world.sam.user)
    factories.failed(failed, "No room on worker-2.")
    Operation.objects.filter(pk=failed.pk).update(finished_at=timezone.now())
    actions.request("create", db, actor=world.sam.user)
    world.perform()
    page = client.get("/-/notifications").content.decode()
    assert page.index("No room on worker-2.") < page.index(db.path)
    assert f"/operations/{failed.pk}/retry" in page
    assert figures(client)["failed"] == 1
    assert "1 failed" in str(figures(client)["said"])


def test_looking_makes_it_seen_for_this_person_only(world: World, browser: Browser) -> None:
    actions.request("create", world.sam.web, actor=world.sam.user)
    world.perform()
    client = browser(world.sam.user)
    assert figures(client)["new"] == 1
    assert client.get("/-/notifications/seen").status_code == 405
    assert client.post("/-/notifications/seen").status_code == 204
    assert figures(client)["new"] == 0
    assert "Nothing new." in client.get("/-/notifications").content.decode()


def test_what_others_did_is_no_news(world: World, browser: Browser) -> None:
    actions.request("create", world.sam.web, actor=world.root)
    world.perform()
    assert figures(browser(world.sam.user))["new"] == 0
    assert Operation.objects.count() == 1


def test_the_bell_is_on_every_page(world: World, browser: Browser) -> None:
    actions.request("create", world.sam.web, actor=world.sam.user)
    page = browser(world.sam.user).get("/").content.decode()
    assert 'class="bell-count">1</span>' in page
    assert 'data-notifications="/-/notifications"' in page
