"""Plans: pure functions of two files and of what is there."""

from __future__ import annotations

import pytest

from courses.manifest import read_course
from courses.plan import Found, Grant, Snapshot, make_plan
from courses.roster import Student
from olimpus.errors import Conflict, Invalid

COURSE = """\
course: TEL141
title: Redes
common: {flavor: small}
machines:
  web: {image: debian-12}
  db: {image: debian-12}
grants: {managers: [ana]}
"""
STUDENTS = [Student("u1", group="A", line=2), Student("u2", line=3)]
ROOT = {"/": Found(1, "folder", {})}
EMPTY = Snapshot(nodes=ROOT, emails={"ana": "ana@uni.edu"})


def carried_out(plan, there: Snapshot) -> Snapshot:
    """What is there after the plan was carried out."""
    nodes = dict(there.nodes)
    for number, item in enumerate(plan.create, start=1000):
        nodes[item.path] = Found(number, str(item.kind), item.definition or {})
    for update in plan.update:
        nodes[update.path] = Found(update.found.id, update.found.kind, update.after)
    emails = dict(there.emails) | {student.username: student.email for student in plan.users}
    return Snapshot(nodes, emails, there.groups, there.grants | set(plan.grants))


def plan(text=COURSE, students=STUDENTS, there=EMPTY):
    return make_plan(read_course(text), students, there)


def test_first_import():
    found = plan()
    assert [item.path for item in found.create] == [
        "/courses",
        "/courses/TEL141",
        "/courses/TEL141/u1",
        "/courses/TEL141/u1/web",
        "/courses/TEL141/u1/db",
        "/courses/TEL141/u2",
        "/courses/TEL141/u2/web",
        "/courses/TEL141/u2/db",
    ]
    assert found.counts() == {
        "folders": 4, "machines": 4, "users": 2, "grants": 3, "updates": 0, "unchanged": 0, "missing": 0,
    }  # fmt: skip
    by_path = {item.path: item.definition for item in found.create}
    assert by_path["/courses/TEL141"]["custom"] == {"course": {"code": "TEL141", "title": "Redes"}}
    assert by_path["/courses/TEL141/u1"] == {"student": "u1", "labels": {"group": "A"}}
    assert found.grants[0] == Grant("/courses/TEL141", "manager", "ana")


def test_second_import_has_nothing_to_do():
    again = plan(there=carried_out(plan(), EMPTY))
    assert again.is_empty
    assert again.counts()["unchanged"] == 8


def test_growth_adds_updates_and_reports():
    there = carried_out(plan(), EMPTY)
    text = COURSE.replace("db:", "dns:").replace("flavor: small", "flavor: medium")
    grown = plan(text, [STUDENTS[0], Student("u3", line=3)], there)
    assert [item.path for item in grown.create] == [
        "/courses/TEL141/u1/dns",
        "/courses/TEL141/u3",
        "/courses/TEL141/u3/web",
        "/courses/TEL141/u3/dns",
    ]
    assert [(update.path, update.parameters) for update in grown.update] == [("/courses/TEL141", ["flavor"])]
    assert [student.username for student in grown.users] == ["u3"]
    assert grown.missing == ("/courses/TEL141/u1/db", "/courses/TEL141/u2")
    assert plan(text, [STUDENTS[0], Student("u3", line=3)], carried_out(grown, there)).is_empty


def test_plans_are_deterministic():
    assert plan().as_data() == plan().as_data()


def test_two_students_in_one_folder():
    text = 'student_folder: "{group}"\n' + COURSE
    with pytest.raises(Invalid) as caught:
        plan(text, [Student("u1", group="A", line=2), Student("u2", group="A", line=3)])
    assert caught.value.where == "roster.csv:3"
    assert "roster.csv:2" in caught.value.message


def test_a_student_where_something_shared_is():
    with pytest.raises(Invalid, match="course.yaml"):
        plan(COURSE + "shared: {folders: {u1: {}}}")


def test_a_folder_name_that_cannot_be():
    with pytest.raises(Invalid) as caught:
        plan('student_folder: "{group}"\n' + COURSE, [Student("u1", group="a/b", line=7)])
    assert caught.value.where == "roster.csv:7"


def test_a_machine_where_a_folder_should_be():
    there = Snapshot(ROOT | {"/courses": Found(2, "descriptor", {})}, {"ana": ""})
    with pytest.raises(Conflict) as caught:
        plan(there=there)
    assert caught.value.where == "/courses"


def test_unknown_prototype_is_found_before_anything_is_made():
    with pytest.raises(Invalid) as caught:
        plan(COURSE.replace("image: debian-12", "prototype: wbe"))
    assert caught.value.where.startswith("course.yaml:5:3: machines.web")


def test_prototypes_of_folders_above_count():
    there = Snapshot({"/": Found(1, "folder", {"prototypes": {"wbe": {"image": "a"}}})}, {"ana": ""})
    assert plan(COURSE.replace("image: debian-12", "prototype: wbe"), there=there).create


def test_unknown_managers_are_named():
    with pytest.raises(Invalid) as caught:
        plan(COURSE.replace("[ana]", "[eva, 'group:tutors']"))
    assert [fault["where"] for fault in caught.value.errors] == [
        "course.yaml:7:21: grants.managers.0",
        "course.yaml:7:26: grants.managers.1",
    ]


def test_accounts_that_differ_in_case_or_share_an_address():
    there = Snapshot(ROOT, {"ana": "ana@uni.edu", "U1": ""})
    with pytest.raises(Invalid) as caught:
        plan(there=there, students=[Student("u1", line=2), Student("u9", email="ANA@uni.edu", line=3)])
    assert [fault["where"] for fault in caught.value.errors] == ["roster.csv:2: username", "roster.csv:3: email"]


def test_groups_that_look_like_references_are_text():
    found = plan(students=[Student("u1", group="${oops}", line=2)])
    assert found.create[2].definition["labels"] == {"group": "$${oops}"}
