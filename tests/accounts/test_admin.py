"""People, groups, tokens, failed sign-ins, the import and the journal in the console."""

from __future__ import annotations

import re

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts import journal
from accounts.models import ApiToken, Entry, User

USERS = "/admin/accounts/user/"
IMPORT = f"{USERS}import/"
JOURNAL = "/admin/accounts/entry/"
FILE = "usuario,correo,grupos\nana,ana@uni.edu,lab\nsam,new@uni.edu,\n"


def text(answer) -> str:
    assert answer.status_code == 200, answer
    return answer.content.decode()


@pytest.fixture
def root(people, api):
    return api(people.root)


# -- people ----------------------------------------------------------------------------------------------------------


def test_the_list_says_what_each_account_is(root, people, django_assert_max_num_queries):
    for n in range(20):
        user = User.objects.create_user(f"user-{n:02}", is_active=n % 2 == 0)
        user.groups.add(Group.objects.get_or_create(name=f"g{n % 4}")[0])
    with django_assert_max_num_queries(15):
        page = text(root.get(USERS))
    assert "no password yet" in page
    assert "closed" in page
    assert f'href="{USERS}{people.simple.pk}/"' in page


def test_the_page_of_a_person(root, people, django_assert_max_num_queries):
    row, _clear = ApiToken.issue(people.simple, "cli")
    people.simple.groups.add(Group.objects.create(name="lab"))
    journal.record(people.simple, "user.sign_in")
    with django_assert_max_num_queries(15):
        page = text(root.get(f"{USERS}{people.simple.pk}/"))
    for shown in ("lab", row.prefix, "signed in", "sam@example.org", "No role anywhere"):
        assert shown in page
    assert row.digest not in page


def test_deeds_on_the_page_of_a_person(root, people):
    do = f"{USERS}{people.simple.pk}/do/"
    group = Group.objects.create(name="lab")
    row, _clear = ApiToken.issue(people.simple, "cli")
    root.post(do, {"deed": "join", "group": "lab"})
    assert list(people.simple.groups.all()) == [group]
    root.post(do, {"deed": "leave", "group": "lab"})
    root.post(do, {"deed": "revoke", "token": row.pk})
    root.post(do, {"deed": "deactivate"})
    people.simple.refresh_from_db()
    assert (people.simple.groups.count(), people.simple.is_active) == (0, False)
    assert not ApiToken.objects.usable().exists()
    root.post(do, {"deed": "activate"})
    assert User.objects.get(username="sam").is_active
    assert Entry.objects.filter(via="admin").count() == 5


@pytest.mark.parametrize(
    "sent",
    [{}, {"deed": "odd"}, {"deed": "join", "group": "no such"}, {"deed": "revoke", "token": "9x"}, {"deed": "invite"}],
)
def test_what_cannot_be_done_is_said(root, people, sent):
    answer = root.post(f"{USERS}{people.simple.pk}/do/", sent, follow=True)
    assert "notice-error" in text(answer) or "notice-danger" in text(answer)
    assert not mail.outbox
    assert not Entry.objects.exclude(verb__startswith="user.sign").exists()


def test_a_locked_account_is_seen_and_unlocked(root, people, settings):
    AccessAttempt.objects.create(
        username="sam", ip_address="10.0.0.9", user_agent="x", failures_since_start=settings.AXES_FAILURE_LIMIT,
        attempt_time=timezone.now(), post_data="password=hidden",
    )  # fmt: skip
    assert "locked out" in text(root.get(USERS))
    attempts = text(root.get("/admin/axes/accessattempt/"))
    assert "locked out" in attempts
    assert "password=hidden" not in attempts
    root.post(f"{USERS}{people.simple.pk}/do/", {"deed": "unlock"})
    assert not AccessAttempt.objects.exists()
    assert Entry.objects.get(verb="user.unlock").actor == people.root


def test_others_see_none_of_it(people, api):
    manager = api(people.manager)
    pages = (USERS, IMPORT, f"{USERS}{people.simple.pk}/", "/admin/auth/group/", "/admin/accounts/apitoken/",
             "/admin/axes/accessattempt/")  # fmt: skip
    for page in pages:
        assert manager.get(page).status_code == 403, page
    assert manager.post(f"{USERS}{people.simple.pk}/do/", {"deed": "deactivate"}).status_code == 403
    assert User.objects.get(username="sam").is_active


def test_members_of_a_group(root, people, django_assert_max_num_queries):
    group = Group.objects.create(name="lab")
    page = f"/admin/auth/group/{group.pk}/"
    root.post(page, {"users": "sam, mia"})
    assert group.user_set.count() == 2
    assert "There is no user" in text(root.post(page, {"users": "sam nobody"}, follow=True))
    root.post(page, {"out": people.simple.pk})
    assert list(group.user_set.all()) == [people.manager]
    with django_assert_max_num_queries(15):
        assert "mia" in text(root.get(page))
    assert "No member matches" in text(root.get(f"{page}?q=zzz"))


# -- import ----------------------------------------------------------------------------------------------------------


def hidden(page: str, name: str) -> str:
    return re.search(rf'name="{name}" value="([^"]*)"', page)[1]


