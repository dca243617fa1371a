"""A small course, its files, and who imports it."""

from __future__ import annotations

from pathlib import Path

import pytest

from accounts.models import User
from courses.actions import import_course, snapshot
from courses.manifest import read_course
from courses.plan import Plan, make_plan
from courses.roster import read_roster
from descriptors import tree

COURSE = """\
course: TEL141
title: Redes
common: {flavor: small, hypervisor: rack}
machines:
  web: {image: debian-12}
  db: {image: debian-12, disk_gib: 4}
"""
ROSTER = "código;nombres;correo\nu1;Íñigo;u1@uni.edu\nu2;王小明;u2@uni.edu\nu3;Ñusta;\n"


@pytest.fixture
def admin(db) -> User:
    tree.plant()
    return User.objects.create_superuser("root", "root@uni.edu", "pw-of-the-root")


def planned(course: str = COURSE, roster: str = ROSTER) -> Plan:
    """The plan of these two texts against the database."""
    parsed = read_course(course)
    return make_plan(parsed, read_roster(roster.encode()), snapshot(parsed))


@pytest.fixture
def imported(admin):
    return import_course(planned(), actor=admin)


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    course, roster = tmp_path / "course.yaml", tmp_path / "roster.csv"
    course.write_text(COURSE)
    roster.write_text(ROSTER)
    return course, roster
