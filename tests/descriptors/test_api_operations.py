"""Verbs, operations, grants, hypervisors and questions to hypervisors over REST."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from descriptors import actions, reconcile, selectors
from descriptors.models import Descriptor
from descriptors.permissions import OPERATIONS
from descriptors.verbs import VERBS
from hypervisors.drivers.mock import create_by_hand
from tests import factories


def test_a_verb_is_accepted_and_followed(world):
    api, web = world.api(world.sam.user), world.sam.web
    answer = api.post(f"/api/nodes/{web.pk}/do/create")
    assert answer.status_code == 202, answer.content
    operation = answer.json()
    assert answer["Location"] == f"/api/operations/{operation['id']}"
    assert (operation["status"], operation["actor"], operation["counts"]) == ("queued", "sam", None)
    assert api.post(f"/api/nodes/{web.pk}/do/create/").status_code == 409
    world.perform()
    done = api.get(answer["Location"]).json()
    assert (done["status"], done["hypervisor"], done["path"]) == ("succeeded", "mock-1", web.path)
    assert done["finished_at"]


def test_arguments(world):
    api, web = world.api(world.sam.user), world.sam.web
    world.do("create", web)
    assert api.post(f"/api/nodes/{web.pk}/do/snapshot").json()["where"] == "name"
    assert api.post(f"/api/nodes/{web.pk}/do/start", {"speed": 1}).json()["where"] == "speed"
    assert api.post(f"/api/nodes/{web.pk}/do/fly").status_code == 400
    half = api.post(f"/api/nodes/{web.pk}/do/snapshot", r'{"name": "\ud800"}', content_type="application/json")
    assert half.status_code == 400
    taken = api.post(f"/api/nodes/{web.pk}/do/snapshot", {"name": "before", "description": "clean"})
    assert taken.json()["arguments"] == {"name": "before", "description": "clean"}
    world.perform()
    (snapshot,) = api.get(f"/api/nodes/{web.pk}/snapshots").json()
    assert (snapshot["name"], snapshot["description"]) == ("before", "clean")


def test_folders_and_selections(world):
    api = world.api(world.mia)
    world.ana.web  # noqa: B018 - the world is made when asked for
    folder = api.post(f"/api/nodes/{world.sam.folder.pk}/do/create").json()
    assert folder["counts"] == {"total": 2, "succeeded": 0, "failed": 0, "cancelled": 0, "skipped": 0}
    some = api.post("/api/do/create", {"nodes": [world.ana.web.pk, world.ana.db.path, world.sam.web.pk]})
    assert some.status_code == 202, some.content
    assert (some.json()["counts"]["total"], some.json()["counts"]["skipped"]) == (2, 1)
    world.perform()
    results = api.get(f"/api/operations/{folder['id']}/results").json()
    assert [(row["path"], row["status"]) for row in results["results"]] == [
        (world.sam.db.path, "succeeded"),
        (world.sam.web.path, "succeeded"),
    ]
    assert api.get(f"/api/operations/{folder['id']}/results?status=failed").json()["count"] == 0


@pytest.mark.parametrize(
    ("nodes", "status", "where"),
    [
        ([], 400, "nodes"),
        ("x", 400, "nodes"),
        ([{}], 400, "nodes[0]"),
        ([True], 400, "nodes[0]"),
        ([10**30], 400, "nodes[0]"),
        ([999999], 404, "999999"),
        (["/nothing"], 404, "/nothing"),
        (["/lab/probe"], 404, "/lab/probe"),
        (["\0"], 400, "nodes[0]"),
    ],
)
def test_bad_selections(world, nodes, status, where):
    world.probe  # noqa: B018 - the world is made when asked for
    answer = world.api(world.mia).post("/api/do/start", {"nodes": nodes}, format="json")
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert where in [body.get("where"), *(fault["where"] for fault in body.get("errors", []))]


def test_offered_verbs_and_the_tables(world):
    api = world.api(world.sam.user)
    rows = {row["verb"]: row for row in api.get(f"/api/nodes/{world.sam.web.pk}/verbs").json()}
    assert rows.keys() == {name for name, verb in VERBS.items() if verb.permission == name}  # users edit nothing
    assert rows["create"]["enabled"]
    assert "needs" in rows["start"]["why"]
    assert api.get(f"/api/nodes/{world.sam.folder.pk}/verbs").status_code == 409
    assert [row["name"] for row in api.get("/api/verbs").json()] == list(VERBS)
    assert len(api.get("/api/states/").json()) == 8


# -- operations --------------------------------------------------------------------------------------------------------


def test_operations_are_filtered(world):
    world.do("create", world.ana.web)
    parent = actions.request("create", world.sam.folder, actor=world.mia)
    api = world.api(world.mia)

    def found(query: str) -> list[str]:
        answer = api.get(f"/api/operations?{query}")
        assert answer.status_code == 200, answer.content
        return [row["path"] for row in answer.json()["results"]]

    sam, ana = world.sam.folder.path, world.ana.web.path
    assert found("") == [sam, ana]
    assert found("ordering=path") == [ana, sam]
    assert found("status=running,queued") == [sam]
    assert found("actor=root") == [ana]
    assert found(f"path={world.ana.folder.path}/") == [ana]
    assert found("verb=start") == []
    assert sorted(found(f"parent={parent.pk}")) == [world.sam.db.path, world.sam.web.path]
    assert len(found("children=true")) == 4
    for bad in ("status=x", "verb=fly", "parent=1", "children=7", "ordering=node"):
        assert api.get(f"/api/operations?{bad}").status_code == 400, bad


def test_operations_of_others_are_not_shown(world):
    operation = actions.request("create", world.ana.web, actor=world.root)
    api = world.api(world.sam.user)
    assert api.get("/api/operations").json()["count"] == 0
    for url in ("", "/results", "/cancel", "/retry"):
        method = api.post if url in {"/cancel", "/retry"} else api.get
        assert method(f"/api/operations/{operation.pk}{url}").status_code == 404
    mine = actions.request_many("create", [world.sam.web, world.ana.db], actor=world.mia)
    assert api.get(f"/api/operations/{mine.pk}").status_code == 404


def test_cancel_and_retry(world):
    api, url = world.api(world.sam.user), f"/api/nodes/{world.sam.web.pk}/do/create"
    operation = api.post(url).json()
    cancelled = api.post(f"/api/operations/{operation['id']}/cancel").json()
    assert (cancelled["status"], cancelled["cancel_requested"]) == ("cancelled", True)
    assert api.post(f"/api/operations/{operation['id']}/cancel").status_code == 409
    assert api.post(f"/api/operations/{operation['id']}/retry").status_code == 409
    failed = factories.failed(actions.request("create", world.sam.web, actor=world.sam.user))
    world.do("recover", world.sam.web)
    again = api.post(f"/api/operations/{failed.pk}/retry")
    assert (again.status_code, again.json()["verb"]) == (202, "create")


# -- who may -----------------------------------------------------------------------------------------------------------


def test_grants_are_given_listed_and_taken_back(world):
    api, url = world.api(world.mia), f"/api/nodes/{world.sam.folder.pk}/grants"
    Group.objects.create(name="assistants")
    answer = api.post(url, {"role": "user", "group": "assistants"})
    assert answer.status_code == 201, answer.content
    rows = api.get(url).json()
    assert rows == answer.json()
    assert [(row["role"], row["user"] or row["group"], row["inherited"]) for row in rows] == [
        ("user", "assistants", False),
        ("user", "sam", False),
        ("manager", "mia", True),
    ]
    assert api.delete(f"{url}/{rows[2]['id']}").status_code == 404
    assert api.delete(f"{url}/{rows[0]['id']}/").status_code == 204
    assert api.delete(f"{url}/{rows[0]['id']}").status_code == 404
    assert api.delete(f"{url}/user-99999999999").status_code == 404
    assert len(api.get(url).json()) == 2
    student = world.api(world.sam.user)
    assert student.get(url).status_code == 403
    assert student.post(url, {"role": "manager", "user": "sam"}).status_code == 403
    assert student.delete(f"{url}/{rows[1]['id']}").status_code == 403


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"role": "king", "user": "sam"}, "role"),
        ({"role": "user"}, "user"),
        ({"role": "user", "user": "nobody"}, "user"),
        ({"role": "user", "group": "nobody"}, "group"),
        ({"user": "sam"}, "role"),
    ],
)
def test_bad_grants(world, body, where):
    answer = world.api(world.root).post(f"/api/nodes/{world.sam.folder.pk}/grants", body)
    assert answer.status_code == 400
    assert where in [answer.json().get("where"), *(fault["where"] for fault in answer.json().get("errors", []))]


def test_rights_say_why(world):
    url = f"/api/nodes/{world.sam.web.pk}/rights"
    rows = {row["operation"]: row for row in world.api(world.sam.user).get(url).json()}
    assert rows.keys() == OPERATIONS.keys()
    assert (rows["start"]["allowed"], rows["start"]["granted_at"]) == (True, world.sam.folder.path)
    assert not rows["edit"]["allowed"]
    of_sam = {row["operation"]: row for row in world.api(world.mia).get(f"{url}?user=sam").json()}
    assert of_sam == rows
    assert world.api(world.sam.user).get(f"{url}?user=mia").status_code == 403
    assert world.api(world.mia).get(f"{url}?user=nobody").status_code == 400


def test_inheritance_is_stopped(world):
    url = f"/api/nodes/{world.sam.folder.pk}/inherit"
    assert world.api(world.mia).post(url, {"on": False}).status_code == 409
    assert world.api(world.sam.user).post(url, {"on": False}).status_code == 403
    answer = world.api(world.root).post(url, {"on": False})
    assert answer.json()["inherit_grants"] is False
    assert world.api(world.mia).get(f"/api/nodes/{world.sam.web.pk}").status_code == 404
    assert world.api(world.root).post(f"/api/nodes/{world.sam.web.pk}/inherit", {"on": False}).status_code == 409


def test_history(world):
    world.do("create", world.sam.web)
    rows = world.api(world.sam.user).get(f"/api/nodes/{world.sam.web.pk}/history").json()["results"]
    assert [row["verb"] for row in rows][-2:] == ["vm.create", "descriptor.create"]
    assert rows[-1]["actor"] == "root"


# -- questions to the hypervisor ---------------------------------------------------------------------------------------


def test_console_and_metrics(world):
    web, api = world.sam.web, world.api(world.sam.user)
    for question in ("console", "metrics", "snapshots"):
        assert api.get(f"/api/nodes/{web.pk}/{question}").status_code == 409
    world.do("create", web)
    world.do("start", web)
    assert api.get(f"/api/nodes/{web.pk}/console").json()["text"]
    assert api.get(f"/api/nodes/{web.pk}/metrics").json()["metrics"]
    assert api.get(f"/api/nodes/{web.pk}/snapshots").json() == []
    closed = world.tel141.definition | {"rights": {"user": {"console": False}}}
    actions.edit(selectors.get(world.root, world.tel141.pk), closed, actor=world.root)
    assert api.get(f"/api/nodes/{web.pk}/console").status_code == 403


def test_unowned_machines_are_listed_and_adopted(world):
    url = f"/api/hypervisors/{world.hypervisor.pk}"
    create_by_hand(world.home, "mock-1", "found", cpus=2)
    reconcile.reconcile(world.hypervisor.pk)
    for call in (
        lambda: world.api(world.mia).get(f"{url}/unowned"),
        lambda: world.api(world.mia).post(f"{url}/adopt", {}),
        lambda: world.api(world.mia).post(f"{url}/reconcile"),
    ):
        assert call().status_code == 403
    api = world.api(world.root)
    (vm,) = api.get(f"{url}/unowned/").json()["results"]
    assert (vm["name"], vm["info"]["cpus"]) == ("found", 2)
    body = {"ref": vm["ref"], "folder": world.tel141.path, "name": "ours"}
    assert api.post(f"{url}/adopt", body | {"ref": "nothing"}, format="json").status_code == 404
    assert api.post(f"{url}/adopt", body | {"folder": "/nothing"}, format="json").status_code == 404
    answer = api.post(f"{url}/adopt", body, format="json")
    assert (answer.status_code, answer.json()["path"]) == (201, "/courses/TEL141/ours")
    assert Descriptor.objects.get(vm_ref=vm["ref"]).state == "stopped"
    asked = api.post(f"{url}/reconcile")
    assert (asked.status_code, asked.json()) == (202, {"hypervisor": "mock-1"})
    assert api.post("/api/hypervisors/99999/reconcile").status_code == 404
