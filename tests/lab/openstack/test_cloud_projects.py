"""Projects with quotas and people, against the real Keystone; what is in them keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hypervisors.drivers.openstack.cloud import OpenStackCloud
from olimpus.errors import CapacityExceeded, Missing, Rejected
from tests.lab.cloud import Cloud


@pytest.fixture
def project(cloud: OpenStackCloud, name: str) -> Iterator[str]:
    """A project with room for very little."""
    little = {"networks": 1, "subnets": 1, "routers": 1, "volumes": 1, "gigabytes": 2}
    yield cloud.ensure_project(name, quotas=little).name
    cloud.delete_project(name)


def test_a_project_with_quotas_and_people(cloud: OpenStackCloud, lab: Cloud, name: str) -> None:
    quotas = {"instances": 3, "ram": -1, "networks": 2, "floating_ips": 0, "volumes": 4}
    made = cloud.ensure_project(name, description="first", quotas=quotas, users=["demo"])
    try:
        again = cloud.ensure_project(name, description="second", users=["demo"], role="reader")
        assert (again.id, again.description) == (made.id, "second")
        found = {(quota.service, quota.resource): (quota.limit, quota.used) for quota in cloud.quotas(name)}
        assert found["compute", "instances"] == (3, 0)
        assert found["compute", "ram"] == (None, 0)
        assert found["network", "networks"] == (2, 0)
        assert found["network", "floating_ips"] == (0, 0)
        assert found["volume", "volumes"] == (4, 0)
        assert cloud.quotas(made.id) == cloud.quotas(name)
        demo = lab.sdk().identity.find_user("demo")
        roles = {
            item.role["id"] for item in lab.sdk().identity.role_assignments(scope_project_id=made.id, user_id=demo.id)
        }
        assert roles == {lab.sdk().identity.find_role(role).id for role in ("member", "reader")}
        assert made.id in {project.id for project in cloud.projects()}
    finally:
        cloud.delete_project(name)
    cloud.delete_project(name)
    assert name not in {project.name for project in cloud.projects()}


@pytest.mark.parametrize(
    ("wrong", "error", "hint"),
    [
        ({"users": ["dem"]}, Missing, "demo"),
        ({"users": ["demo"], "role": "membr"}, Missing, "member"),
        ({"quotas": {"instance": 1}}, Rejected, "instances"),
        ({"quotas": {"instances": -2}}, Rejected, ""),
    ],
)
def test_a_wrong_request_makes_no_project(
    cloud: OpenStackCloud, name: str, wrong: dict[str, Any], error: type[Exception], hint: str
) -> None:
    with pytest.raises(error) as refused:
        cloud.ensure_project(name, **wrong)
    assert hint in refused.value.hint  # type: ignore[attr-defined]
    assert name not in {project.name for project in cloud.projects()}


def test_exceeded_quotas_say_which_and_by_how_much(cloud: OpenStackCloud, project: str) -> None:
    network = cloud.create_network("cloud-one", project=project)
    try:
        with pytest.raises(CapacityExceeded) as full:
            cloud.create_network("cloud-two", project=project)
        assert full.value.message == "The quota of network is exceeded by 1: 1 wanted, 1 of 1 used."
        with pytest.raises(CapacityExceeded, match="gigabytes is exceeded by 1: 3 wanted, 0 of 2 used"):
            cloud.create_volume("cloud-big", 3, project=project)
        volume = cloud.create_volume("cloud-one", 1, project=project)
        with pytest.raises(CapacityExceeded, match="volumes is exceeded by 1"):
            cloud.create_volume("cloud-two", 1, project=project)
        with pytest.raises(Rejected, match="A quota of 0 volumes is below the 1 that are used"):
            cloud.ensure_project(project, quotas={"volumes": 0})
        assert [item.name for item in cloud.volumes(project)] == ["cloud-one"]
        assert "cloud-one" in [item.name for item in cloud.networks(project)]
        cloud.delete_volume(volume.id)
    finally:
        cloud.delete_network(network.id)


def test_what_is_in_a_project_keeps_it(cloud: OpenStackCloud, project: str) -> None:
    network = cloud.create_network("cloud-kept", project=project)
    volume = cloud.create_volume("cloud-kept-too", 1, project=project)
    snapshot = cloud.snapshot_volume(volume.id, "cloud-kept-as-well")
    try:
        with pytest.raises(Rejected) as kept:
            cloud.delete_project(project)
        assert "1 networks (cloud-kept)" in kept.value.message
        assert "1 volumes (cloud-kept-too)" in kept.value.message
        assert "1 snapshots of volumes (cloud-kept-as-well)" in kept.value.message
    finally:
        cloud.delete_volume_snapshot(snapshot.id)
        cloud.delete_volume(volume.id)
        cloud.delete_network(network.id)


@pytest.mark.parametrize(("kept", "why"), [("admin", "the account itself"), ("service", "nova")])
def test_projects_of_the_cloud_itself_stay(cloud: OpenStackCloud, kept: str, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        cloud.delete_project(kept)
    assert kept in {project.name for project in cloud.projects()}


def test_an_unknown_project_is_named_with_the_nearest(cloud: OpenStackCloud) -> None:
    with pytest.raises(Missing) as unknown:
        cloud.quotas("servic")
    assert "“service”" in unknown.value.hint


def test_a_member_sees_what_is_his(reach: Callable[..., OpenStackCloud]) -> None:
    demo = reach("lab-demo")
    assert [project.name for project in demo.projects()] == ["demo"]
    assert {quota.service for quota in demo.quotas("")} == {"compute", "network", "volume"}
    assert "public" in {network.name for network in demo.networks()}
    assert demo.volumes() == demo.volumes("demo")
