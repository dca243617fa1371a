"""Definitions and documents over REST."""

from __future__ import annotations

import json

import pytest

from descriptors import actions
from descriptors.documents import load
from descriptors.models import Node
from descriptors.parameters import PARAMETERS

YAML = "application/yaml"


def test_local_computed_origins_and_pending(world):
    web = world.sam.web
    world.do("create", web)
    actions.edit(world.tel141, {"cpus": 3}, actor=world.root)
    answer = world.api(world.sam.user).get(f"/api/nodes/{web.pk}/definition")
    body = answer.json()
    assert answer["ETag"] == '"1"'
    assert body["local"] == {"nics": [{"network": "lan"}]}
    assert (body["computed"]["cpus"], body["origins"]["cpus"]) == (3, "/courses/TEL141")
    assert body["pending"] == {"cpus": {"applied": None, "wanted": 3, "kind": "run"}}
    assert (body["version"], body["fault"]) == (1, "")


def test_a_definition_that_cannot_be_computed_says_why(world):
    web = world.sam.web
    Node.objects.filter(pk=web.pk).update(definition={"prototype": "gone"})
    body = world.api(world.mia).get(f"/api/nodes/{web.pk}/definition/").json()
    assert body["computed"] is None
    assert "gone" in body["fault"]
    assert world.api(world.mia).get(f"/api/nodes/{web.pk}").json()["pending"] is None


def test_yaml_out_and_in_again(world):
    api, url = world.api(world.mia), f"/api/nodes/{world.courses.pk}/definition"
    answer = api.get(url, headers={"Accept": YAML})
    assert answer["Content-Type"] == f"{YAML}; charset=utf-8"
    assert load(answer.content) == world.courses.definition
    assert api.get(f"{url}?as=yaml").content == answer.content == api.get(f"{url}?format=yaml").content
    computed = api.get(f"/api/nodes/{world.sam.web.pk}/definition?as=yaml&part=computed")
    assert load(computed.content)["image"] == "debian-12"
    text = answer.content + b"cpus: 2\n"
    saved = api.put(url, text, content_type=YAML)
    assert saved.status_code == 200, saved.content
    assert saved.json()["local"]["cpus"] == 2
    assert saved["ETag"] == '"2"'


def test_if_match_guards_against_lost_updates(world):
    api, url = world.api(world.mia), f"/api/nodes/{world.tel141.pk}/definition"
    tag = api.get(url)["ETag"]
    first = api.put(url, {"cpus": 2}, headers={"If-Match": tag})
    assert (first.status_code, first["ETag"]) == (200, '"2"')
    assert first.json()["plan"]["counts"].keys() == {"now", "next_start", "reapply", "recreate"}
    for bad in (tag, '"x"', '"99999999999999999999"'):
        stale = api.put(url, {"cpus": 4}, headers={"If-Match": bad})
        assert (stale.status_code, stale.json()["type"]) == (412, "state:stale")
    assert api.put(url, {"cpus": 4}, headers={"If-Match": "*"}).status_code == 200
    assert api.patch(url, {"memory_mib": 512}, headers={"If-Match": '"3"'}).json()["local"] == {
        "cpus": 4,
        "memory_mib": 512,
    }
    assert api.patch(url, {"cpus": None}).json()["local"]["cpus"] is None


def test_plans_change_nothing(world):
    world.do("create", world.sam.web)
    api = world.api(world.mia)
    answer = api.post(f"/api/nodes/{world.tel141.pk}/plan", {"cpus": 9})
    assert answer.status_code == 200
    plan = answer.json()
    assert sum(plan["counts"].values()) == len(plan["machines"]) == 2
    assert {row["parameters"][0] for row in plan["machines"]} == {"cpus"}
    assert Node.objects.get(pk=world.tel141.pk).version == 1


def test_faults_carry_line_and_column(world):
    api, url = world.api(world.mia), f"/api/nodes/{world.tel141.pk}/definition"
    answer = api.put(url, b"labels:\n  a: b\ncpu: 2\nnics:\n  - mac: zz\n", content_type=YAML)
    assert answer.status_code == 400
    assert [fault["where"] for fault in answer.json()["errors"]] == ["body:3:1: cpu", "body:5:5: nics[0].mac"]
    syntax = api.put(url, b"a: [1,\n", content_type=YAML)
    assert syntax.json()["where"].startswith("body:")
    bomb = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n".encode() for i in range(9)
    )
    assert api.put(url, bomb, content_type=YAML).status_code in {400, 413}


