"""`nodes/brief`: whole branches, patterns, filters, what one may see, and how fast."""

from __future__ import annotations

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from descriptors import actions
from tests import factories


def brief(world, who, **query) -> list[str]:
    answer = world.api(who).get("/api/nodes/brief", query)
    assert answer.status_code == 200, answer.content
    assert answer.json()["count"] == len(answer.json()["results"])
    return [row["path"] for row in answer.json()["results"]]


@pytest.fixture
def campus(world):
    assert world.ana.web
    assert world.sam.web
    assert world.probe
    return world


def test_a_row_says_what_a_line_shows(campus):
    web, folder = campus.sam.web, campus.sam.folder
    actions.request("create", web, actor=campus.sam.user)
    answer = campus.api(campus.sam.user).get(f"/api/nodes/brief?path={folder.path}").json()
    web.refresh_from_db()
    assert (answer["path"], answer["count"]) == (folder.path, 2)
    assert answer["results"][1] == {
        "id": web.pk,
        "path": web.path,
        "kind": "descriptor",
        "state": "provisioned",
        "state_since": web.state_since.isoformat().replace("+00:00", "Z"),
        "hypervisor": "mock-1",
        "verb": "create",
        "reason": "",
    }


def test_the_order_is_that_of_a_walk(campus):
    factories.folder("/courses/TEL141-b", campus.root)
    factories.folder("/courses/TEL141/sam b", campus.root)
    walked = brief(campus, campus.root, path="/courses")
    assert walked == [
        "/courses/TEL141",
        "/courses/TEL141/ana",
        "/courses/TEL141/ana/db",
        "/courses/TEL141/ana/web",
        "/courses/TEL141/sam",
        "/courses/TEL141/sam/db",
        "/courses/TEL141/sam/web",
        "/courses/TEL141/sam b",
        "/courses/TEL141-b",
    ]


def test_depth(campus):
    course = campus.tel141.path
    assert brief(campus, campus.mia, path="/courses", depth=0) == ["/courses"]
    assert brief(campus, campus.mia, path="/courses", depth=1) == [course]
    assert brief(campus, campus.mia, path="/courses", depth=2) == [course, f"{course}/ana", f"{course}/sam"]
    assert brief(campus, campus.root, path="/", depth=1) == ["/courses", "/lab"]
    assert brief(campus, campus.root, depth=2) == ["/courses", course, "/lab", "/lab/probe"]
    assert brief(campus, campus.mia, path=f"{course}/common", depth=0) == [course]


def test_a_machine_is_answered_with_itself(campus):
    for query in ({}, {"depth": 0}, {"depth": 1}):
        assert brief(campus, campus.sam.user, path=campus.sam.web.path, **query) == [campus.sam.web.path]


def test_filters_are_those_of_lists(campus):
    campus.do("create", campus.sam.web)
    mia = campus.mia
    assert brief(campus, mia, path="/courses", state="created") == [campus.sam.web.path]
    assert brief(campus, mia, path="/courses", kind="descriptor", q="WE") == [campus.ana.web.path, campus.sam.web.path]
    assert len(brief(campus, mia, label="course=TEL141", kind="descriptor", hypervisor="mock-1")) == 4
    assert brief(campus, mia, path=campus.sam.web.path, state="running") == []
    assert brief(campus, mia, glob="/courses/*/*/web", state="created") == [campus.sam.web.path]


def test_patterns(campus):
    both = [campus.ana.web.path, campus.sam.web.path]
    assert brief(campus, campus.mia, glob="/courses/*/*/web") == both
    assert brief(campus, campus.mia, glob="/courses/**/web") == both
    assert brief(campus, campus.mia, glob="/**/[as]*m/d?") == [campus.sam.db.path]
    assert brief(campus, campus.mia, glob=campus.sam.web.path) == both[1:]
    assert brief(campus, campus.root, glob="/l*/**") == ["/lab/probe"]
    assert brief(campus, campus.root, glob="/") == ["/"]


def test_nobody_sees_more_than_he_may(campus):
    sam = campus.sam
    assert brief(campus, sam.user) == [sam.folder.path, sam.db.path, sam.web.path]
    assert brief(campus, sam.user, path="/courses", depth=1) == []
    assert brief(campus, sam.user, glob="/**/web") == [sam.web.path]
    assert brief(campus, sam.user, glob="/lab/*") == brief(campus, sam.user, glob="/nowhere/*") == []
    for hidden in ("/lab", "/lab/probe", "/nowhere"):
        for depth in ("", "&depth=0", "&depth=1"):
            answer = campus.api(sam.user).get(f"/api/nodes/brief?path={hidden}{depth}")
            assert answer.status_code == 404, hidden
    assert APIClient().get("/api/nodes/brief").status_code == 401


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("depth=-1", "depth"),
        ("depth=x", "depth"),
        ("glob=a", "glob"),
        ("glob=/" + "*" * 40, "glob"),
        ("glob=/*&path=/courses", "glob"),
        ("glob=/*&depth=1", "glob"),
        ("glob=/" + "a" * 900, "glob"),
        ("state=x", "state"),
        ("kind=x", "kind"),
    ],
)
def test_nonsense_is_refused_by_name(campus, query, where):
    answer = campus.api(campus.mia).get(f"/api/nodes/brief?{query}")
    assert answer.status_code == 400
    assert where in str(answer.json())


def test_thousands_of_rows_take_a_moment_and_no_more_queries(campus):
    factories.folder("/many", campus.root)
    factories.many_machines("/many", 5000, campus.root)
    api = campus.api(campus.root)
    api.get("/api/nodes/brief?path=/lab")
    with CaptureQueriesContext(connection) as few:
        api.get("/api/nodes/brief?path=/lab")
    begun = time.perf_counter()
    with CaptureQueriesContext(connection) as many:
        answer = api.get("/api/nodes/brief?path=/many")
    assert time.perf_counter() - begun < 2
    assert answer.json()["count"] == 5000
    assert len(few) == len(many) <= 3
