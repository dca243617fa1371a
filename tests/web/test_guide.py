"""The guided path of the demo: each step is checked off by what was really done, and it can be closed for good."""

from __future__ import annotations

import pytest

from accounts import personal
from descriptors import actions
from descriptors.reconcile import reconcile
from descriptors.web.guide import guide
from olimpus.errors import Conflict
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db


def done(world: World) -> list[bool]:
    """Which of the five steps are done for the manager."""
    return [step.done for step in guide(world.mia)]


def test_the_steps_check_themselves_off(world: World, browser: Browser) -> None:
    client, web = browser(world.mia), world.sam.web
    assert done(world) == [False] * 5
    actions.create_folder(world.courses, "mine", actor=world.mia)
    world.do("create", web)
    actions.request("start", web, actor=world.mia)
    world.perform()
    assert done(world) == [True, True, False, False, False]
    assert client.post(f"/-/guide/break/{web.pk}").status_code == 302
    assert done(world) == [True, True, True, False, False]
    reconcile(world.hypervisor.pk)
    web.refresh_from_db()
    assert web.drifted
    page = client.get(f"/tree{web.path}").content.decode()
    assert "Changed behind Olimpus" in page
    actions.request("force_off", web, actor=world.mia)
    assert done(world) == [True, True, True, True, False]
    actions.grant(world.courses, "user", user=world.stranger, actor=world.mia)
    assert done(world) == [True] * 5
    assert "You have seen it all" in client.get("/").content.decode()


def test_only_what_runs_on_a_mock_is_broken(world: World, browser: Browser) -> None:
    web = world.sam.web
    world.do("create", web)
    with pytest.raises(Conflict):
        actions.break_machine(web, actor=world.root)
    world.do("start", web)
    world.hypervisor.driver = "linux"
    world.hypervisor.save(update_fields=["driver"])
    with pytest.raises(Conflict):
        actions.break_machine(web, actor=world.root)
    assert browser(world.ana.user).post(f"/-/guide/break/{web.pk}").status_code == 404


def test_it_is_for_managers_of_a_demo_until_they_close_it(world: World, browser: Browser) -> None:
    world.sam.web  # noqa: B018 - made
    client = browser(world.mia)
    assert "First steps in the demo" in client.get("/").content.decode()
    assert "First steps in the demo" not in browser(world.sam.user).get("/").content.decode()
    client.post("/-/guide/close")
    world.mia.refresh_from_db()
    assert personal.guide_closed(world.mia)
    assert "First steps in the demo" not in client.get("/").content.decode()


def test_its_example_is_one_that_can_be_applied(world: World, browser: Browser) -> None:
    world.sam.web  # noqa: B018 - made
    client = browser(world.mia)
    page = client.get("/apply/?example=1")
    text = page.context["form"]["document"].value()
    assert "path: /courses/first-steps" in text
    plan = client.post("/apply/", {"document": text, "step": "plan"}).content.decode()
    assert "<b>2</b> new machines" in plan
