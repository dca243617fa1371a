"""The page of a machine: words for its state, what to do after a failure, how to get in, what waits, who set what."""

from __future__ import annotations

import pytest

from descriptors import actions
from descriptors.reconcile import reconcile
from tests import factories
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db


def test_every_state_has_its_words_on_the_page(world: World, browser: Browser) -> None:
    page = browser(world.sam.user).get(f"/tree{world.sam.web.path}").content.decode()
    for state in ("provisioned", "created", "starting", "running", "paused", "stopping", "stopped", "failed"):
        assert f'data-of="{state}"' in page


def test_a_failure_says_what_where_and_what_to_do_next(world: World, browser: Browser) -> None:
    web = world.sam.web
    world.do("create", web)
    operation = actions.request("start", web, actor=world.sam.user)
    factories.failed(operation, "No room on worker-2.")
    page = browser(world.sam.user).get(f"/tree{web.path}").content.decode()
    assert "“Start” failed" in page
    assert "No room on worker-2." in page
    assert f'formaction="/-/nodes/{web.pk}/do/recover"' in page
    assert f"Operation: {operation.pk}" in page
    assert 'data-open-fold="console"' in page


def test_verbs_are_laid_out_and_say_why_not(world: World, browser: Browser) -> None:
    page = browser(world.sam.user).get(f"/tree{world.sam.web.path}").content.decode()
    assert 'data-verb="destroy"' in page
    assert 'data-verb="revert"' not in page
    assert 'aria-disabled="true" title="It is provisioned' in page
    assert 'class="thumb-bar"' in page


def test_values_of_the_summary_say_who_set_them(world: World, browser: Browser) -> None:
    page = browser(world.mia).get(f"/tree{world.sam.web.path}").content.decode()
    assert '<a class="path" href="/tree/courses?tab=definition' in page
    assert "by the flavor small" in page
    student = browser(world.sam.user).get(f"/tree{world.sam.web.path}").content.decode()
    assert '<span class="path">/courses</span>' in student


def test_pending_changes_say_when_they_arrive_and_offer_the_button(world: World, browser: Browser) -> None:
    web = world.sam.web
    world.do("create", web)
    actions.edit(world.tel141, {"memory_mib": 3072}, actor=world.root)
    page = browser(world.sam.user).get(f"/-/nodes/{web.pk}/panel").content.decode()
    assert "at its next start" in page
    assert 'data-verb="reapply"' in page


def test_snapshots_are_reverted_to_and_deleted_by_whom_may(world: World, browser: Browser) -> None:
    web = world.sam.web
    world.do("create", web)
    world.do("snapshot", web, name="clean")
    page = browser(world.sam.user).get(f"/-/nodes/{web.pk}/snapshots").content.decode()
    assert f"/-/nodes/{web.pk}/ask/revert?name=clean" in page
    assert f"/-/nodes/{web.pk}/ask/delete_snapshot?name=clean" in page
    world.do("start", web)
    running = browser(world.sam.user).get(f"/-/nodes/{web.pk}/snapshots").content.decode()
    assert "ask/revert" not in running
    assert "ask/delete_snapshot" in running


def test_the_panel_of_a_folder_is_not_there(world: World, browser: Browser) -> None:
    assert browser(world.mia).get(f"/-/nodes/{world.sam.folder.pk}/panel").status_code == 404


def test_ways_in_from_outside_are_there_to_copy(world: World, browser: Browser) -> None:
    web = world.sam.web
    nic = {
        "network": "lan",
        "ip": "10.0.0.7",
        "floating": True,
        "forwards": [{"port": 22, "outside": 20022}, {"port": 80}],
    }
    actions.edit(web, {**web.definition, "nics": [nic]}, actor=world.root)
    world.do("create", web)
    reconcile(world.hypervisor.pk)
    page = browser(world.sam.user).get(f"/tree{web.path}").content.decode()
    assert 'data-copy="ssh -p 20022 gateway.example"' in page
    assert "→ 10.0.0.7:80/tcp" in page
    assert "Floating address" in page
    told = world.api(world.sam.user).get(f"/api/nodes/{web.pk}").json()["ways"]
    assert [way["kind"] for way in told] == ["forward", "forward", "floating"]
    assert told[0]["target"] == "10.0.0.7:22/tcp"
    world.do("destroy", web)
    assert world.api(world.sam.user).get(f"/api/nodes/{web.pk}").json()["ways"] == []
