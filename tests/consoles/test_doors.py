"""Tickets and pictures by the API and the portal: who gets which."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.dateparse import parse_datetime

from descriptors import actions
from descriptors.models import ConsoleSession
from hypervisors import screenshots
from olimpus.errors import Forbidden, Invalid, NotFound


@pytest.fixture
def web(world):
    """sam's machine, which runs."""
    world.do("create", world.sam.web)
    world.do("start", world.sam.web)
    screenshots._kept.clear()
    return world.sam.web


def test_the_api_gives_a_socket_and_a_page(world, web):
    answer = world.api(world.sam.user).post(f"/api/nodes/{web.pk}/console")
    assert answer.status_code == 201
    told = answer.json()
    assert told["url"] == f"ws://testserver/ws/console?ticket={told['ticket']}"
    assert told["page"] == f"http://testserver/-/nodes/{web.pk}/console?kind=serial&mode=drive"
    assert (told["kind"], told["mode"]) == ("serial", "drive")
    row = ConsoleSession.objects.get()
    assert row.ticket not in ("", told["ticket"])
    assert parse_datetime(told["expires_at"]) == row.valid_until
    assert (row.via, row.source) == ("api", "127.0.0.1")


@pytest.mark.parametrize(
    ("wish", "status", "where"),
    [
        ({"kind": "vnc", "mode": "watch"}, 201, ""),
        ({"kind": "spice"}, 400, "kind"),
        ({"mode": "steal"}, 400, "mode"),
        ({"color": "red"}, 400, "color"),
    ],
)
def test_what_may_be_wished(world, web, wish, status, where):
    answer = world.api(world.sam.user).post(f"/api/nodes/{web.pk}/console", wish)
    assert answer.status_code == status
    if where:
        assert where in str(answer.json())
    else:
        assert (answer.json()["kind"], answer.json()["mode"]) == ("vnc", "watch")


def test_who_may_what(world, web):
    with pytest.raises(NotFound):
        actions.ask_console(web, actor=world.ana.user)
    assert actions.ask_console(web, actor=world.mia).mode == "drive"
    flags = {"rights": {"user": {"console": False}, "manager": {"console": False}}}
    actions.edit(world.tel141, flags, actor=world.root, version=None)
    with pytest.raises(Forbidden):
        actions.ask_console(web, actor=world.sam.user)
    assert actions.ask_console(web, actor=world.mia).mode == "watch"
    with pytest.raises(Invalid):
        actions.ask_console(web, "spice", actor=world.root)


def test_a_ticket_is_never_kept_with_an_answer(world, web):
    client = world.api(world.sam.user)
    tickets = [
        client.post(f"/api/nodes/{web.pk}/console", headers={"Idempotency-Key": "the same"}).json()["ticket"]
        for _again in range(2)
    ]
    assert tickets[0] != tickets[1]


def test_a_machine_that_is_nowhere_has_none(world):
    answer = world.api(world.root).post(f"/api/nodes/{world.sam.db.pk}/console")
    assert answer.status_code == 409
    assert "no console" in answer.json()["detail"]


def test_pictures_are_for_who_may_watch_and_asked_for_seldom(world, web, monkeypatch):
    calls = []
    real = screenshots.Gateway.screenshot
    monkeypatch.setattr(screenshots.Gateway, "screenshot", lambda *args: calls.append(args) or real(*args))
    for user, status in ((world.sam.user, 200), (world.mia, 200), (world.ana.user, 404)):
        answer = world.api(user).get(f"/api/nodes/{web.pk}/screenshot", headers={"Accept": "image/png, */*"})
        assert answer.status_code == status
    assert len(calls) == 1
    browser = Client()
    browser.force_login(world.sam.user)
    assert browser.get(f"/-/nodes/{web.pk}/picture").content.startswith(b"\x89PNG")
    world.do("force_off", web)
    assert browser.get(f"/-/nodes/{web.pk}/picture").status_code == 204
    assert world.api(world.sam.user).get(f"/api/nodes/{world.sam.db.pk}/screenshot").status_code == 409


def test_a_picture_that_is_too_large_is_none(world, web, monkeypatch):
    monkeypatch.setattr(screenshots.Gateway, "screenshot", lambda *_args: bytes(screenshots.LARGEST + 1))
    assert world.api(world.root).get(f"/api/nodes/{web.pk}/screenshot").status_code == 502


def test_the_page_offers_what_the_person_may(world, web):
    browser = Client()
    browser.force_login(world.mia)
    page = browser.get(f"/-/nodes/{web.pk}/console?kind=vnc").content.decode()
    assert 'data-kind="vnc"' in page
    assert "Ctrl-Alt-Del" in page
    page = browser.get(f"/-/nodes/{web.pk}/console?mode=watch").content.decode()
    assert 'data-mode="watch"' in page
    assert "data-paste" not in page
    assert browser.post(f"/-/nodes/{web.pk}/console/ticket", {"mode": "watch"}).json()["mode"] == "watch"
