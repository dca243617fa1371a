"""JWT: login, OAuth2 form, refresh, logout; and tokens that somebody tampered with."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import jwt
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from accounts import actions, tokens
from accounts.models import Entry, SignIn
from tests.accounts.conftest import PASSWORD, WRONG

JSON = "application/json"


def oauth(client: Client, **fields: str):
    body = "&".join(f"{key}={value}" for key, value in fields.items())
    return client.post("/api/auth/token", body, "application/x-www-form-urlencoded")


def me(client: Client):
    return client.get("/api/auth/me")


def test_login_gives_a_token_that_works(people, api, login):
    pair = login("sam")
    assert pair["user"]["username"] == "sam"
    assert "password" not in json.dumps(pair)
    answer = me(api(token=pair["token"]))
    assert (answer.status_code, answer.json()["role"]) == (200, "simple")


@pytest.mark.parametrize("slash", ["", "/"])
def test_both_forms_of_the_address(people, client, slash):
    body = {"username": "sam", "password": PASSWORD}
    assert client.post(f"/api/auth/login{slash}", body, JSON).status_code == 200


def test_unknown_user_and_wrong_password_are_answered_alike(people, client):
    answers = [
        client.post("/api/auth/login", {"username": name, "password": WRONG}, JSON) for name in ("sam", "nobody")
    ]
    assert [a.status_code for a in answers] == [401, 401]
    assert answers[0].content == answers[1].content
    assert "WWW-Authenticate" in answers[0]
    assert answers[0]["Content-Type"] == "application/problem+json"


def test_a_stale_header_does_not_shut_the_door(people):
    client = Client(headers={"Authorization": "Bearer stale"})
    assert client.post("/api/auth/login", {"username": "sam", "password": PASSWORD}, JSON).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, [], "x", {"username": "a\0b", "password": "x"}, {"username": "x" * 151, "password": "x"}]
)
def test_malformed_logins_are_refused(people, client, body):
    assert client.post("/api/auth/login", json.dumps(body), JSON).status_code == 400


def test_a_closed_account_cannot_sign_in(people, client, api, login):
    token = login("sam")["token"]
    actions.deactivate(people.simple, actor=people.root)
    assert me(api(token=token)).status_code == 401
    assert client.post("/api/auth/login", {"username": "sam", "password": PASSWORD}, JSON).status_code == 401


def test_login_is_noted_with_its_door_and_address(people, login):
    login("sam")
    entry = Entry.objects.get(verb="user.sign_in")
    assert (entry.actor_name, entry.via, entry.source) == ("sam", "api", "127.0.0.1")


def test_oauth_password_flow(people, client, api):
    answer = oauth(client, grant_type="password", username="sam", password=PASSWORD.replace(" ", "+"))
    data = answer.json()
    assert (answer.status_code, data["token_type"], answer["Cache-Control"]) == (200, "bearer", "no-store")
    assert data["expires_in"] == int(AccessToken.lifetime.total_seconds())
    assert me(api(token=data["access_token"])).status_code == 200
    again = oauth(client, grant_type="refresh_token", refresh_token=data["refresh_token"])
    assert again.status_code == 200
    assert again.json()["refresh_token"] != data["refresh_token"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "password", "username": "sam", "password": WRONG}, "invalid_grant"),
        ({"grant_type": "password", "username": "sam"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({}, "invalid_request"),
    ],
)
def test_oauth_errors_speak_rfc_6749(people, client, fields, error):
    answer = oauth(client, **fields)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_refresh_rotates_and_a_reused_token_ends_the_sign_in(people, client, api, login):
    first = login("sam")
    second = client.post("/api/auth/refresh", {"refresh": first["refresh"]}, JSON).json()
    assert me(api(token=second["token"])).status_code == 200
    assert client.post("/api/auth/refresh", {"refresh": first["refresh"]}, JSON).status_code == 401
    assert me(api(token=second["token"])).status_code == 401
    assert client.post("/api/auth/refresh", {"refresh": second["refresh"]}, JSON).status_code == 401


def test_an_access_token_is_no_refresh_token_nor_the_other_way(people, client, api, login):
    pair = login("sam")
    assert client.post("/api/auth/refresh", {"refresh": pair["token"]}, JSON).status_code == 401
    assert me(api(token=pair["refresh"])).status_code == 401


def test_logout_revokes_access_and_refresh_of_that_sign_in_only(people, client, api, login):
    here, there = login("sam"), login("sam")
    assert api(token=here["token"]).post("/api/auth/logout").status_code == 204
    assert me(api(token=here["token"])).status_code == 401
    assert client.post("/api/auth/refresh", {"refresh": here["refresh"]}, JSON).status_code == 401
    assert me(api(token=there["token"])).status_code == 200


def test_logout_with_the_refresh_token_alone(people, client, api, login):
    pair = login("sam")
    assert client.post("/api/auth/logout", {"refresh": pair["refresh"]}, JSON).status_code == 204
    assert me(api(token=pair["token"])).status_code == 401


def test_nobody_logs_out_somebody_else(people, api, login):
    mine, other = login("sam"), login("mia")
    answer = api(token=mine["token"]).post("/api/auth/logout", {"refresh": other["refresh"]}, JSON)
    assert answer.status_code == 403
    assert me(api(token=other["token"])).status_code == 200


def test_logout_of_nobody_is_401_and_of_a_session_ends_it(people, client, api):
    assert client.post("/api/auth/logout").status_code == 401
    session = api(people.simple)
    assert session.post("/api/auth/logout").status_code == 204
    assert me(session).status_code == 401


def test_a_changed_password_ends_every_token(people, client, api, login):
    pair = login("sam")
    actions.set_password(people.simple, "another good phrase", actor=people.simple)
    assert me(api(token=pair["token"])).status_code == 401
    assert client.post("/api/auth/refresh", {"refresh": pair["refresh"]}, JSON).status_code == 401


def test_even_a_password_changed_behind_our_back_ends_them(people, api, login):
    pair = login("sam")
    people.simple.set_password("another good phrase")
    people.simple.save()
    assert me(api(token=pair["token"])).status_code == 401


def _claims(pair: dict) -> dict:
    return jwt.decode(pair["token"], options={"verify_signature": False})


def _unsigned(claims: dict) -> str:
    def part(data: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def test_expired_tokens_are_refused(people, api, login):
    claims = _claims(login("sam")) | {"exp": timezone.now() - timedelta(seconds=1)}
    answer = me(api(token=jwt.encode(claims, settings.SECRET_KEY, "HS256")))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_forged_tokens_are_refused(people, api, login):
    claims = _claims(login("sam"))
    forged = [
        _unsigned(claims),
        jwt.encode(claims, "another key that is long enough for it", "HS256"),
        jwt.encode(claims, settings.SECRET_KEY, "HS512"),
        jwt.encode(claims | {"sid": "0" * 32}, settings.SECRET_KEY, "HS256"),
        jwt.encode({k: v for k, v in claims.items() if k != "sid"}, settings.SECRET_KEY, "HS256"),
        jwt.encode({k: v for k, v in claims.items() if k != "exp"}, settings.SECRET_KEY, "HS256"),
        jwt.encode({}, settings.SECRET_KEY, "HS256"),
    ]
    assert {me(api(token=token)).status_code for token in forged} == {401}


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer a b", "Bearer \xff\xfe", "Bearer oli_", "Token", "Token x", "Basic", "Basic %%%",
     "Basic " + base64.b64encode(b"nocolon").decode(), "Basic " + base64.b64encode(b"\xff:\xff").decode(),
     "Basic " + base64.b64encode(b"a\0b:x").decode(), "Digest x", "x" * 5000],
)  # fmt: skip
def test_no_header_breaks_the_server(people, header):
    answer = me(Client(headers={"Authorization": header}))
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer


def test_old_sign_ins_are_cleaned_away(people):
    tokens.sign_in(people.simple)
    SignIn.objects.update(expires_at=timezone.now() - timedelta(days=1))
    tokens.sign_in(people.simple)
    assert SignIn.objects.count() == 1


def test_a_jwt_costs_one_query(people, api, login, django_assert_num_queries):
    client = api(token=login("sam")["token"])
    with django_assert_num_queries(2):  # the sign-in with its user; the groups shown
        assert me(client).status_code == 200
