"""People in the console, and the setup command."""

from __future__ import annotations

import io
import stat

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.core.management import CommandError, call_command

from accounts.models import ApiToken, Entry, User
from tests.accounts.conftest import PASSWORD

USERS = "/admin/accounts/user/"


def fields(**changes) -> dict:
    return {"username": "new", "email": "", "kind": "simple", "usable_password": "false", **changes}


def test_the_pages_open(people, api):
    client = api(people.root)
    _row, clear = ApiToken.issue(people.simple, "cli")
    for page in ("user/", "user/add/", f"user/{people.simple.pk}/change/", f"user/{people.simple.pk}/password/",
                 "group/", "group/add/", "apitoken/", f"apitoken/{_row.pk}/change/"):  # fmt: skip
        answer = client.get(f"/admin/{'auth' if page.startswith('group') else 'accounts'}/{page}")
        assert answer.status_code == 200, page
        assert clear not in answer.content.decode()
        assert _row.digest not in answer.content.decode()
    assert client.get(f"{USERS}?q=sam&kind__exact=simple").status_code == 200


def test_adding_a_user_is_journaled(people, api):
    assert api(people.root).post(f"{USERS}add/", fields(kind="manager")).status_code == 302
    made = User.objects.get(username="new")
    assert (made.kind, made.is_staff, made.has_usable_password()) == ("manager", True, False)
    assert Entry.objects.get(verb="user.create").via == "admin"


def test_changing_rights_is_journaled_and_oneself_is_safe(people, api):
    data = {"username": "root", "first_name": "R", "last_name": "", "email": "", "language": "", "kind": "simple"}
    answer = api(people.root).post(f"{USERS}{people.root.pk}/change/", data, follow=True)
    assert "You cannot take your own rights away" in answer.content.decode()
    people.root.refresh_from_db()
    assert (people.root.is_superuser, people.root.first_name) == (True, "")
    data = data | {"username": "sam", "kind": "manager", "is_active": "on"}
    assert api(people.root).post(f"{USERS}{people.simple.pk}/change/", data).status_code == 302
    assert User.objects.get(username="sam").is_staff
    assert Entry.objects.get(verb="user.update").actor == people.root


def test_setting_a_password_is_journaled(people, api):
    data = {"password1": "another good phrase", "password2": "another good phrase", "usable_password": "true"}
    assert api(people.root).post(f"{USERS}{people.simple.pk}/password/", data).status_code == 302
    people.simple.refresh_from_db()
    assert people.simple.check_password("another good phrase")
    assert Entry.objects.get(verb="user.password").data == {"user": "sam"}


def test_actions_on_many_report_each_refusal(people, api):
    new = User.objects.create_user("new", "new@example.org")
    data = {"action": "invite", "_selected_action": [new.pk, people.simple.pk]}
    page = api(people.root).post(USERS, data, follow=True).content.decode()
    assert "Done for 1 account." in page
    assert "has a password already" in page
    assert len(mail.outbox) == 1
    data = {"action": "deactivate", "_selected_action": [people.simple.pk, people.root.pk]}
    api(people.root).post(USERS, data)
    assert list(User.objects.filter(is_active=False)) == [people.simple]


def test_groups_and_tokens(people, api):
    client = api(people.root)
    assert client.post("/admin/auth/group/add/", {"name": "g"}).status_code == 302
    group = Group.objects.get()
    assert client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "h"}).status_code == 302
    assert client.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).status_code == 302
    assert list(Entry.objects.filter(verb__startswith="group.").values_list("verb", flat=True))[::-1] == [
        "group.create", "group.rename", "group.delete",
    ]  # fmt: skip
    row, _clear = ApiToken.issue(people.simple, "cli")
    client.post("/admin/accounts/apitoken/", {"action": "revoke", "_selected_action": [row.pk]})
    assert not ApiToken.objects.usable().exists()


def test_managers_do_not_manage_people_in_the_console(people, api):
    assert api(people.manager).get(USERS).status_code == 403
    assert api(people.simple).get("/admin/").status_code == 302


def setup(monkeypatch, *args: str, password: str = PASSWORD) -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    call_command("setup", *args, stdout=out)
    return out.getvalue()


def test_setup_makes_a_superuser_once(db, monkeypatch):
    args = ("--username", "admin", "--email", "admin@example.org", "--password-stdin")
    out = setup(monkeypatch, *args)
    assert "OLIMPUS_SECRET_KEY=" in out
    assert "OLIMPUS_SECRET_KEYS=" in out
    assert PASSWORD not in out
    user = User.objects.get(username="admin")
    assert (user.is_superuser, user.is_staff, user.check_password(PASSWORD)) == (True, True, True)
    assert "exists already" in setup(monkeypatch, *args, password="another good phrase")
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert Entry.objects.get(verb="user.create").via == "command"


@pytest.mark.parametrize("password", ["", "123", "password"])
def test_setup_refuses_weak_passwords(db, monkeypatch, password):
    with pytest.raises(CommandError):
        setup(monkeypatch, "--username", "admin", "--password-stdin", password=password)
    assert not User.objects.exists()


def test_setup_needs_a_name_where_nobody_can_answer(db, monkeypatch):
    with pytest.raises(CommandError, match="--username"):
        setup(monkeypatch, "--password-stdin")


def test_setup_writes_a_private_file_and_never_overwrites(monkeypatch, tmp_path):
    file = tmp_path / "olimpus.env"
    file.write_text("OLIMPUS_SECRET_KEY=mine\nPORT=1")
    file.chmod(0o644)
    out = setup(monkeypatch, "--keys-only", "--env-file", str(file))
    first = file.read_text()
    assert first.startswith("OLIMPUS_SECRET_KEY=mine\nPORT=1\nOLIMPUS_SECRET_KEYS=")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first.splitlines()[-1].split("=", 1)[1] not in out
    assert "nothing to add" in setup(monkeypatch, "--keys-only", "--env-file", str(file))
    assert file.read_text() == first
