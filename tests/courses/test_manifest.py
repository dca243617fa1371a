"""course.yaml: read, and every fault with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courses.manifest import read_course
from courses.roster import Student
from descriptors.models import Kind
from olimpus.errors import Invalid

COURSE = """\
course: TEL141
title: Redes
term: 2026-2
common:
  flavor: small
prototypes:
  web: {image: debian-12}
machines:
  web: {prototype: web}
  db:
    image: debian-12
    nics: [{network: lan, mac: "52-54-00-12-34-56"}]
grants:
  students: user
  managers: [ana, "group:tutors"]
shared:
  machines:
    gateway: {image: debian-12}
  folders:
    templates:
      common: {flavor: nano}
      machines: {base: {image: debian-12}}
"""


def faults_of(text: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        read_course(text)
    return [f"{f['where']} {f['message']} {f.get('hint', '')}" for f in caught.value.errors] or [str(caught.value)]


def test_a_course_file():
    course = read_course(COURSE)
    assert course.folder == "/courses/TEL141/2026-2"
    assert course.common == {"flavor": "small", "prototypes": {"web": {"image": "debian-12"}}}
    assert list(course.machines) == ["web", "db"]
    assert course.machines["db"]["nics"][0]["mac"] == "52:54:00:12:34:56"
    assert [(holder.name, holder.is_group) for holder in course.managers] == [("ana", False), ("tutors", True)]
    assert [(item.path, item.kind) for item in course.shared] == [
        ("/courses/TEL141/2026-2/gateway", Kind.DESCRIPTOR),
        ("/courses/TEL141/2026-2/templates", Kind.FOLDER),
        ("/courses/TEL141/2026-2/templates/base", Kind.DESCRIPTOR),
    ]


def test_the_least_course():
    course = read_course("course: X")
    assert (course.folder, course.student_folder, course.students_role) == ("/courses/X", "{username}", "user")


def test_folder_names_from_the_roster():
    course = read_course('course: X\nstudent_folder: "{group}-{username}"')
    assert course.folder_name(Student("ana", group="0831")) == "0831-ana"
    with pytest.raises(Invalid) as caught:
        read_course('course: X\nstudent_folder: "{usename}"').folder_name(Student("ana"))
    assert caught.value.where.startswith("course.yaml:2:1")
    assert "username" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("title: Redes", "course.yaml:1:1", "course"),
        ("- a", "course.yaml:1:1", "mapping"),
        ("course: X\nmachine: {}", "course.yaml:2:1: machine", "machines"),
        ("course: X\nmachines:\n  web: {imagen: a}", "course.yaml:3:9: machines.web: imagen", "image"),
        ("course: X\nmachines:\n  web:\n    memory_mib: 2G", "course.yaml:4:5: machines.web: memory_mib", "2048"),
        ("course: X\nmachines: [web]", "course.yaml:2:1: machines", "mapping"),
        ("course: X\nmachines:\n  a/b: {}", "course.yaml:3:3: machines.a/b", ""),
        ("course: X\nmachines:\n  common: {}", "course.yaml:3:3: machines.common", "reserved"),
        ("course: a/b", "course.yaml:1:1: course", ""),
        ("course: 141", "course.yaml:1:1: course", "quotes"),
        ("course: X\nfolder: courses", "course.yaml:2:1: folder", "slash"),
        ("course: X\nfolder: /", "course.yaml:2:1: folder", ""),
        ("course: X\nterm: 'a/../b'", "course.yaml:2:1: term", ""),
        ("course: X\ncommon: {cpus: 0}", "course.yaml:2:10: common: cpus", ""),
        ("course: X\nprototypes:\n  a:\n    cpuss: 1", "course.yaml:4:5: prototypes.a.cpuss", "cpus"),
        ("course: X\nstudent: {flavour: a}", "course.yaml:2:11: student: flavour", "flavor"),
        ("course: X\nstudent_folder: alumno", "course.yaml:2:1: student_folder", "braces"),
        ("course: X\nstudent_folder: 'a/{username}'", "course.yaml:2:1: student_folder", "slash"),
        ("course: X\ngrants: {students: teacher}", "course.yaml:2:10: grants.students", "manager, user"),
        ("course: X\ngrants: {manager: [a]}", "course.yaml:2:10: grants.manager", "managers"),
        ("course: X\ngrants: {managers: a}", "course.yaml:2:10: grants.managers", "list"),
        ("course: X\ngrants: {managers: [1]}", "course.yaml:2:21: grants.managers.0", "user name"),
        ("course: X\nshared: {folder: {}}", "course.yaml:2:10: shared.folder", "folders"),
        ("course: X\nshared: {machines: {a: {cpu: 1}}}", "course.yaml:2:25: shared.machines.a: cpu", "cpus"),
        ("course: X\ncourse: Y", "course.yaml:2:1", "twice"),
        ("course: [", "course.yaml:", ""),
        ("course: X\ncommon: {rights: {user: {creat: true}}}", "course.yaml:2:26: common: rights.user.creat", "create"),
    ],
)
def test_faults_name_line_column_and_field(text, place, hint):
    faults = faults_of(text)
    assert faults[0].startswith(place), faults
    assert hint in faults[0]


def test_all_faults_at_once():
    assert len(faults_of("course: X\ncommon: {cpus: x}\nmachines: {web: {imagen: a}}\ngrants: 3")) == 3


@given(st.text(max_size=200))
def test_any_text_is_a_course_or_invalid(text):
    fault = ""
    try:
        course = read_course(text)
    except Invalid as error:
        fault = error.where
    assert fault or course.name
