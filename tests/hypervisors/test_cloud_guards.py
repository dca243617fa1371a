"""Nobody gets past the guards of a cloud: by another spelling of an id, by a snapshot, or through its own projects."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Entry
from tests.hypervisors.asking import ask
from tests.hypervisors.recorded import FREE_VOLUME, SERVER, SNAPSHOT, VOLUME, Recorded

FREE, TAKEN, MOMENT = FREE_VOLUME.id, VOLUME.id, SNAPSHOT.id
#: How a database might still read an id, and the names of other things at the services.
SPELLINGS = ["{}%20", "%20{}", "{}%00", "{{{}}}", "urn:uuid:{}", "detail", "data"]
DONE_TO_VOLUMES: list[tuple[str, str, Any]] = [
    ("delete", "volumes/{}", None),
    ("post", "volumes/{}/attach", {"instance": SERVER}),
    ("post", "volumes/{}/detach", {}),
    ("post", "volumes/{}/extend", {"size": 2}),
    ("post", "volumes/{}/snapshot", {"name": "x"}),
    ("delete", "volume-snapshots/{}", None),
]


@pytest.fixture
def moment_of_taken(spoken, monkeypatch) -> Recorded:
    """The recorded snapshot is one of the volume that the machine has."""
    taken = type(SNAPSHOT)(**{**vars(SNAPSHOT), "volume_id": TAKEN})
    monkeypatch.setattr(spoken, "volume_snapshots", lambda project="": [taken])
    return spoken


@pytest.mark.parametrize(("method", "path", "body"), DONE_TO_VOLUMES)
@pytest.mark.parametrize("spelling", [*SPELLINGS, "upper", "hex"])
def test_an_id_is_written_in_one_way(in_charge, cloud, spoken, method, path, body, spelling):
    right = MOMENT if "snapshots" in path else TAKEN
    wrong = {"upper": right.upper(), "hex": right.replace("-", "")}.get(spelling) or spelling.format(right)
    answer = ask(in_charge, method, path.format(wrong), body)
    assert (answer.status_code, answer.json()["type"]) == (404, "hypervisor:missing")
    assert spoken.done == []


@pytest.mark.parametrize("verb", ["attach", "detach"])
@pytest.mark.parametrize("wrong", [SERVER.upper(), SERVER.replace("-", ""), "detail", "web", "123456"])
def test_a_machine_is_named_in_one_way(in_charge, machine, spoken, verb, wrong):
    answer = ask(in_charge, "post", f"volumes/{FREE}/{verb}", {"instance": wrong})
    assert (answer.status_code, answer.json()["type"]) == (404, "hypervisor:vm-not-found")
    assert spoken.done == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "volumes", {"name": "copy", "size": 1, "snapshot": MOMENT}),
        ("delete", f"volume-snapshots/{MOMENT}", None),
    ],
)
def test_the_snapshot_of_somebodys_volume_is_left_alone(in_charge, api, machine, moment_of_taken, method, path, body):
    answer = ask(in_charge, method, path, body)
    assert (answer.status_code, answer.json()["type"]) == (403, "permission:forbidden")
    assert moment_of_taken.done == []
    assert ask(api, method, path, body).status_code < 300
    assert len(moment_of_taken.done) == 1


def test_snapshots_of_free_volumes_are_the_managers(in_charge, machine, spoken):
    body = {"name": "copy", "size": 1, "snapshot": MOMENT}
    assert ask(in_charge, "post", "volumes", body).status_code == 201
    assert ask(in_charge, "post", "volumes", {**body, "snapshot": MOMENT.upper()}).status_code == 404
    assert ask(in_charge, "delete", f"volume-snapshots/{MOMENT}").status_code == 204
    assert [call for call, _fields in spoken.done] == ["create_volume", "delete_volume_snapshot"]


def test_only_superusers_change_the_projects_that_the_cloud_runs_in(in_charge, api, cloud, spoken):
    for client, ordinary in ((in_charge, True), (api, False)):
        spoken.done.clear()
        assert ask(client, "post", "projects", {"name": "admin", "users": ["demo"]}).status_code == 201
        assert ask(client, "patch", "quotas/admin", {"quotas": {"cores": 1}}).status_code == 200
        assert [fields["ordinary"] for _call, fields in spoken.done] == [ordinary, ordinary]
    assert not any("ordinary" in entry.data for entry in Entry.objects.filter(verb__startswith="cloud."))
