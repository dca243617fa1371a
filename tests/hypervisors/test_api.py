"""Hypervisors over REST."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from hypervisors import actions
from hypervisors.models import Hypervisor

URL = "/api/hypervisors"


@pytest.fixture
def url(hypervisor) -> str:
    return f"{URL}/{hypervisor.pk}"


def test_nobody_in_particular_sees_nothing(hypervisor):
    assert APIClient().get(URL).status_code in {401, 403}
    assert APIClient().get("/api/drivers").status_code in {401, 403}


def test_superusers_see_all_but_secrets(api, hypervisor):
    answer = api.get(f"{URL}/")
    (row,) = answer.json()["results"]
    assert row["settings"] == {"latency": 0.0}
    assert row["secrets_set"] == ["api_token"]
    assert "snapshot" in row["capabilities"]
    assert "s3cr3t" not in answer.content.decode()


def test_others_see_that_it_is_there_and_how_it_is(teacher_api, url):
    (row,) = teacher_api.get(URL).json()["results"]
    assert set(row) == {"id", "name", "driver", "health", "maintenance"}
    assert teacher_api.get(url).json() == row


def test_others_change_nothing(teacher_api, url):
    assert teacher_api.post(URL, {"name": "x", "driver": "mock"}).status_code == 403
    assert teacher_api.post(URL, {}).status_code == 403
    assert teacher_api.patch(url, {"description": "x"}).status_code == 403
    assert teacher_api.put(url, {"name": "x", "driver": "mock"}).status_code == 403
    assert teacher_api.delete(url).status_code == 403
    assert teacher_api.post(f"{url}/test").status_code == 403
    assert teacher_api.post(f"{url}/maintenance", {"on": True}).status_code == 403
    assert Hypervisor.objects.get().description == ""


def test_create_and_read(api):
    body = {"name": "rack-2", "driver": "mock", "settings": {"api_token": "s3cr3t"}, "concurrency": 8}
    answer = api.post(URL, body)
    assert answer.status_code == 201
    assert answer.json()["secrets_set"] == ["api_token"]
    assert "s3cr3t" not in answer.content.decode()
    assert api.get(f"{URL}/{answer.json()['id']}").json()["concurrency"] == 8


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"name": "x"}, "driver"),
        ({"name": "x/y", "driver": "mock"}, "name"),
        ({"name": "x", "driver": "mock", "settings": {"latency": "soon"}}, "settings.latency"),
        ({"name": "x", "driver": "mock", "settings": {"nope": 1}}, "settings.nope"),
        ({"name": "x", "driver": "mock", "settings": []}, "settings"),
    ],
)
def test_bad_input_is_a_problem_that_names_the_field(api, body, where):
    answer = api.post(URL, body)
    assert answer.status_code == 400
    assert where in [fault["where"] for fault in answer.json()["errors"]]
    assert not Hypervisor.objects.exists()


def test_a_taken_name_is_a_conflict(api, hypervisor):
    assert api.post(URL, {"name": "rack-1", "driver": "mock"}).status_code == 409


def test_edits_carry_entity_tags(api, url):
    tag = api.get(url)["ETag"]
    answer = api.patch(url, {"description": "a"}, headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["description"]) == (200, "a")
    assert answer["ETag"] != tag
    assert api.patch(url, {"description": "b"}, headers={"If-Match": tag}).status_code == 412
    assert api.put(url, {"name": "rack-1", "driver": "mock", "queue": "site-b"}).json()["queue"] == "site-b"


def test_test_answers_each_step(api, url, hypervisor, root):
    answer = api.post(f"{url}/test")
    assert answer.status_code == 200
    assert answer.json()["ok"] is True
    assert [check["step"] for check in answer.json()["checks"]][:2] == ["port", "login"]
    actions.update(hypervisor, {"settings": {"unreachable": True}}, actor=root)
    assert api.post(f"{url}/test").json()["ok"] is False


def test_maintenance(api, url):
    answer = api.post(f"{url}/maintenance", {"on": True, "reason": "new disks"})
    assert (answer.status_code, answer.json()["maintenance_reason"]) == (200, "new disks")
    assert api.post(f"{url}/maintenance", {}).status_code == 400
    assert api.post(f"{url}/maintenance", {"on": False}).json()["maintenance"] is False


def test_delete(api, url):
    assert api.delete(url).status_code == 204
    assert api.get(url).status_code == 404


def test_filters_and_order(api, hypervisor, root):
    actions.create({"name": "attic", "driver": "mock"}, actor=root)
    assert [row["name"] for row in api.get(URL).json()["results"]] == ["attic", "rack-1"]
    assert [row["name"] for row in api.get(f"{URL}?ordering=-name").json()["results"]] == ["rack-1", "attic"]
    assert api.get(f"{URL}?q=ATT").json()["count"] == 1
    assert api.get(f"{URL}?maintenance=true").json()["count"] == 0
    assert api.get(f"{URL}?health=nonsense").status_code == 400


def test_drivers_declare_settings_and_capabilities(teacher_api):
    (mock,) = [row for row in teacher_api.get("/api/drivers").json() if row["name"] == "mock"]
    token = next(setting for setting in mock["settings"] if setting["name"] == "api_token")
    assert token["secret"] is True
    assert "adopt" in mock["capabilities"]


def test_a_list_takes_a_constant_number_of_queries(api, root, django_assert_max_num_queries):
    for number in range(12):
        actions.create({"name": f"rack-{number}", "driver": "mock", "managers": ["root"]}, actor=root)
    with django_assert_max_num_queries(5):
        assert api.get(URL).json()["count"] == 12


def test_settings_can_be_tried_before_they_are_saved(api, teacher_api, hypervisor):
    body = {"driver": "mock", "settings": {"api_token": "wrong"}, "hypervisor": "rack-1"}
    answer = api.post(f"{URL}/test", body)
    assert (answer.status_code, answer.json()["ok"]) == (200, False)
    assert api.post(f"{URL}/test", {**body, "settings": {}}).json()["ok"] is True
    assert Hypervisor.objects.get().health == "unknown"
    assert api.post(f"{URL}/test", {**body, "settings": {"latency": "soon"}}).status_code == 400
    assert api.post(f"{URL}/test", {**body, "hypervisor": "nowhere"}).status_code == 404
    assert teacher_api.post(f"{URL}/test", body).status_code == 403


def test_a_secret_can_be_removed(api, url):
    assert api.patch(url, {"forget_secrets": ["api_token"]}).json()["secrets_set"] == []
    assert api.post(URL, {"name": "rack-3", "driver": "mock", "forget_secrets": ["api_token"]}).status_code == 400
