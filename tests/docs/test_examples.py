"""The examples of the documentation are carried out."""

from __future__ import annotations

import pytest

from accounts.models import User
from descriptors import actions, selectors, tree
from descriptors.permissions import can
from olimpus.errors import Forbidden
from tests import factories
from tests.docs.generated import examples

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> User:
    return factories.superuser()


def test_the_cascade_example_builds_the_machine_it_shows(root: User) -> None:
    actions.apply(examples("concepts.md")["cascade"], actor=root)
    values = selectors.computed(tree.by_path("/courses/TEL141/ana/web")).values
    assert (values["vm_name"], values["flavor"], values["memory_mib"]) == ("TEL141-ana-web", "small", 3072)
    assert values["labels"] == {"course": "TEL141", "group": "A"}


def test_the_example_document_does_what_the_page_says(root: User) -> None:
    document = examples("definitions.md")["document"]
    plan = actions.plan_apply(document, actor=root)
    assert [path for path, _kind in plan.create][0] == "/lab"
    assert len(plan.create) == 6
    actions.apply(document, actor=root)
    again = actions.apply(document, actor=root)
    assert (again.create, again.update) == ([], [])
    assert actions.export(tree.by_path("/lab"), actor=root)["common"] == document["common"]


def test_a_folder_without_common_keeps_its_definition(root: User) -> None:
    actions.apply({"path": "/lab", "common": {"image": "debian-12"}}, actor=root)
    actions.apply({"path": "/lab", "descriptors": {"web": None}}, actor=root)
    assert tree.by_path("/lab").definition == {"image": "debian-12"}


def test_the_rights_example_means_what_the_page_says(root: User) -> None:
    actions.apply(examples("permissions.md")["rights"], actor=root)
    student = factories.user("sam")
    actions.grant(tree.by_path("/courses/TEL141"), "user", user=student, actor=root)
    course, exam = "/courses/TEL141", "/courses/TEL141/exam"
    assert [can(student, name, course) for name in ("create_nodes", "destroy", "start")] == [True, False, True]
    assert [can(student, name, exam) for name in ("see", "create_nodes", "destroy", "start")] == [
        True,
        False,
        False,
        False,
    ]


def test_a_manager_without_delete_makes_managers_without_it_and_opens_it_for_nobody(root: User) -> None:
    actions.apply({"path": "/branch", "common": {"rights": {"manager": {"delete": False}}}}, actor=root)
    branch = tree.by_path("/branch")
    mia, other = factories.user("mia", kind="manager"), factories.user("other", kind="manager")
    actions.grant(branch, "manager", user=mia, actor=root)
    actions.grant(branch, "manager", user=other, actor=mia)
    assert not can(other, "delete", branch)
    for rights in ({"manager": {"delete": True}}, {"user": {"delete": True}}, {}):
        with pytest.raises(Forbidden):
            actions.edit(branch, {"rights": rights}, actor=mia)
