"""Programs on the live feed: in by a token, out when the token or the account is no good any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from accounts import actions as accounts
from accounts import tokens
from accounts.models import ApiToken
from descriptors import feed
from olimpus.asgi import application
from tests.feed.test_consumer import campus as campus
from tests.feed.test_consumer import happen
from tests.feed.test_consumer import own_feed as own_feed

pytestmark = pytest.mark.django_db(transaction=True)


class Program(WebsocketCommunicator):
    """A client through the whole application, as daphne calls it."""

    def __init__(self, *headers: tuple[str, str]):
        super().__init__(application, "/ws/feed", headers=[(name.encode(), value.encode()) for name, value in headers])

    async def subscribe(self, *paths: str) -> Any:
        await self.send_json_to({"subscribe": paths, "since": None})
        return await self.receive_json_from(5)

    async def closed(self) -> int:
        return int((await self.receive_output(5))["code"])


async def opened(token: str, *headers: tuple[str, str], scheme: str = "Bearer") -> Program:
    program = Program(("authorization", f"{scheme} {token}"), *headers)
    assert (await program.connect())[0]
    return program


@sync_to_async
def personal(user: Any, **options: Any) -> tuple[ApiToken, str]:
    return ApiToken.issue(user, "watch", **options)


@sync_to_async
def signed_in(user: Any) -> tokens.Pair:
    return tokens.sign_in(user)


@pytest.mark.parametrize("path", ["/ws/nothing", "/ws/slices/-1", "/"])
async def test_where_there_is_no_socket_none_opens(path):
    """It is no error of ours either."""
    assert not (await WebsocketCommunicator(application, path).connect())[0]


async def test_a_personal_token_listens_as_its_owner(campus, own_feed):
    row, token = await personal(campus.sam.user, read_only=True)
    program = await opened(token)
    assert "events" in await program.subscribe("/courses")
    await happen("vm.stop", campus.ana.web, campus.sam.web)
    (event,) = (await program.receive_json_from(5))["events"]
    assert event["path"] == campus.sam.web.path
    await row.arefresh_from_db()
    assert row.last_used_at is not None
    await program.disconnect()


async def test_a_jwt_listens_too(campus, own_feed):
    program = await opened((await signed_in(campus.sam.user)).access, scheme="bearer")
    assert "events" in await program.subscribe(campus.sam.folder.path)
    assert "closed" in await program.subscribe("/lab")
    await program.disconnect()


@pytest.mark.parametrize("token", ["oli_unknown", "not.a.token", "", "\x00"])
async def test_what_is_no_token_is_told_to_sign_in(campus, own_feed, token):
    program = await opened(token)
    assert await program.closed() == 4401
    assert own_feed.listeners == set()


async def test_expired_tokens_are_no_good(campus, own_feed):
    _row, token = await personal(campus.sam.user, expires_at=timezone.now() - timedelta(seconds=1))
    assert await (await opened(token)).closed() == 4401
    pair = await signed_in(campus.sam.user)
    old = AccessToken(pair.access)
    old.set_exp(lifetime=-timedelta(seconds=1))
    assert await (await opened(str(old))).closed() == 4401


async def test_a_bad_token_is_not_helped_by_a_session(campus, own_feed):
    browser = Client()
    await sync_to_async(browser.force_login)(campus.root, backend="django.contrib.auth.backends.ModelBackend")
    cookie = ("cookie", f"sessionid={browser.cookies['sessionid'].value}")
    with_session = Program(cookie)
    assert (await with_session.connect())[0]
    assert "events" in await with_session.subscribe("/lab")
    await with_session.disconnect()
    assert await (await opened("oli_unknown", cookie)).closed() == 4401


async def test_foreign_pages_are_kept_out_whatever_they_bring(campus, own_feed):
    _row, token = await personal(campus.root)
    program = Program(("authorization", f"Bearer {token}"), ("origin", "https://evil.example"), ("host", "localhost"))
    assert not (await program.connect())[0]


async def test_a_revoked_token_stops_hearing_at_once(campus, own_feed):
    row, token = await personal(campus.sam.user)
    program, other = await opened(token), await opened((await personal(campus.sam.user))[1])
    for each in (program, other):
        await each.subscribe(campus.sam.folder.path)
    await sync_to_async(accounts.revoke_token)(row, actor=campus.sam.user)
    assert await program.closed() == 4401
    await happen("vm.stop", campus.sam.web)
    assert (await other.receive_json_from(5))["events"][0]["path"] == campus.sam.web.path
    assert len(own_feed.listeners) == 1
    await other.disconnect()


async def test_a_token_that_runs_out_stops_hearing_within_the_time_of_a_recheck(campus, own_feed, monkeypatch):
    monkeypatch.setattr(feed, "RECHECK", 0.2)
    _row, token = await personal(campus.sam.user, expires_at=timezone.now() + timedelta(seconds=1))
    program = await opened(token)
    assert "events" in await program.subscribe(campus.sam.folder.path)
    assert await program.closed() == 4401
    assert own_feed.listeners == set()


@pytest.mark.parametrize("end", ["sign out", "password", "account"])
async def test_whatever_ends_a_sign_in_ends_its_sockets(campus, own_feed, end):
    pair = await signed_in(campus.sam.user)
    program = await opened(pair.access)
    await program.subscribe(campus.sam.folder.path)
    if end == "sign out":
        answer = await sync_to_async(Client().post)(
            "/api/auth/logout", headers={"Authorization": f"Bearer {pair.access}"}
        )
        assert answer.status_code < 300
    elif end == "password":
        await sync_to_async(accounts.set_password)(campus.sam.user, "another long enough one", actor=campus.sam.user)
    else:
        await sync_to_async(accounts.deactivate)(campus.sam.user, actor=campus.root)
        assert await program.receive_json_from(5) == {"closed": [campus.sam.folder.path]}
    assert await program.closed() in (4401, 4403)
    await program.disconnect()
    assert own_feed.listeners == set()
