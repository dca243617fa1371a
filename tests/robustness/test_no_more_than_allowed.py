"""What may not be seen is named nowhere, and nobody helps himself to more than he was given."""

from __future__ import annotations

import pytest

from descriptors import actions
from descriptors.models import Node
from descriptors.permissions import can
from olimpus.errors import Forbidden, Invalid
from tests import factories


@pytest.fixture
def hidden(world):
    """/courses/TEL141/ana, which mia, the manager of /courses, may not see."""
    for node in (world.sam.web, world.ana.web):
        node.refresh_from_db()
    actions.set_inherit_grants(world.ana.folder, False, actor=world.root)
    return world.ana.folder


def test_plans_count_hidden_machines_and_do_not_name_them(world, hidden):
    client = world.api(world.mia)
    answer = client.post(f"/api/nodes/{world.tel141.pk}/plan", {"flavor": "large"}, format="json")
    assert answer.json()["counts"]["now"] == 4
    assert {row["path"] for row in answer.json()["machines"]} == {
        f"{world.sam.folder.path}/{vm}" for vm in ("web", "db")
    }
    document = {"path": world.tel141.path, "common": {"flavor": "large"}}
    answer = client.post("/api/apply?dry_run=true", document, format="json")
    assert answer.status_code == 200
    assert hidden.path not in answer.content.decode()


def test_a_refusal_does_not_name_a_hidden_machine(world, hidden):
    actions.edit(world.tel141, {"prototypes": {"p": {"cpus": 1}}}, actor=world.root)
    actions.edit(world.ana.web, {"prototype": "p"}, actor=world.root)
    with pytest.raises(Invalid) as refused:
        actions.edit(Node.objects.get(pk=world.tel141.pk), {}, actor=world.mia)
    assert hidden.path not in f"{refused.value} {refused.value.errors}"


def test_somebody_elses_operation_does_not_name_hidden_machines(world, hidden):
    world.do("create", world.ana.db)
    operation = world.do("create", world.tel141)
    client = world.api(world.mia)
    one, results = (client.get(f"/api/operations/{operation.pk}{part}") for part in ("", "/results"))
    assert {row["path"] for row in results.json()["results"]} == {
        f"{world.sam.folder.path}/{vm}" for vm in ("web", "db")
    }
    assert one.json()["result"]["skipped"][0]["count"] == 1
    client.force_login(world.mia)
    page = client.get(f"/operations/{operation.pk}")
    assert page.status_code == 200
    assert hidden.path not in one.content.decode() + results.content.decode() + page.content.decode()
    everything = world.api(world.root).get(f"/api/operations/{operation.pk}/results").json()
    assert everything["count"] == 3


def test_nobody_moves_a_machine_to_where_more_is_allowed_to_him(world):
    actions.edit(world.tel141, {"rights": {"manager": {"destroy": False}}}, actor=world.root)
    free = factories.folder("/courses/free", world.root)
    with pytest.raises(Forbidden):
        actions.move(world.sam.web, free, actor=world.mia)
    machine = Node.objects.get(pk=world.sam.web.pk)
    assert machine.path == f"{world.sam.folder.path}/web"
    assert not can(world.mia, "destroy", machine)
    moved = actions.move(machine, world.ana.folder, actor=world.mia, name="web-2")
    assert moved.path == f"{world.ana.folder.path}/web-2"


def test_an_export_does_not_name_a_hidden_folder(world, hidden):
    answer = world.api(world.mia).get(f"/api/nodes/{world.tel141.pk}/export?as=json")
    assert answer.status_code == 200
    assert set(answer.json()["folders"]) == {world.sam.folder.name}


def test_what_lies_below_a_hidden_folder_is_exported_in_its_place(world, hidden):
    actions.grant(world.ana.web, "user", user=world.mia, actor=world.root)
    folders = world.api(world.mia).get(f"/api/nodes/{world.tel141.pk}/export?as=json").json()["folders"]
    assert folders[hidden.name] == {"descriptors": {"web": world.ana.web.definition}}


def test_a_page_is_not_kept_by_the_browser(world, client):
    client.force_login(world.mia)
    assert "no-store" in client.get("/")["Cache-Control"]
