"""Bad input from outside: told by name, nothing changed, nothing dropped in silence."""

from __future__ import annotations

import pytest

from courses.manifest import read_course
from hypervisors.models import Hypervisor
from olimpus.errors import Invalid


def test_an_unknown_field_of_a_hypervisor_is_told_not_dropped(world):
    body = {"name": "new", "driver": "mock", "secrets": {"api_token": "s3cr3t"}}
    answer = world.api(world.root).post("/api/hypervisors", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["where"] == "secrets"
    assert "s3cr3t" not in answer.content.decode()
    assert not Hypervisor.objects.filter(name="new").exists()


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("patch", "/api/auth/me", {"frist_name": "x", "last_name": "y"}),
        ("post", "/api/users", {"username": "x", "superuser": True}),
        ("post", "/api/groups", {"name": "x", "members": [1]}),
        ("post", "/api/auth/tokens", {"name": "x", "readonly": True}),
    ],
)
def test_an_unknown_field_of_an_account_is_told_not_dropped(world, method, address, body):
    answer = getattr(world.api(world.root), method)(address, body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["where"] in body


def test_what_was_answered_may_be_sent_back(world):
    client = world.api(world.sam.user)
    me = client.get("/api/auth/me").json()
    answer = client.patch("/api/auth/me", me | {"first_name": "Sam"}, format="json")
    assert answer.status_code == 200
    assert answer.json()["first_name"] == "Sam"


def test_a_huge_body_is_413_wherever_it_goes(world, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = '{"path": "/' + "x" * 2000 + '"}'
    answer = world.api(world.root).post("/api/folders", body, content_type="application/json", HTTP_IDEMPOTENCY_KEY="k")
    assert answer.status_code == 413
    assert answer.json()["type"] == "input:too-large"


@pytest.mark.parametrize("course", ["course:", "course: null", 'course: ""'])
def test_a_course_without_a_name_is_not_the_folder_of_all_courses(course):
    with pytest.raises(Invalid) as refused:
        read_course(f"{course}\nmachines: {{web: {{image: debian-12}}}}\n", name="course.yaml")
    assert "course" in refused.value.errors[0]["where"]
