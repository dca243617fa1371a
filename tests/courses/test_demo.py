"""The demo: complete, repeatable, and never set back."""

from __future__ import annotations

import io
import stat
from dataclasses import replace

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Entry, User
from courses import demo
from courses.manifest import read_course
from courses.roster import read_roster
from descriptors import tree
from descriptors.models import Descriptor, Node
from descriptors.permissions import can
from descriptors.selectors import computed
from hypervisors.models import Hypervisor
from olimpus import env
from slices import topology
from slices.actions.making import create


@pytest.fixture
def home(db, tmp_path, monkeypatch, settings):
    tree.plant()
    settings.OLIMPUS_HOME = tmp_path
    monkeypatch.setenv("OLIMPUS_HOME", str(tmp_path))
    monkeypatch.delenv("OLIMPUS_DEMO_PASSWORD", raising=False)
    return tmp_path


def test_the_demo(home):
    loaded = demo.load()
    assert (loaded.changed, loaded.own) == (True, ())
    assert Descriptor.objects.count() == 360
    people = {name: User.objects.get(username=name) for name in demo.ACCOUNTS}
    assert [people[name].role for name in demo.ACCOUNTS] == ["superuser", "manager", "simple"]
    assert all(user.check_password(loaded.password) for user in people.values())
    assert Hypervisor.objects.get().name == "mock"
    machine = Node.objects.get(path="/courses/TEL141/2026-2/student/web")
    assert computed(machine).values["hypervisor"] == "mock"
    assert computed(machine).values["vm_name"] == "TEL141-student-web"
    assert can(people["student"], "start", machine)
    assert can(people["manager"], "edit", machine)
    assert Group.objects.get(name="TEL141").user_set.count() == 120
    ring = replace(topology.generate("ring", {"size": 3}), name="ring")
    assert create(ring, "/courses/TEL141/2026-2", actor=people["manager"]).is_folder  # a teacher's slice in his course


def test_loading_it_again_changes_nothing_and_is_cheap(home):
    first = demo.load()
    entries = Entry.objects.count()
    with CaptureQueriesContext(connection) as queries:
        second = demo.load()
    assert (second.changed, second.password) == (False, first.password)
    assert len(queries) == 1
    assert Entry.objects.count() == entries


def test_the_password_is_kept_privately(home):
    password = demo.load().password
    file = home / "demo-password"
    assert file.read_text() == password
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(password) >= 12


def test_the_password_of_the_environment_wins(home, monkeypatch):
    demo.load()
    monkeypatch.setenv("OLIMPUS_DEMO_PASSWORD", "short")
    assert demo.load().password == "short"
    assert User.objects.get(username="student").check_password("short")
    monkeypatch.delenv("OLIMPUS_DEMO_PASSWORD")
    assert demo.load() == demo.Loaded("short", changed=False)


def test_a_password_that_somebody_chose_stays(home):
    demo.load()
    admin = User.objects.get(username="admin")
    admin.set_password("chosen-by-myself")
    admin.save()
    assert demo.load().own == ("admin",)
    assert User.objects.get(username="admin").check_password("chosen-by-myself")


def test_what_was_changed_in_the_demo_is_not_set_back(home):
    demo.load()
    Node.objects.filter(path="/").update(definition={"flavor": "nano"})
    (home / "demo-loaded").unlink()
    demo.load()
    assert Node.objects.get(path="/").definition == {"flavor": "nano"}


def test_the_command_prints_the_accounts(home):
    out = io.StringIO()
    call_command("load_demo", stdout=out)
    assert all(name in out.getvalue() for name in demo.ACCOUNTS)
    assert env.kept("demo-password", str) in out.getvalue()


def test_the_example_files():
    students = read_roster((demo.FILES / "roster.csv").read_bytes())
    course = read_course((demo.FILES / "course.yaml").read_bytes())
    assert (len(students), len(course.machines)) == (120, 3)
    assert any("ñ" in student.last_name.lower() for student in students)
    assert any("一" <= student.last_name[0] <= "鿿" for student in students)
