"""Idempotency-Key: once, whatever is repeated, whoever repeats it."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.api.people import GroupViewSet
from accounts.idempotency import REPLAYED
from accounts.models import ApiToken, IdempotencyKey, User

JSON = "application/json"


def create(client: Client, name: str, key: str = "k", path: str = "/api/groups"):
    return client.post(path, {"name": name}, JSON, headers={"Idempotency-Key": key})


def test_a_repeat_is_answered_not_done(people, api):
    client = api(people.root)
    first, second = create(client, "one"), create(client, "one")
    assert (first.status_code, second.status_code) == (201, 201)
    assert (first.headers.get(REPLAYED), second[REPLAYED]) == (None, "true")
    assert first.json() == second.json()
    assert second["Content-Type"] == first["Content-Type"]
    assert Group.objects.count() == 1


def test_refusals_are_repeated_too(people, api):
    client = api(people.root)
    answers = [create(client, "") for _attempt in range(2)]
    assert [a.status_code for a in answers] == [400, 400]
    assert answers[1][REPLAYED] == "true"


def test_the_same_key_with_another_request_is_422(people, api):
    client = api(people.root)
    create(client, "one")
    assert create(client, "two").status_code == 422
    assert create(client, "one", path="/api/groups?x=1").status_code == 422
    assert list(Group.objects.values_list("name", flat=True)) == ["one"]


def test_another_key_or_another_user_is_another_request(people, api):
    other = User.objects.create_superuser("other")
    assert create(api(people.root), "one", key="a").status_code == 201
    assert create(api(people.root), "one", key="b").status_code == 400
    assert REPLAYED not in create(api(other), "two", key="a")


def test_the_key_belongs_to_the_user_not_to_the_token(people, api):
    clients = [api(token=ApiToken.issue(people.root, name)[1]) for name in ("a", "b")]
    create(clients[0], "one")
    assert create(clients[1], "one")[REPLAYED] == "true"


def test_faults_of_ours_are_not_kept(people, api, monkeypatch):
    client = api(people.root)
    client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(GroupViewSet, "perform_create", lambda *_: 1 / 0)
        assert create(client, "one").status_code == 500
    assert create(client, "one").status_code == 201


def test_while_the_first_runs_the_second_is_409(people, api):
    client = api(people.root)
    create(client, "one")
    IdempotencyKey.objects.update(status=IdempotencyKey.RUNNING)
    answer = create(client, "one")
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert "Retry-After" in answer


@pytest.mark.parametrize(("status", "age"), [(0, timedelta(minutes=11)), (201, timedelta(hours=25))])
def test_abandoned_and_old_keys_are_free_again(people, api, status, age):
    client = api(people.root)
    create(client, "one")
    Group.objects.all().delete()
    IdempotencyKey.objects.update(status=status, created_at=timezone.now() - age)
    answer = create(client, "one")
    assert (answer.status_code, REPLAYED in answer) == (201, False)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_malformed_keys_are_refused(people, api, key):
    assert create(api(people.root), "one", key=key).status_code == 400
    assert not Group.objects.exists()


def test_strangers_and_secrets_leave_nothing(people, api, client):
    assert create(client, "one").status_code in {401, 403}
    body = json.dumps({"name": "cli"})
    for _attempt in range(2):
        answer = api(people.root).post("/api/auth/tokens", body, JSON, headers={"Idempotency-Key": "t"})
        assert answer.status_code == 201
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_do_it_once(people, api, monkeypatch):
    started, go = threading.Event(), threading.Event()
    real = GroupViewSet.perform_create

    def slow(self, serializer):
        started.set()
        assert go.wait(10)
        real(self, serializer)

    monkeypatch.setattr(GroupViewSet, "perform_create", slow)
    token = ApiToken.issue(people.root, "t")[1]
    answers = {}

    def first() -> None:
        try:
            answers["first"] = create(api(token=token), "one").status_code
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert started.wait(10)
    answers["second"] = create(api(token=token), "one").status_code
    go.set()
    thread.join(10)
    assert answers == {"first": 201, "second": 409}
    assert create(api(token=token), "one")[REPLAYED] == "true"
    assert Group.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_race_of_eight_creates_one(people, api):
    token = ApiToken.issue(people.root, "t")[1]
    barrier, codes = threading.Barrier(8), []

    def race() -> None:
        client = api(token=token)
        barrier.wait(10)
        try:
            codes.append(create(client, "one").status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=race) for _n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(codes) == 8
    assert set(codes) <= {201, 409}
    assert Group.objects.count() == 1
