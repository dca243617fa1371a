"""Users and groups: who may see and change whom; one's own account."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.core import mail

from accounts import actions, roles
from accounts.models import ApiToken, Entry, User
from olimpus.errors import Conflict, Forbidden, Invalid
from tests.accounts.conftest import PASSWORD, WRONG

JSON = "application/json"


def names(answer) -> list[str]:
    return [row["username"] for row in answer.json()["results"]]


def test_the_words_for_what_people_are(people):
    assert [u.role for u in (people.root, people.manager, people.simple)] == ["superuser", "manager", "simple"]
    assert [roles.may_open_console(u) for u in (people.root, people.manager, people.simple)] == [True, True, False]
    assert [roles.may_manage_people(u) for u in (people.root, people.manager)] == [True, False]


def test_the_console_follows_the_kind(people):
    people.simple.kind = "manager"
    people.simple.save(update_fields=["kind"])
    people.simple.refresh_from_db()
    assert people.simple.is_staff
    people.simple.kind = "simple"
    people.simple.save()
    assert not User.objects.get(pk=people.simple.pk).is_staff


def test_lists_show_whom_one_may_find(people, api):
    assert names(api(people.root).get("/api/users")) == ["mia", "root", "sam"]
    assert names(api(people.manager).get("/api/users?q=Sa")) == ["sam"]
    assert names(api(people.simple).get("/api/users")) == ["sam"]
    assert "email" not in api(people.manager).get("/api/users").json()["results"][0]


def test_managers_cannot_guess_addresses_by_searching(people, api):
    assert names(api(people.manager).get("/api/users?q=example.org")) == []
    assert names(api(people.root).get("/api/users?q=example.org")) == ["mia", "root", "sam"]


def test_details_are_for_superusers_and_oneself(people, api):
    address = f"/api/users/{people.simple.pk}"
    assert api(people.root).get(address).json()["email"] == "sam@example.org"
    assert api(people.simple).get(address).status_code == 200
    assert api(people.manager).get(address).status_code == 403
    assert api(people.simple).get(f"/api/users/{people.root.pk}").status_code == 404


def test_only_superusers_change_people(people, api):
    for user in (people.manager, people.simple):
        client = api(user)
        assert client.post("/api/users", {"username": "new"}, JSON).status_code == 403
        assert client.patch(f"/api/users/{user.pk}", {"is_superuser": True}, JSON).status_code == 403
        assert client.delete(f"/api/users/{people.simple.pk}").status_code == 403
        assert client.post(f"/api/users/{people.simple.pk}/deactivate").status_code == 403
        assert client.post("/api/groups", {"name": "g"}, JSON).status_code == 403
    assert User.objects.filter(is_superuser=True).count() == 1


def test_create_change_close_open_and_delete(people, api):
    client = api(people.root)
    made = client.post("/api/users", {"username": "o'brien+lab@uni.edu", "kind": "manager"}, JSON)
    assert (made.status_code, made.json()["role"]) == (201, "manager")
    address = f"/api/users/{made.json()['id']}"
    assert not User.objects.get(pk=made.json()["id"]).has_usable_password()
    assert client.patch(address, {"first_name": "Flann", "kind": "simple"}, JSON).json()["role"] == "simple"
    assert client.post(f"{address}/deactivate").json()["is_active"] is False
    assert client.post(f"{address}/activate/").json()["is_active"] is True
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    verbs = Entry.objects.filter(verb__startswith="user.").order_by("id").values_list("verb", flat=True)
    assert list(verbs)[-5:] == ["user.create", "user.update", "user.deactivate", "user.activate", "user.delete"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "username"),
        ({"username": "sam"}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "a/b"}, "username"),
        ({"username": "a:b"}, "username"),
        ({"username": "x" * 151}, "username"),
        ({"username": "new", "email": "nonsense"}, "email"),
        ({"username": "new", "kind": "king"}, "kind"),
        ({"username": "new", "password": "short"}, "password"),
        ({"username": "new", "language": "xx"}, "language"),
        ({"username": "new", "invite": True}, "invite"),
    ],
)
def test_bad_accounts_are_refused_by_field(people, api, body, where):
    answer = api(people.root).post("/api/users", body, JSON)
    problem = answer.json()
    assert answer.status_code == 400
    assert where in {problem.get("where"), *(fault["where"] for fault in problem.get("errors", []))}
    assert User.objects.count() == 3


def test_nobody_saws_off_the_branch_he_sits_on(people, api):
    client, address = api(people.root), f"/api/users/{people.root.pk}"
    assert client.delete(address).status_code == 409
    assert client.post(f"{address}/deactivate").status_code == 409
    assert client.patch(address, {"is_superuser": False}, JSON).status_code == 409
    people.root.refresh_from_db()
    assert people.root.is_active
    assert people.root.is_superuser


@pytest.mark.parametrize("pk", ["0", "999999999999999999", "9" * 40, "x", "-1", "%00"])
def test_strange_ids_are_not_found(people, api, pk):
    assert api(people.root).get(f"/api/users/{pk}").status_code == 404


def test_groups_and_their_members(people, api):
    client = api(people.root)
    group = client.post("/api/groups", {"name": "TEL141"}, JSON).json()
    address = f"/api/groups/{group['id']}"
    body = {"users": [people.simple.pk, people.manager.pk]}
    assert client.post(f"{address}/members", body, JSON).status_code == 204
    assert names(client.get(f"{address}/members")) == ["mia", "sam"]
    assert client.get(address).json()["member_count"] == 2
    assert client.delete(f"{address}/members/{people.manager.pk}").status_code == 204
    assert names(api(people.manager).get(f"{address}/members")) == ["sam"]
    assert [g["name"] for g in api(people.simple).get("/api/groups").json()["results"]] == ["TEL141"]
    assert api(people.simple).get(f"{address}/members").status_code == 403
    assert client.patch(address, {"name": "TEL142"}, JSON).json()["name"] == "TEL142"
    assert client.delete(address).status_code == 204
    assert not Group.objects.exists()


def test_groups_refuse_strangers_and_double_names(people, api):
    client = api(people.root)
    group = client.post("/api/groups", {"name": "g"}, JSON).json()
    assert client.post("/api/groups", {"name": "g"}, JSON).status_code == 400
    members = f"/api/groups/{group['id']}/members"
    for users in ([], [0], [2**63], [4711], "x", [None]):
        assert client.post(members, {"users": users}, JSON).status_code == 400
    assert client.delete(f"{members}/4711").status_code == 404


def test_me_changes_only_what_is_mine(people, api):
    client = api(people.simple)
    answer = client.patch("/api/auth/me", {"first_name": "Samuel", "language": "es", "kind": "manager"}, JSON)
    assert (answer.status_code, answer.json()["language"], answer.json()["kind"]) == (200, "es", "simple")
    with pytest.raises(Forbidden):
        actions.update_user(people.simple, actor=people.simple, is_superuser=True)


def test_changing_the_password_keeps_this_session_and_ends_the_rest(people, api, login):
    here, elsewhere, token = api(people.simple), api(people.simple), login("sam")["token"]
    body = {"old_password": PASSWORD, "new_password": "another good phrase"}
    assert here.post("/api/auth/password", body, JSON).status_code == 204
    assert here.get("/api/auth/me").status_code == 200
    assert elsewhere.get("/api/auth/me").status_code == 401
    assert api(token=token).get("/api/auth/me").status_code == 401
    assert Entry.objects.filter(verb="user.password", actor=people.simple).count() == 1


def test_a_wrong_old_or_weak_new_password_changes_nothing(people, api, login):
    client = api(people.simple)
    for old, new in ((WRONG, "another good phrase"), (PASSWORD, "123"), (PASSWORD, "")):
        answer = client.post("/api/auth/password", {"old_password": old, "new_password": new}, JSON)
        assert answer.status_code == 400
    assert login("sam")


def test_guessing_the_old_password_locks_out(people, api):
    client = api(people.simple)
    body = {"old_password": WRONG, "new_password": "another good phrase"}
    codes = [client.post("/api/auth/password", body, JSON).status_code for _attempt in range(6)]
    assert codes == [400, 400, 400, 400, 429, 429]


def test_an_invitation_is_mailed_in_the_users_language(people):
    user = actions.create_user("new", actor=people.root, email="new@example.org")
    actions.invite(user, actor=people.root, base_url="https://olimpus.example.org/")
    (letter,) = mail.outbox
    assert letter.to == ["new@example.org"]
    assert "https://olimpus.example.org/accounts/invitation/" in letter.body


def test_invitations_need_an_address_and_no_password(people):
    with pytest.raises(Invalid):
        actions.invite(actions.create_user("new", actor=None), actor=people.root)
    with pytest.raises(Conflict):
        actions.invite(people.simple, actor=people.root)
    assert mail.outbox == []


def test_there_is_an_end_to_tokens(people, monkeypatch):
    monkeypatch.setattr(actions, "TOKENS_EACH", 1)
    actions.issue_token(people.simple, "a")
    with pytest.raises(Conflict):
        actions.issue_token(people.simple, "b")
    assert ApiToken.objects.count() == 1
