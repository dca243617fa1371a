"""Lockout on every door, Basic, personal tokens, addresses behind proxies."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts import actions
from accounts.middleware import client_ip, door
from accounts.models import ApiToken, Entry
from tests.accounts.conftest import PASSWORD, WRONG

JSON = "application/json"


def by_api(client: Client, name: str, password: str):
    return client.post("/api/auth/login", {"username": name, "password": password}, JSON)


def by_form(client: Client, name: str, password: str):
    body = f"grant_type=password&username={name}&password={password}"
    return client.post("/api/auth/token", body, "application/x-www-form-urlencoded")


def by_basic(client: Client, name: str, password: str):
    header = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    return client.get("/api/auth/me", headers={"Authorization": header})


def by_page(client: Client, name: str, password: str):
    return client.post("/accounts/login/", {"username": name, "password": password})


def by_console(client: Client, name: str, password: str):
    return client.post("/admin/login/", {"username": name, "password": password})


DOORS = [by_api, by_form, by_basic, by_page, by_console]


@pytest.mark.parametrize("knock", DOORS)
@pytest.mark.parametrize("other", [by_api, by_page, by_basic])
def test_five_failures_lock_every_door(people, client, knock, other):
    for _attempt in range(5):
        answer = knock(client, "root", WRONG)
    assert answer.status_code == 429
    locked = other(client, "root", PASSWORD)
    assert locked.status_code == 429
    assert 0 < int(locked["Retry-After"]) <= 15 * 60
    assert Entry.objects.filter(verb="user.locked_out", data__username="root").exists()


def test_the_lockout_page_says_when_to_try_again(people, client):
    for _attempt in range(6):
        answer = by_page(client, "sam", WRONG)
    assert answer.status_code == 429
    assert "Try again in 15 minutes" in answer.content.decode()


def test_the_lockout_problem_says_when_to_try_again(people, client):
    for _attempt in range(6):
        answer = by_api(client, "sam", WRONG)
    assert answer["Content-Type"] == "application/problem+json"
    assert "15 minutes" in answer.json()["title"]


def test_others_and_other_addresses_are_not_locked(people, client):
    for _attempt in range(5):
        by_api(client, "sam", WRONG)
    assert by_api(client, "mia", PASSWORD).status_code == 200
    assert by_api(Client(REMOTE_ADDR="10.9.9.9"), "sam", PASSWORD).status_code == 200


@pytest.mark.parametrize("knock", [by_api, by_form, by_page])
def test_success_forgives(people, client, knock):
    for _round in range(2):
        for _attempt in range(4):
            knock(client, "sam", WRONG)
        assert knock(client, "sam", PASSWORD.replace(" ", "+") if knock is by_form else PASSWORD).status_code < 400


def test_an_invented_address_does_not_escape_the_lockout(people):
    for n in range(5):
        by_api(Client(headers={"X-Forwarded-For": f"10.0.0.{n}"}), "sam", WRONG)
    assert by_api(Client(headers={"X-Forwarded-For": "10.0.0.99"}), "sam", PASSWORD).status_code == 429


def test_basic_works_and_remembers_for_a_while(people, client, monkeypatch):
    assert by_basic(client, "sam", PASSWORD).status_code == 200
    monkeypatch.setattr("accounts.api.authentication.authenticate", lambda **_: pytest.fail("hashed again"))
    assert by_basic(client, "sam", PASSWORD).status_code == 200


def test_basic_forgets_a_changed_password_a_closed_account_and_knows_no_other(people, client):
    assert by_basic(client, "sam", PASSWORD).status_code == 200
    assert by_basic(client, "sam", WRONG).status_code == 401
    actions.set_password(people.simple, "another good phrase", actor=people.root)
    assert by_basic(client, "sam", PASSWORD).status_code == 401
    assert by_basic(client, "sam", "another good phrase").status_code == 200
    actions.deactivate(people.simple, actor=people.root)
    assert by_basic(client, "sam", "another good phrase").status_code == 401


def test_basic_counts_a_failure_once_even_with_an_idempotency_key(people, client):
    header = "Basic " + base64.b64encode(f"sam:{WRONG}".encode()).decode()
    headers = {"Authorization": header, "Idempotency-Key": "k"}
    codes = [client.post("/api/groups", {"name": "x"}, JSON, headers=headers).status_code for _attempt in range(5)]
    assert codes == [401, 401, 401, 401, 429]


def test_a_personal_token_is_shown_once_and_works(people, api):
    answer = api(people.simple).post("/api/auth/tokens", {"name": "cli"}, JSON)
    clear = answer.json()["token"]
    assert (answer.status_code, clear[:4]) == (201, "oli_")
    row = ApiToken.objects.get()
    assert clear not in (row.digest, row.prefix)
    listed = api(token=clear).get("/api/auth/tokens").json()["results"]
    assert [(t["prefix"], "token" in t, "digest" in t) for t in listed] == [(clear[:12], False, False)]
    row.refresh_from_db()
    assert row.last_used_at is not None


def test_token_as_a_scheme_of_its_own(people):
    _row, clear = ApiToken.issue(people.simple, "cli")
    assert Client(headers={"Authorization": f"Token {clear}"}).get("/api/auth/me/").status_code == 200


def test_a_read_only_token_only_reads(people, api):
    _row, clear = ApiToken.issue(people.root, "look", read_only=True)
    client = api(token=clear)
    assert client.get("/api/users").status_code == 200
    assert client.options("/api/users").status_code == 200
    for answer in (
        client.post("/api/groups", {"name": "x"}, JSON),
        client.patch("/api/auth/me", {"first_name": "x"}, JSON),
        client.delete(f"/api/users/{people.simple.pk}"),
    ):
        assert answer.status_code == 403
        assert answer["Content-Type"] == "application/problem+json"
    people.root.refresh_from_db()
    assert people.root.first_name == ""


def test_expired_revoked_unknown_and_orphaned_tokens_are_refused(people, api):
    expired = ApiToken.issue(people.simple, "old", expires_at=timezone.now() - timedelta(seconds=1))[1]
    row, revoked = ApiToken.issue(people.simple, "gone")
    closed = ApiToken.issue(people.manager, "closed")[1]
    actions.revoke_token(row, actor=people.simple)
    actions.deactivate(people.manager, actor=people.root)
    for clear in (expired, revoked, closed, "oli_nothing"):
        assert api(token=clear).get("/api/auth/me").status_code == 401


def test_one_revokes_only_ones_own_tokens(people, api):
    row, clear = ApiToken.issue(people.manager, "hers")
    assert api(people.simple).delete(f"/api/auth/tokens/{row.pk}").status_code == 404
    assert api(people.manager).delete(f"/api/auth/tokens/{row.pk}").status_code == 204
    assert api(token=clear).get("/api/auth/me").status_code == 401


def test_a_token_cannot_end_before_it_begins(people, api):
    answer = api(people.simple).post("/api/auth/tokens", {"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, JSON)
    assert (answer.status_code, answer.json()["where"]) == (400, "expires_at")


@pytest.mark.parametrize(
    ("trusted", "remote", "forwarded", "expected"),
    [
        ([], "10.0.0.1", "1.2.3.4", "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", "1.2.3.4", "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", "nonsense", "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", "", "10.0.0.1"),
        (["10.0.0.0/8"], "1.1.1.1", "1.2.3.4", "1.1.1.1"),
        (["10.0.0.0/8"], "10.0.0.1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_address_is_believed_from_trusted_proxies_only(settings, trusted, remote, forwarded, expected):
    settings.OLIMPUS_TRUSTED_PROXIES = trusted
    request = RequestFactory().get("/", REMOTE_ADDR=remote, headers={"X-Forwarded-For": forwarded})
    assert client_ip(request) == expected


def test_the_door_is_told_by_the_path():
    assert [door(p) for p in ("/api/x", "/admin/x", "/", "/apix")] == ["api", "admin", "portal", "portal"]
