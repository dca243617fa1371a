"""Advice by the service API: which flavor fits, which zone is good for which node, and why."""

from __future__ import annotations

import pytest

from tests.hypervisors.asking import URL, ask


def test_recommend(teacher_api, db):
    answer = ask(teacher_api, "post", "flavors/recommend", {"requirements": {"vcpus": 2, "ram": 2048, "disk": 20}})
    told = answer.json()
    assert (answer.status_code, told["recommended"]["name"], told["runner_up"]["name"]) == (200, "medium", "large")
    assert (
        told["reason"]
        == "“medium” is the cheapest of 2 that are large enough; it leaves 0 CPUs, 512 MiB memory, 0 GiB disk unused."
    )  # noqa: E501
    assert "larger by" in told["runner_up_reason"]
    assert (told["missing"], told["nearest"]) == ([], None)


def test_recommend_says_what_is_missing(teacher_api, db):
    body = {"requirements": {"vcpus": 64, "ram": 2048}}
    told = ask(teacher_api, "post", "flavors/recommend", body).json()
    assert (told["recommended"], told["nearest"]["name"], told["code"]) == (None, "large", "none_fits")
    (short,) = told["missing"]
    assert (short["resource"], short["needed"], short["largest"]) == ("vcpus", 64, 4)


def test_reasons_come_in_the_language_of_whoever_asks(teacher_api, db):
    body = {"slice_config": {"nodes": ["a"], "high_availability": True}}
    reasons = set()
    for language in ("en", "es"):
        headers = {"Accept-Language": language}
        answer = teacher_api.post(f"{URL}/availability-zones/suggest", body, format="json", headers=headers).json()
        (row,) = answer["results"]
        assert row["code"] == "spread"
        reasons.add(row["reason"])
    assert len(reasons) == 2


@pytest.mark.parametrize(
    "requirements", [None, {"vcpus": -1}, {"vcpus": "many"}, {"cpus": 2}, {"ram": 1e99}, [], {"disk": "NaN"}]
)
def test_recommend_refuses_what_it_cannot_mean(teacher_api, db, requirements):
    answer = ask(teacher_api, "post", "flavors/recommend", {"requirements": requirements})
    assert (answer.status_code, answer.json()["type"]) == (400, "input:invalid")


def test_suggest(teacher_api, cloud, spoken):
    nodes = [{"name": "vm1", "flavor": "medium"}, {"name": "vm2"}, {"name": "vm3", "requirements": {"vcpus": 1}}, "vm4"]
    config = {"topology": "tree", "nodes": nodes, "high_availability": True}
    told = ask(teacher_api, "post", "availability-zones/suggest", {"slice_config": config}).json()
    assert (told["zones"], told["complete"], told["source"]) == ({"zone-1": 2, "zone-2": 2}, True, "live")
    assert [row["node"] for row in told["results"]] == ["vm1", "vm2", "vm3", "vm4"]
    assert [row["flavor"] for row in told["results"]] == ["medium", "small", "", "small"]
    assert all("2 of 4" in row["reason"] for row in told["results"])
    config |= {"high_availability": False}
    told = ask(teacher_api, "post", "availability-zones/suggest", {"slice_config": config}).json()
    assert {row["code"] for row in told["results"]} == {"together"}


def test_a_pinned_node_stays_and_one_that_cannot_is_told(teacher_api, cloud, spoken):
    nodes = [{"name": "a", "availability_zone": "zone-2"}, {"name": "b", "availability_zone": "mars"}]
    told = ask(teacher_api, "post", "availability-zones/suggest", {"slice_config": {"nodes": nodes}}).json()
    assert [row["availability_zone"] for row in told["results"]] == ["zone-2", None]
    assert (told["complete"], "zone-1, zone-2" in told["results"][1]["reason"]) == (False, True)


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({"nodes": []}, "nodes"),
        ({"nodes": [{"name": "a", "flavor": "smal"}]}, "slice_config.nodes[0].flavor"),
        ({"nodes": ["a", "a"]}, "nodes"),
        ({"nodes": ["a"], "links": [["a", "b"]]}, "links"),
        ({"nodes": ["a"], "topology": "pyramid"}, "slice_config.topology"),
        ({"nodes": ["a"], "colour": "red"}, "slice_config.colour"),
        ({"nodes": [["a"]]}, "slice_config.nodes"),
        ({"nodes": "abc"}, "slice_config.nodes"),
        ({}, "slice_config.nodes"),
    ],
)
def test_suggest_refuses_what_it_cannot_mean(teacher_api, db, config, where):
    answer = ask(teacher_api, "post", "availability-zones/suggest", {"slice_config": config})
    assert answer.status_code == 400
    told = [answer.json().get("where", ""), *(fault["where"] for fault in answer.json().get("errors", []))]
    assert any(place.startswith((where, f"slice_config.{where}")) for place in told), told
