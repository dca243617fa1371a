"""The sign-in pages, from outside and inside."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client

from accounts import actions
from accounts.models import ApiToken, Entry, User
from tests.accounts.conftest import PASSWORD, WRONG

NEW = "another good phrase"


def link_in(letter) -> str:
    return re.search(r"https?://[^/]+(/\S+)", letter.body).group(1)


def set_password(client: Client, link: str, password: str = NEW):
    form = client.get(link, follow=True)
    assert form.status_code == 200
    return client.post(form.request["PATH_INFO"], {"new_password1": password, "new_password2": password})


def test_signing_in_and_out(people, client):
    assert client.get("/accounts/login/").status_code == 200
    assert client.post("/accounts/login/", {"username": "sam", "password": PASSWORD}).status_code == 302
    assert Entry.objects.get(verb="user.sign_in").via == "portal"
    assert client.get("/accounts/profile/").status_code == 200
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert client.get("/accounts/profile/").status_code == 302
    assert Entry.objects.filter(verb="user.sign_out").count() == 1


def test_wrong_credentials_are_shown_and_closed_accounts_stay_out(people, client):
    page = client.post("/accounts/login/", {"username": "sam", "password": WRONG})
    assert (page.status_code, "alert-danger" in page.content.decode()) == (200, True)
    actions.deactivate(people.simple, actor=people.root)
    assert client.post("/accounts/login/", {"username": "sam", "password": PASSWORD}).status_code == 200


def test_next_leads_only_inside(people, client):
    body = {"username": "sam", "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/accounts/login/", body)["Location"] == "/"


def test_pages_need_their_forgery_token(people):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/accounts/login/", {"username": "sam", "password": PASSWORD}).status_code == 403


def test_sign_in_brings_the_language_of_the_profile(people, client):
    actions.update_user(people.simple, actor=people.simple, language="es")
    answer = client.post("/accounts/login/", {"username": "sam", "password": PASSWORD})
    assert answer.cookies["django_language"].value == "es"


def test_reset_by_mail(people, client):
    assert client.get("/accounts/reset/").status_code == 200
    assert client.post("/accounts/reset/", {"email": "sam@example.org"}).status_code == 302
    assert client.get("/accounts/reset/sent/").status_code == 200
    link = link_in(mail.outbox[0])
    assert set_password(client, link)["Location"] == "/accounts/reset/done/"
    assert client.get("/accounts/reset/done/").status_code == 200
    assert client.login(request=client.get("/").wsgi_request, username="sam", password=NEW)
    assert Entry.objects.filter(verb="user.password").count() == 1
    assert "no longer works" in Client().get(link, follow=True).content.decode()


def test_reset_keeps_secret_who_has_an_account(people, client):
    answers = [client.post("/accounts/reset/", {"email": e}) for e in ("sam@example.org", "nobody@example.org")]
    assert {(a.status_code, a["Location"]) for a in answers} == {(302, "/accounts/reset/sent/")}
    assert len(mail.outbox) == 1


def test_weak_new_passwords_are_refused(people, client):
    client.post("/accounts/reset/", {"email": "sam@example.org"})
    page = set_password(client, link_in(mail.outbox[0]), "12345")
    assert (page.status_code, "is-invalid" in page.content.decode()) == (200, True)
    people.simple.refresh_from_db()
    assert people.simple.check_password(PASSWORD)


@pytest.mark.parametrize("link", ["/accounts/reset/MQ/x-y/", "/accounts/invitation/%FF/x/", "/accounts/reset/MQ/a/"])
def test_forged_links_do_not_work(people, client, link):
    page = client.get(link, follow=True)
    assert (page.status_code, "no longer works" in page.content.decode()) == (200, True)


def test_links_die_with_time(people, client, settings):
    client.post("/accounts/reset/", {"email": "sam@example.org"})
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "no longer works" in client.get(link_in(mail.outbox[0]), follow=True).content.decode()


def test_an_invitation_sets_the_first_password_and_enters(people, client):
    user = actions.create_user("new", actor=people.root, email="new@example.org")
    actions.invite(user, actor=people.root)
    link = link_in(mail.outbox[0])
    assert set_password(client, link).status_code == 302
    assert client.get("/api/auth/me").json()["username"] == "new"
    assert "no longer works" in Client().get(link, follow=True).content.decode()


def test_closed_accounts_have_no_links(people, client):
    user = actions.create_user("new", actor=people.root, email="new@example.org")
    actions.invite(user, actor=people.root)
    actions.deactivate(user, actor=people.root)
    assert "no longer works" in client.get(link_in(mail.outbox[0]), follow=True).content.decode()
    client.post("/accounts/reset/", {"email": "new@example.org"})
    assert len(mail.outbox) == 1


def test_who_lost_the_invitation_asks_for_a_reset(people, client):
    actions.create_user("new", actor=people.root, email="new@example.org")
    client.post("/accounts/reset/", {"email": "NEW@example.org"})
    assert set_password(client, link_in(mail.outbox[0])).status_code == 302


def test_changing_the_password_on_the_page(people, api, login):
    token, here = login("sam")["token"], api(people.simple)
    assert here.get("/accounts/password/").status_code == 200
    body = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert here.post("/accounts/password/", body)["Location"] == "/accounts/password/done/"
    assert here.get("/accounts/password/done/").status_code == 200
    assert api(token=token).get("/api/auth/me").status_code == 401


def test_the_profile_is_saved(people, api):
    client = api(people.simple)
    body = {"first_name": "Samuel", "last_name": "B", "email": "s@example.org", "language": "es"}
    answer = client.post("/accounts/profile/", body)
    assert (answer.status_code, answer.cookies["django_language"].value) == (302, "es")
    people.simple.refresh_from_db()
    assert (people.simple.first_name, people.simple.language) == ("Samuel", "es")
    bad = client.post("/accounts/profile/", body | {"email": "nonsense"})
    assert (bad.status_code, "is-invalid" in bad.content.decode()) == (200, True)


def test_a_token_is_made_shown_once_and_revoked(people, api):
    client = api(people.simple)
    page = client.post("/accounts/profile/tokens/", {"name": "cli", "days": "30", "read_only": "on"}).content.decode()
    clear = re.search(r"oli_[\w-]{20,}", page).group(0)
    assert api(token=clear).get("/api/auth/me").status_code == 200
    row = ApiToken.objects.get()
    assert (row.read_only, row.expires_at is not None) == (True, True)
    assert clear not in client.get("/accounts/profile/").content.decode()
    assert api(people.manager).post(f"/accounts/profile/tokens/{row.pk}/revoke/").status_code == 404
    assert client.post(f"/accounts/profile/tokens/{row.pk}/revoke/").status_code == 302
    assert api(token=clear).get("/api/auth/me").status_code == 401


def test_a_token_needs_a_name(people, api):
    page = api(people.simple).post("/accounts/profile/tokens/", {"name": "", "days": "0"})
    assert (page.status_code, "is-invalid" in page.content.decode()) == (200, True)
    assert not ApiToken.objects.exists()


def test_user_names_are_shown_escaped(client, db):
    user = User.objects.create_user("<b>x", "x@example.org", PASSWORD)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert "<b>x" not in client.get("/accounts/profile/").content.decode()
