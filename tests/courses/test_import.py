"""Imports into the real tree: repeatable, growing, all or nothing, allowed."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Entry, User
from courses import actions
from courses.actions import effects, import_course, send_invitations
from descriptors import tree
from descriptors.actions import create_folder, edit, grant
from descriptors.models import Descriptor, Node, NodeUserObjectPermission
from descriptors.permissions import can
from descriptors.tree_check import faults
from olimpus.errors import Conflict, Forbidden, NotFound, Stale
from tests.courses.conftest import COURSE, ROSTER, planned

HOME = "/courses/TEL141"


def everything() -> tuple:
    """All that an import could change."""
    return (
        list(Node.objects.order_by("path").values_list("path", "kind", "definition", "lft", "rght", "version")),
        list(User.objects.order_by("pk").values_list("username", "password", "email")),
        list(NodeUserObjectPermission.objects.order_by("pk").values_list("user", "permission", "content_object")),
        Entry.objects.count(),
    )


def test_what_an_import_makes(imported, admin):
    assert (imported.created, imported.updated, imported.granted) == (11, 0, 3)
    assert imported.folder.path == HOME
    assert Descriptor.objects.filter(state="provisioned").count() == 6
    assert Node.objects.get(path=f"{HOME}/u2/db").definition == {"image": "debian-12", "disk_gib": 4}
    assert Node.objects.get(path=f"{HOME}/u2").definition == {"student": "u2", "description": "王小明"}
    assert tree.by_path(HOME).definition["custom"]["course"]["title"] == "Redes"


def test_new_accounts_cannot_sign_in_yet(imported):
    user = User.objects.get(username="u2")
    assert not user.has_usable_password()
    assert (user.first_name, user.email, user.role, user.is_staff) == ("王小明", "u2@uni.edu", "simple", False)


def test_students_see_their_own_machines_only(imported):
    student = User.objects.get(username="u1")
    assert can(student, "start", f"{HOME}/u1/web")
    assert not can(student, "edit", f"{HOME}/u1/web")
    assert not can(student, "see", f"{HOME}/u2/web")


def test_the_journal_tells_all_of_it(imported):
    verbs = list(Entry.objects.values_list("verb", flat=True))
    counts = {verb: verbs.count(verb) for verb in set(verbs)}
    assert counts == {
        "folder.create": 5, "descriptor.create": 6, "user.create": 3, "grant.add": 3, "course.import": 1,
    }  # fmt: skip
    assert Entry.objects.get(verb="course.import").path == HOME


def test_a_second_import_changes_nothing(imported, admin):
    before = everything()
    plan = planned()
    assert plan.is_empty
    result = import_course(plan, actor=admin)
    assert (result.created, result.updated, result.granted, result.users) == (0, 0, 0, ())
    assert everything() == before


def test_growth(imported, admin):
    course = COURSE.replace("disk_gib: 4", "disk_gib: 8") + "  dns: {image: alpine}\n"
    plan = planned(course, ROSTER.replace("u3;Ñusta;\n", "u4;Zoë;\n"))
    result = import_course(plan, actor=admin)
    assert (result.created, result.updated, len(result.users)) == (6, 2, 1)
    assert plan.missing == (f"{HOME}/u3",)
    assert Node.objects.get(path=f"{HOME}/u1/db").definition["disk_gib"] == 8
    assert Node.objects.get(path=f"{HOME}/u1/db").version == 2
    assert Node.objects.get(path=f"{HOME}/u3/db").definition["disk_gib"] == 4
    assert faults() == []


def test_a_changed_folder_reaches_all_machines(imported, admin):
    plan = planned(COURSE.replace("flavor: small", "flavor: medium"))
    assert effects(plan).counts["now"] == 6
    assert import_course(plan, actor=admin).updated == 1


def test_a_machine_in_use_refuses_a_new_image_and_nothing_changes(imported, admin):
    Descriptor.objects.filter(path=f"{HOME}/u2/web").update(state="running")
    before = everything()
    plan = planned(COURSE.replace("web: {image: debian-12}", "web: {image: debian-13}") + "  dns: {image: alpine}\n")
    with pytest.raises(Conflict) as caught:
        import_course(plan, actor=admin)
    assert caught.value.where == f"{HOME}/u2/web"
    assert everything() == before


def test_all_or_nothing(admin, monkeypatch):
    before = everything()

    def broken(*args, **kwargs):
        raise Conflict("the last step fails")

    monkeypatch.setattr(actions, "grant_many", broken)
    with pytest.raises(Conflict):
        import_course(planned(), actor=admin)
    assert everything() == before


def test_what_somebody_else_did_meanwhile_is_noticed(imported, admin):
    plan = planned(COURSE.replace("disk_gib: 4", "disk_gib: 8"))
    edit(Node.objects.get(path=f"{HOME}/u1/db"), {"image": "mine"}, actor=admin)
    before = everything()
    with pytest.raises(Stale):
        import_course(plan, actor=admin)
    assert everything() == before


def test_the_same_plan_twice_is_refused(admin):
    plan = planned()
    import_course(plan, actor=admin)
    before = everything()
    with pytest.raises(Conflict):
        import_course(plan, actor=admin)
    assert everything() == before


def test_an_account_made_meanwhile(admin):
    plan = planned()
    User.objects.create_user("u2")
    with pytest.raises(Conflict):
        import_course(plan, actor=admin)
    assert not Node.objects.filter(path=HOME).exists()


def test_existing_accounts_are_left_as_they_are(admin):
    User.objects.create_user("u1", "own@home.pe", "own-password")
    result = import_course(planned(), actor=admin)
    assert {user.username for user in result.users} == {"u2", "u3"}
    user = User.objects.get(username="u1")
    assert (user.email, user.check_password("own-password")) == ("own@home.pe", True)
    assert can(user, "see", f"{HOME}/u1")


def test_managers_and_groups(admin):
    teacher, tutor = User.objects.create_user("ana", kind="manager"), User.objects.create_user("eva")
    tutor.groups.add(Group.objects.create(name="tutors"))
    course = COURSE + "grants: {managers: [ana, 'group:tutors'], students: null}\n"
    import_course(planned(course), actor=admin)
    assert can(teacher, "edit", f"{HOME}/u1/web")
    assert can(tutor, "edit", f"{HOME}/u1/web")
    assert not can(User.objects.get(username="u1"), "see", f"{HOME}/u1/web")
    assert planned(course).is_empty


# -- who may ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def teacher(admin):
    folder = create_folder(Node.objects.get(path="/"), "courses", actor=admin)
    teacher = User.objects.create_user("ana", kind="manager")
    grant(folder, "manager", user=teacher, actor=admin)
    return teacher


def with_accounts():
    User.objects.bulk_create([User(username=f"u{number}") for number in (1, 2, 3)])


def test_a_manager_imports_into_his_folder(teacher):
    with_accounts()
    assert import_course(planned(), actor=teacher).created == 10


def test_a_manager_makes_no_accounts(teacher):
    before = everything()
    with pytest.raises(Forbidden):
        import_course(planned(), actor=teacher)
    assert everything() == before


def test_a_manager_imports_nowhere_else(teacher):
    with_accounts()
    with pytest.raises((Forbidden, NotFound)):
        import_course(planned("folder: /elsewhere/TEL141\n" + COURSE), actor=teacher)


def test_a_manager_does_not_choose_the_hypervisors_of_a_branch(teacher):
    with_accounts()
    with pytest.raises(Forbidden):
        import_course(planned(COURSE + "student: {hypervisors: [other]}\n"), actor=teacher)


def test_a_manager_without_the_right_to_grant(teacher, admin):
    with_accounts()
    edit(Node.objects.get(path="/courses"), {"rights": {"manager": {"grant": False}}}, actor=admin)
    before = everything()
    with pytest.raises(Forbidden):
        import_course(planned(), actor=teacher)
    assert everything() == before


def test_a_student_imports_nothing(imported):
    plan = planned(COURSE + "  dns: {image: alpine}\n")
    with pytest.raises(Forbidden):
        import_course(plan, actor=User.objects.get(username="u1"))


# -- mail and speed --------------------------------------------------------------------------------------------------


def test_invitations(imported, admin):
    failed = send_invitations(imported.users, actor=admin)
    assert [message.to for message in mail.outbox] == [["u1@uni.edu"], ["u2@uni.edu"]]
    assert list(failed) == ["u3"]


def queries_of(students: int, admin) -> int:
    plan = planned(f"folder: /courses/n{students}\n" + COURSE, roster_of(students))
    with CaptureQueriesContext(connection) as captured:
        import_course(plan, actor=admin)
    return len(captured)


def roster_of(students: int) -> str:
    return "usuario\n" + "".join(f"n{students}-{number}\n" for number in range(students))


def test_queries_do_not_grow_with_each_student(admin):
    few, many = queries_of(10, admin), queries_of(400, admin)
    # 1,201 nodes, 400 accounts, 400 grants, 2,000 journal entries: a few statements per thousand rows.
    assert many - few < 100