def upload(content: str) -> dict:
    return {"file": SimpleUploadedFile("people.csv", content.encode()), "make_groups": "1"}


def test_an_import_is_shown_and_then_done(root, people):
    page = text(root.post(IMPORT, upload(FILE)))
    assert "new@uni.edu" in page
    assert not User.objects.filter(username="ana").exists()
    sent = {name: hidden(page, name) for name in ("data", "name", "digest")}
    answer = root.post(IMPORT, {**sent, "make_groups": "1", "apply": "1"}, follow=True)
    assert "1 account made, 1 changed, 1 group made" in text(answer)
    assert User.objects.get(username="ana").groups.get().name == "lab"
    assert "Nothing to do" in text(root.post(IMPORT, upload(FILE)))


def test_a_preview_out_of_date_is_shown_anew(root, people):
    page = text(root.post(IMPORT, upload(FILE)))
    User.objects.create_user("ana")
    sent = {name: hidden(page, name) for name in ("data", "name", "digest")}
    page = text(root.post(IMPORT, {**sent, "make_groups": "1", "apply": "1"}))
    assert "changed since the preview" in page
    assert User.objects.get(username="sam").email == "sam@example.org"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({}, "Choose a file"),
        ({"data": "###"}, "damaged"),
        (upload("nombre\nAna\n"), "No column tells the user names"),
        (upload("usuario,tipo\nana,wizard\n"), "people.csv:2: kind"),
    ],
)
def test_bad_files_are_told(root, people, sent, shown):
    assert shown in text(root.post(IMPORT, sent))
    assert not User.objects.filter(username="ana").exists()


# -- journal ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def told(people):
    journal.record(people.root, "vm.start", path="/a/web", node_id=1)
    journal.record(None, "vm.start.failed", path="/a/web", node_id=1, data={"error": {"message": "no room"}})
    journal.record(people.manager, "hypervisor.test", data={"hypervisor": "rack-1", "ok": False})
    journal.record(people.root, "folder.create", path="/b", node_id=2)


def codes(page: str) -> list[str]:
    """The verbs of the page's entries but those of signing in, which the test itself makes."""
    return re.findall(r"<code>((?:vm|hypervisor|folder)\.[a-z_.]+)</code>", page)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["folder.create", "hypervisor.test", "vm.start.failed", "vm.start"]),
        ("?outcome=failed", ["hypervisor.test", "vm.start.failed"]),
        ("?outcome=succeeded", ["folder.create", "vm.start"]),
        ("?verb=vm.start*", ["vm.start.failed", "vm.start"]),
        ("?path=/a", ["vm.start.failed", "vm.start"]),
        ("?q=NO+ROOM", ["vm.start.failed"]),
        ("?q=rack-1&verb=hypervisor.*", ["hypervisor.test"]),
        ("?actor=mia", ["hypervisor.test"]),
        ("?range=1h", ["folder.create", "hypervisor.test", "vm.start.failed", "vm.start"]),
        ("?from=2999-01-01T00:00", []),
        ("?to=2000-01-01T00:00", []),
    ],
)
def test_the_journal_is_filtered(root, told, query, found):
    assert codes(text(root.get(f"{JOURNAL}{query}"))) == found
    lines = b"".join(root.get(f"{JOURNAL}export/{query}").streaming_content).decode().splitlines()
    assert [line.split(",")[3] for line in lines[1:] if "sign_in" not in line] == found


@pytest.mark.parametrize("query", ["?from=yesterday", "?to=2026-13-01T00:00", "?node=x", "?outcome=odd"])
def test_bad_filters_are_told_and_find_nothing(root, told, query):
    page = text(root.get(f"{JOURNAL}{query}"))
    assert 'class="field-error"' in page
    assert codes(page) == []
    assert root.get(f"{JOURNAL}export/{query}").status_code == 302


def test_the_journal_is_paged_and_counts_what_is_new(root, people, told, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr("accounts.admin.records.PER_PAGE", 3)
    Entry.objects.filter(verb="user.sign_in").delete()
    with django_assert_max_num_queries(15):
        page = text(root.get(JOURNAL))
    assert len(codes(page)) == 3
    before = re.search(r"before=(\d+)", page)[1]
    assert codes(text(root.get(f"{JOURNAL}?before={before}"))) == ["vm.start"]
    newest = Entry.objects.order_by("-id").first().pk
    assert root.get(f"{JOURNAL}news/?after={newest}").json() == {"count": 0, "many": False}
    journal.record(people.root, "folder.create", path="/c")
    assert root.get(f"{JOURNAL}news/?after={newest}").json()["count"] == 1
    assert root.get(f"{JOURNAL}news/?after={newest}&path=/a").json()["count"] == 0


def test_managers_read_their_own_lines_only(people, api, told):
    manager = api(people.manager)
    assert codes(text(manager.get(JOURNAL))) == ["hypervisor.test"]
    assert len(b"".join(manager.get(f"{JOURNAL}export/").streaming_content).splitlines()) == 3
    assert manager.get(f"{JOURNAL}news/?after=0").json()["count"] == 2
    for page in ("", "export/", "news/"):
        assert api(people.simple).get(f"{JOURNAL}{page}").status_code == 302
