"""Reading the journal: API, CSV, console."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import Q
from django.test import AsyncClient
from django.utils import timezone

from accounts import export, journal
from accounts.models import Entry

OPERATION = UUID("a1965f73-1703-43f7-b526-7fe4f322728e")


@pytest.fixture
def entries(people):
    """Four lines."""
    Entry.objects.all().delete()
    with journal.context(via="portal", source="10.0.0.1"):
        journal.record(people.simple, "vm.start", path="/a/b", node_id=5, operation_id=OPERATION)
        journal.record(people.manager, "vm.stop", path="/a/bc")
    with journal.context(via="worker"):
        journal.record(None, "folder.create", path="/a")
    journal.record(people.root, "user.create", data={"note": "=1+1"})
    Entry.objects.filter(verb="vm.stop").update(at=timezone.now() - timedelta(days=2))


@pytest.fixture
def api(api):
    """Clients whose sign-in is not part of the story."""

    def client(user):
        made = api(user)
        Entry.objects.filter(verb="user.sign_in").delete()
        return made

    return client


def verbs(client, query: str = "") -> list[str]:
    answer = client.get(f"/api/journal{query}")
    assert answer.status_code == 200, answer.content
    return [row["verb"] for row in answer.json()["results"]]


def cells(answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.getvalue().decode())))


def test_superusers_read_all_newest_first_others_their_own(entries, people, api):
    assert verbs(api(people.root)) == ["user.create", "folder.create", "vm.stop", "vm.start"]
    assert verbs(api(people.simple)) == ["vm.start"]
    assert verbs(api(people.manager)) == ["vm.stop"]


def test_higher_apps_may_widen_it(entries, people, api, monkeypatch):
    monkeypatch.setattr(journal, "_scopes", [])
    journal.widen(lambda user: Q(node_id=5))
    assert verbs(api(people.manager)) == ["vm.stop", "vm.start"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?actor=sam", ["vm.start"]),
        ("?verb=vm.stop", ["vm.stop"]),
        ("?verb=vm.*", ["vm.stop", "vm.start"]),
        ("?path=/a", ["folder.create", "vm.stop", "vm.start"]),
        ("?path=/a/b", ["vm.start"]),
        ("?path=/a/b/", ["vm.start"]),
        ("?path=/", ["user.create", "folder.create", "vm.stop", "vm.start"]),
        ("?node=5", ["vm.start"]),
        (f"?operation={OPERATION}", ["vm.start"]),
        ("?via=worker", ["folder.create"]),
        ("?until=2001-01-01T00:00:00Z", []),
        ("?since=2001-01-01T00:00:00Z&verb=vm.stop", ["vm.stop"]),
        ("?ordering=id&verb=vm.*", ["vm.start", "vm.stop"]),
    ],
)
def test_filters(entries, people, api, query, expected):
    assert verbs(api(people.root), query) == expected


def test_since_and_until_bound_the_time(entries, people, api):
    yesterday = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert verbs(api(people.root), f"?until={yesterday}") == ["vm.stop"]
    assert "vm.stop" not in verbs(api(people.root), f"?since={yesterday}")


@pytest.mark.parametrize(
    "query", ["?node=x", "?node=99999999999999999999", "?operation=x", "?since=x", "?path=%00", "?verb=%00", "?node=-1"]
)
def test_bad_filters_are_refused(entries, people, api, query):
    assert api(people.root).get(f"/api/journal{query}").status_code == 400
    assert api(people.root).get(f"/api/journal/export{query}").status_code == 400


def test_nobody_writes_the_journal(entries, people, api):
    client = api(people.root)
    one = Entry.objects.first()
    assert client.get(f"/api/journal/{one.pk}").json()["verb"] == one.verb
    for method in (client.post, client.put, client.patch, client.delete):
        assert method(f"/api/journal/{one.pk}").status_code == 405


@pytest.mark.parametrize("address", ["/api/journal/export?format=csv", "/api/journal/export", "/api/journal/export/"])
def test_export_is_a_file_of_all_rows(entries, people, api, address):
    answer = api(people.root).get(address)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "journal.csv" in answer["Content-Disposition"]
    header, *rows = cells(answer)
    assert tuple(header) == export.COLUMNS
    assert [row[3] for row in rows] == ["user.create", "folder.create", "vm.stop", "vm.start"]


def test_export_obeys_filters_and_visibility(entries, people, api):
    assert [row[3] for row in cells(api(people.root).get("/api/journal/export?verb=vm.*"))[1:]] == [
        "vm.stop",
        "vm.start",
    ]
    assert [row[3] for row in cells(api(people.simple).get("/api/journal/export"))[1:]] == ["vm.start"]


def test_unknown_formats_are_refused(entries, people, api):
    assert api(people.root).get("/api/journal/export?format=xml").status_code == 404
    assert api(people.root).get("/api/journal/export", headers={"Accept": "image/png"}).status_code == 406


def test_export_runs_page_by_page(people, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(export, "PAGE", 100)
    Entry.objects.all().delete()
    journal.record_many(journal.Draft(None, f"v{n}") for n in range(250))
    with django_assert_num_queries(4):
        text = "".join(export.pages(Entry.objects.all()))
    assert len(text.splitlines()) == 251
    assert [line.split(",")[3] for line in text.splitlines()[1:3]] == ["v249", "v248"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_formulas_are_made_harmless(text):
    assert export.harmless(text) == f"'{text}"


def test_plain_cells_stay_as_they_are():
    assert [export.harmless(v) for v in (None, 5, "a=b", "")] == ["", "5", "a=b", ""]


@pytest.mark.django_db(transaction=True)
async def test_export_streams_under_asgi(people):
    client = AsyncClient()
    await client.aforce_login(people.root, backend="django.contrib.auth.backends.ModelBackend")
    answer = await client.get("/api/journal/export")
    text = b"".join([chunk async for chunk in answer]).decode()
    assert answer.is_async
    assert text.startswith("id,at,actor")


def test_the_console_lists_searches_and_exports(entries, people, api):
    client = api(people.root)
    assert client.get("/admin/accounts/entry/?via=worker&q=/a").status_code == 200
    page = client.get("/admin/accounts/entry/").content.decode()
    assert "<code>folder.create</code>" in page
    answer = client.get("/admin/accounts/entry/export/")
    assert len(cells(answer)) == 5


def test_the_console_cannot_touch_the_journal(entries, people, api):
    client, one = api(people.root), Entry.objects.first()
    assert client.get(f"/admin/accounts/entry/{one.pk}/change/").status_code == 200
    assert client.post(f"/admin/accounts/entry/{one.pk}/change/", {"verb": "x"}).status_code == 403
    assert client.post(f"/admin/accounts/entry/{one.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/accounts/entry/add/").status_code == 403
    assert api(people.simple).get("/admin/accounts/entry/").status_code == 302
    assert "<code>folder.create</code>" not in api(people.manager).get("/admin/accounts/entry/").content.decode()
