"""What the driver does with ids that people give: it goes on with the one that the cloud answered."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hypervisors.drivers.openstack.cloud import OpenStackCloud
from hypervisors.drivers.openstack.rest import Rest
from olimpus.errors import Missing, Rejected, VMNotFound
from tests.hypervisors.recorded import FREE_VOLUME, NETWORK, SERVER, SUBNET

NET, FREE = NETWORK.id, FREE_VOLUME.id
FLAVORS = [
    {"id": "1", "name": "tiny", "vcpus": 1, "ram": 64, "disk": 1},
    {"id": "7", "name": "1", "vcpus": 2, "ram": 64, "disk": 1},
]
USERS = [{"user": {"id": "n", "name": "nova"}, "role": {"name": "admin"}, "scope": {"project": {"id": "s"}}}]


class Heard(Rest):
    """Answers of these addresses, the last of them for good; notes what shall change."""

    def __init__(self, session: Any, answers: dict[str, list[Any]]):
        super().__init__(session)
        self._answers = answers
        self.changes: list[tuple[str, str, Any]] = []

    def ask(self, service: str, method: str, path: str, *, missing: Any = Missing, **options: Any) -> Any:
        if method != "GET":
            self.changes.append((method, path, options.get("json")))
        known = self._answers.get(path if method == "GET" else f"{method} {path}")
        if known is None and method == "GET":
            raise missing(f"nothing at {path}")
        body = known.pop(0) if known and len(known) > 1 else (known or [{}])[0]
        return SimpleNamespace(json=lambda: body, content=b"{}")


@pytest.fixture
def cloud(tmp_path: Path) -> Any:
    """`cloud(answers)`: the driver's cloud that hears them; signed in to the project “o”."""
    access = SimpleNamespace(project_id="o", project_domain_id="d", user_id="me", role_names=("admin",))
    session = SimpleNamespace(home=tmp_path, hypervisor="lab", access=lambda: access, project_id=lambda project="": "o")

    def make(**answers: list[Any]) -> OpenStackCloud:
        made = OpenStackCloud(session)  # type: ignore[arg-type]
        made.rest = Heard(session, answers)
        return made

    return make


def a_volume(status: str, *refs: str) -> dict[str, Any]:
    attachments = [{"server_id": ref, "device": "/dev/vdb"} for ref in refs]
    return {"volume": {"id": FREE, "name": "spare", "status": status, "size": 1, "attachments": attachments}}


def changes(cloud: OpenStackCloud) -> list[tuple[str, str, Any]]:
    return cloud.rest.changes  # type: ignore[attr-defined, no-any-return]


def test_a_list_is_not_the_one(cloud):
    made = cloud(**{"/volumes/detail": [{"volumes": []}], "/servers/detail": [{"servers": []}], "/x": [{"x": []}],
                    f"/volumes/{FREE}": [a_volume("available")]})  # fmt: skip
    assert made.rest.optional("compute", "/servers/detail", "server") is None
    assert made.rest.optional("compute", "/x", "x") is None
    made.delete_volume("detail")
    with pytest.raises(VMNotFound):
        made.attach_volume(FREE, "detail")
    with pytest.raises(Missing, match="no volume “detail”"):
        made.detach_volume("detail")
    assert changes(made) == []


@pytest.mark.parametrize(("key", "deleted"), [("tiny", "1"), ("7", "7"), ("1", "7")])
def test_a_flavor_goes_by_its_name_or_else_its_id(cloud, key, deleted):
    made = cloud(**{"/flavors/detail": [{"flavors": FLAVORS}]})
    made.delete_flavor(key)
    assert changes(made) == [("DELETE", f"/flavors/{deleted}", None)]


def test_a_flavor_that_is_not_there_may_be_deleted(cloud):
    made = cloud(**{"/flavors/detail": [{"flavors": FLAVORS}]})
    made.delete_flavor("wide")
    assert changes(made) == []


def test_a_subnet_is_in_the_network_that_answered(cloud):
    subnet = vars(SUBNET) | {"gateway_ip": "", "enable_dhcp": True, "dns_nameservers": [], "allocation_pools": []}
    made = cloud(**{f"/networks/{NET.upper()}": [{"network": {"id": NET, "project_id": "o"}}],
                    "/subnets": [{"subnets": []}], "POST /subnets": [{"subnet": subnet}]})  # fmt: skip
    assert made.create_subnet(NET.upper(), "192.168.100.0/24").network_id == NET
    ((_method, _path, body),) = changes(made)
    assert body["subnet"]["network_id"] == NET


@pytest.mark.parametrize("verb", ["attach", "detach"])
def test_a_volume_on_its_way_is_waited_for(cloud, verb):
    moving, there = ("attaching", [SERVER]) if verb == "attach" else ("detaching", [])
    answers = [a_volume("reserved"), a_volume(moving), a_volume("in-use" if there else "available", *there)]
    made = cloud(**{f"/volumes/{FREE}": answers, f"/servers/{SERVER}": [{"server": {"id": SERVER}}]})
    done = made.attach_volume(FREE, SERVER) if verb == "attach" else made.detach_volume(FREE)
    assert [one.vm_ref for one in done.attachments] == there
    assert changes(made) == []


def test_a_volume_that_went_into_a_machine_only_now_stays_there(cloud):
    answers = [a_volume("attaching"), a_volume("in-use", SERVER)]
    made = cloud(**{f"/volumes/{FREE}": answers, f"/servers/{SERVER}": [{"server": {"id": SERVER, "name": "web"}}]})
    with pytest.raises(Rejected, match="is attached to “web”"):
        made.detach_volume(FREE)
    assert changes(made) == []


@pytest.mark.parametrize("ref", ["", SERVER])
def test_a_volume_is_taken_out(cloud, ref):
    made = cloud(
        **{
            f"/volumes/{FREE}": [a_volume("in-use", SERVER), a_volume("in-use", SERVER), a_volume("available")][
                bool(ref) :
            ]
        }
    )
    assert made.detach_volume(FREE, ref).status == "available"
    assert [path for _method, path, _body in changes(made)] == [f"/servers/{SERVER}/os-volume_attachments/{FREE}"]


@pytest.mark.parametrize(("project", "why"), [("o", "account itself"), ("s", "Accounts that run the cloud")])
def test_projects_that_the_cloud_runs_in_are_left_alone(cloud, project, why):
    found = {"id": project, "name": "shown", "description": ""}
    made = cloud(**{"/projects": [{"projects": [found]}], "/role_assignments": [{"role_assignments": USERS}],
                    "/roles": [{"roles": [{"id": "r", "name": "member"}]}],
                    "/users": [{"users": [{"id": "u"}]}]})  # fmt: skip
    made.session.access().user_domain_id = "d"
    with pytest.raises(Rejected, match=why):
        made.ensure_project("shown", users=["demo"], ordinary=True)
    assert changes(made) == []
    made.ensure_project("shown", users=["demo"])
    assert [path for _method, path, _body in changes(made)] == [f"/projects/{project}/users/u/roles/r"]
