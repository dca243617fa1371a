"""The profile: theme and time zone are kept with the account, sign-ins are told and ended."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from django.utils.formats import date_format

from accounts import personal, tokens
from accounts.models import SignIn
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db
NAMES = {"first_name": "Sam", "last_name": "B", "email": "sam@example.org", "language": ""}


def test_theme_and_time_zone_are_kept_with_the_account(world: World, browser: Browser) -> None:
    user, client = world.sam.user, browser(world.sam.user)
    client.post("/accounts/profile/", NAMES | {"theme": "dark", "time_zone": "America/Lima"})
    user.refresh_from_db()
    assert (personal.theme_of(user), personal.zone_name(user)) == ("dark", "America/Lima")
    assert 'data-bs-theme="dark" data-theme="dark"' in client.get("/").content.decode()


def test_times_are_told_in_the_chosen_zone(world: World, browser: Browser) -> None:
    web, client = world.sam.web, browser(world.sam.user)
    personal.choose_zone(world.sam.user, "Asia/Tokyo")
    web.refresh_from_db()
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        there = date_format(timezone.localtime(web.state_since), "DATETIME_FORMAT")
    assert f'title="{there} ·' in client.get(f"/tree{web.path}").content.decode()


def test_the_switch_in_the_bar_is_kept_too(world: World, browser: Browser) -> None:
    client = browser(world.sam.user)
    assert client.post("/accounts/profile/theme/", {"theme": "light"}).status_code == 204
    assert client.post("/accounts/profile/theme/", {"theme": "pink"}).status_code == 400
    world.sam.user.refresh_from_db()
    assert personal.theme_of(world.sam.user) == "light"


def test_a_zone_that_is_none_is_refused(world: World, browser: Browser) -> None:
    answer = browser(world.sam.user).post("/accounts/profile/", NAMES | {"time_zone": "Moon/Base"})
    assert "is-invalid" in answer.content.decode()
    world.sam.user.refresh_from_db()
    assert personal.zone_name(world.sam.user) == ""


def test_sign_ins_of_programs_are_told_and_ended_by_their_owner_only(world: World, browser: Browser) -> None:
    tokens.sign_in(world.sam.user)
    row = SignIn.objects.get()
    client = browser(world.sam.user)
    assert "Programs that are signed in" in client.get("/accounts/profile/").content.decode()
    assert browser(world.ana.user).post(f"/accounts/profile/sessions/{row.pk}/end/").status_code == 404
    assert client.post(f"/accounts/profile/sessions/{row.pk}/end/").status_code == 302
    row.refresh_from_db()
    assert row.revoked_at is not None