def test_what_is_not_a_definition(world):
    api, url = world.api(world.mia), f"/api/nodes/{world.tel141.pk}/definition"
    for method in (api.put, api.patch):
        for body in ([], "text", 7):
            assert method(url, json.dumps(body), content_type="application/json").status_code == 400
        assert method(url, b"", content_type="application/json").status_code == 400
        assert method(url, b"a=b", content_type="application/x-www-form-urlencoded").status_code == 415
    assert api.get(url, headers={"Accept": "image/png"}).status_code == 406
    assert api.get(f"{url}?as=xml").status_code == 404
    assert Node.objects.get(pk=world.tel141.pk).version == 1


def test_states_and_rights_bound_edits(world):
    world.do("create", world.sam.web)
    url = f"/api/nodes/{world.sam.web.pk}/definition"
    conflict = world.api(world.mia).patch(url, {"image": "alpine"})
    assert (conflict.status_code, conflict.json()["type"]) == (409, "state:conflict")
    assert world.api(world.sam.user).patch(url, {"cpus": 64}).status_code == 403
    assert world.api(world.ana.user).patch(url, {"cpus": 64}).status_code == 404


# -- documents ---------------------------------------------------------------------------------------------------------

DOCUMENT = """\
path: /courses/TEL141
folders:
  lab.1:
    common: {cpus: 2}
    descriptors:
      vm: {}
"""


def test_apply_plans_and_does(world):
    api = world.api(world.mia)
    world.tel141  # noqa: B018 - the world is made when asked for
    planned = api.post("/api/apply?dry_run=true", DOCUMENT, content_type=YAML)
    assert planned.status_code == 200, planned.content
    assert not Node.objects.filter(name="lab.1").exists()
    done = api.post("/api/apply/", DOCUMENT, content_type=YAML).json()
    assert (
        done["create"]
        == planned.json()["create"]
        == [
            {"path": "/courses/TEL141/lab.1", "kind": "folder"},
            {"path": "/courses/TEL141/lab.1/vm", "kind": "descriptor"},
        ]
    )
    again = api.post("/api/apply", load(DOCUMENT)).json()
    assert (again["create"], again["update"], again["dry_run"]) == ([], [], False)


def test_apply_tells_line_and_column(world):
    api = world.api(world.mia)
    world.tel141  # noqa: B018 - the world is made when asked for
    faulty = DOCUMENT.replace("{cpus: 2}", "{cpus: two}")
    answer = api.post("/api/apply", faulty, content_type=YAML)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["where"] == 'body:4:14: folders["lab.1"].common.cpus'
    unknown = api.post("/api/apply", DOCUMENT.replace("descriptors", "machines"), content_type=YAML)
    assert unknown.json()["where"] == 'body:5:5: folders["lab.1"].machines'


def test_export_and_apply_are_inverse(world):
    api = world.api(world.sam.user)
    url = f"/api/nodes/{world.sam.folder.pk}/export"
    text = api.get(url, headers={"Accept": YAML}).content
    assert load(text) == api.get(url).json()
    applied = world.api(world.mia).post("/api/apply", text, content_type=YAML).json()
    assert (applied["create"], applied["update"], applied["unchanged"]) == ([], [], 3)
    assert api.get(f"/api/nodes/{world.tel141.pk}/export").status_code == 404


def test_the_table_of_parameters(world):
    table = world.api(world.sam.user).get("/api/parameters").json()
    assert table["properties"].keys() == PARAMETERS.keys()
    assert table["properties"]["memory_mib"]["x-unit"] == "MiB"


@pytest.mark.parametrize("url", ["/api/nodes/{}/definition", "/api/nodes/{}/export"])
def test_pages_for_people_work_too(world, url):
    answer = world.api(world.mia).get(url.format(world.tel141.pk), headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/html")
