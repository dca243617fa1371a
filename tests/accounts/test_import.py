"""Users and groups from a CSV file, by the action and by the API."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts import actions
from accounts.models import Entry, User
from accounts.people_import import MAX_BYTES, make_plan
from olimpus.errors import Forbidden, Invalid, Stale, TooLarge

FILE = (
    "usuario;correo;nombres;apellidos;tipo;grupos;nota\n"
    "ana;ana@uni.edu;Ana;Ñahui;profesora;TEL141 | lab;18\n"
    "sam;sam@uni.edu;Samuel;;;TEL141;11\n"
    "root;x@uni.edu;X;;simple;;\n"
)


def faults_of(text: str, **options) -> list[str]:
    return [fault["where"] for fault in make_plan(text.encode(), name="f.csv", **options).faults]


def test_a_spanish_file_makes_and_changes_people_and_groups(people):
    plan = actions.import_people(FILE.encode("cp1252"), actor=people.root)
    assert plan.counts() == {"new": 1, "changed": 1, "unchanged": 0, "superusers": 1, "groups": 2, "faults": 0}
    assert plan.ignored == ("nota",)
    ana = User.objects.get(username="ana")
    assert (ana.last_name, ana.kind, ana.is_staff, ana.has_usable_password()) == ("Ñahui", "manager", True, False)
    assert sorted(ana.groups.values_list("name", flat=True)) == ["TEL141", "lab"]
    sam = User.objects.get(username="sam")
    assert (sam.first_name, sam.email, sam.kind, sam.has_usable_password()) == ("Samuel", "sam@uni.edu", "simple", True)
    people.root.refresh_from_db()
    assert (people.root.email, people.root.is_superuser) == ("root@example.org", True)


def test_every_change_is_in_the_journal(people):
    actions.import_people(FILE.encode(), actor=people.root)
    told = list(Entry.objects.order_by("id").values_list("verb", flat=True))
    assert sorted(told) == [
        "group.add", "group.add", "group.create", "group.create", "user.create", "user.import", "user.update",
    ]  # fmt: skip
    assert Entry.objects.get(verb="user.update").data == {"user": "sam", "changed": ["email", "first_name"]}


def test_a_second_import_changes_nothing(people):
    actions.import_people(FILE.encode(), actor=people.root)
    before = Entry.objects.count()
    again = actions.import_people(FILE.encode(), actor=people.root)
    assert again.is_empty
    assert sorted(again.unchanged) == ["ana", "sam"]
    assert Entry.objects.count() == before


def test_empty_cells_and_absent_groups_take_nothing_away(people):
    people.simple.groups.add(Group.objects.create(name="old"))
    actions.import_people(b"username,first name,email,groups\nsam,,,new\n", actor=people.root)
    people.simple.refresh_from_db()
    assert (people.simple.first_name, people.simple.email) == ("Sam", "sam@example.org")
    assert set(people.simple.groups.values_list("name", flat=True)) == {"old", "new"}


def test_faults_are_told_by_line_and_column_and_nothing_is_done(people):
    text = "username,email,kind,groups\na b,x,wizard,\n,,,\n,a@b.pe,,\nleo,,,g\nLEO,,,\n"
    assert faults_of(text) == [
        "f.csv:2: username", "f.csv:2: kind", "f.csv:2: email", "f.csv:3", "f.csv:4: username", "f.csv:6: username",
    ]  # fmt: skip
    with pytest.raises(Invalid) as caught:
        actions.import_people(text.encode(), actor=people.root)
    assert len(caught.value.errors) == 6
    assert not User.objects.filter(username="leo").exists()


def test_groups_are_made_only_when_wanted(people):
    assert faults_of("username,groups\nana,new\n", make_groups=False) == ["f.csv:2: groups"]
    assert faults_of("username,groups\nana,new\n") == []


def test_a_preview_that_is_out_of_date_is_refused(people):
    shown = actions.plan_people(FILE.encode(), actor=people.root).digest()
    User.objects.create_user("ana")
    with pytest.raises(Stale):
        actions.import_people(FILE.encode(), actor=people.root, expected=shown)
    assert not Group.objects.exists()


@pytest.mark.parametrize("data", [b"", b"nombre\nAna\n", b"username,,user,User\na\n", b'username\n"a\n', b"\x00\x01"])
def test_what_is_no_table_of_users_is_refused(people, data):
    with pytest.raises(Invalid):
        make_plan(data)


def test_files_are_bounded(people):
    with pytest.raises(TooLarge):
        make_plan(b"username\n" + b"a" * MAX_BYTES)
    with pytest.raises(TooLarge):
        make_plan(b"username\n" + b"a\n" * 10_001)


def test_managers_import_nobody(people):
    with pytest.raises(Forbidden):
        actions.plan_people(FILE.encode(), actor=people.manager)


def test_queries_grow_by_chunks_only(people, django_assert_max_num_queries):
    rows = "".join(f"u{n},g{n % 3}\n" for n in range(400))
    with django_assert_max_num_queries(50):
        actions.import_people(f"username,groups\n{rows}".encode(), actor=people.root)
    assert User.objects.filter(groups__name="g1").count() == 133


# -- the API ---------------------------------------------------------------------------------------------------------


def send(client, text: str = FILE, **options):
    return client.post("/api/users/import", {"file": SimpleUploadedFile("people.csv", text.encode()), **options})


def test_the_api_tells_first_and_does_then(people, api):
    client = api(people.root)
    told = send(client, dry_run="true").json()
    assert (told["applied"], told["counts"]["new"]) == (False, 1)
    assert told["changed"][0]["fields"]["first_name"] == {"before": "Sam", "after": "Samuel"}
    assert not User.objects.filter(username="ana").exists()
    done = send(client).json()
    assert (done["applied"], done["new_groups"]) == (True, ["TEL141", "lab"])
    assert Entry.objects.filter(verb="user.import").get().via == "api"


def test_the_api_refuses_bad_files_and_others(people, api):
    answer = send(api(people.root), "username,kind\nana,wizard\n")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["where"] == "people.csv:2: kind"
    assert send(api(people.root), "username,kind\nana,wizard\n", dry_run="true").json()["counts"]["faults"] == 1
    assert api(people.root).post("/api/users/import", {}).status_code == 400
    assert send(api(people.manager)).status_code == 403
    assert send(api(people.simple)).status_code == 403


def test_unlocking_over_the_api(people, api, settings, client):
    for _attempt in range(settings.AXES_FAILURE_LIMIT):
        client.post("/api/auth/login", {"username": "sam", "password": "wrong horse"}, "application/json")
    good = {"username": "sam", "password": "correct horse battery"}
    assert client.post("/api/auth/login", good, "application/json").status_code == 429
    assert api(people.manager).post(f"/api/users/{people.simple.pk}/unlock").status_code == 403
    assert api(people.root).post(f"/api/users/{people.simple.pk}/unlock").status_code == 200
    assert client.post("/api/auth/login", good, "application/json").status_code == 200
    assert Entry.objects.get(verb="user.unlock").data["user"] == "sam"
