"""A day in the middle of a course, for the pictures of the documentation: made through the API and commands.

120 students, most of whose machines run; a few that failed, each for a reason of its own; two changed behind our back; an
operation under way; one hypervisor in maintenance and one that does not answer.
"""

from __future__ import annotations

from typing import Any

from tests.browser.conftest import Product
from tests.browser.hands import Api, until

COURSE = "/courses/TEL141/2026-2"
STUDENT = f"{COURSE}/student"
#: Whose machine is what a picture shows.
FAILED, DRIFTED, RESIZED = (f"{COURSE}/{place}" for place in ("20260003/client", "20260007/web", "20260012/db"))
IMAGES = "debian-12, ubuntu-24.04, windows-11"
QUICK = {"latency": 0.02, "images": IMAGES}
#: So slow that what is asked last is still under way when the last picture is taken.
SLOW = {"latency": 240, "images": IMAGES}
HOSTS: dict[str, dict[str, Any]] = {
    "lab-north": {"description": "Laboratory V-305, 24 hosts", "settings": {"capacity_vms": 120, "capacity_cpus": 240}},
    "lab-south": {"description": "Laboratory V-207, 16 hosts", "settings": {"capacity_vms": 80, "capacity_cpus": 128}},
    "research": {
        "description": "GPU nodes of the research group",
        "settings": {"capacity_vms": 6, "capacity_cpus": 64, "capacity_memory_mib": 131072},
    },
}
BRANCHES: tuple[dict[str, Any], ...] = (
    {
        "path": "/courses/TEL137/2026-2",
        "common": {"hypervisor": "lab-south", "image": "debian-12", "flavor": "small"},
        "descriptors": {f"router-{number}": {} for number in range(1, 9)},
    },
    {
        "path": "/research/sdn",
        "common": {"hypervisor": "research", "image": "ubuntu-24.04", "flavor": "medium"},
        "descriptors": {f"node-{number}": {} for number in range(1, 9)},
    },
)


def arrange(product: Product) -> dict[str, int]:
    """Make the situation; the last operation goes on for some minutes more. Returns path → id of what pictures need."""
    api = Api(product)
    change(api, "mock", settings=QUICK, concurrency=16, reconcile_interval=5)
    for name, fields in HOSTS.items():
        api.ask("POST", "hypervisors", json={"name": name, "driver": "mock", "reconcile_interval": 5, **fields})
    for branch in BRANCHES:
        api.ask("POST", "apply", json=branch)
    definitions(api)
    machines(api)
    meddle(api, product)
    trouble(api)
    begin(Api(product, "manager"), api)
    return {path: api.node(path)["id"] for path in (COURSE, f"{STUDENT}/web")}


def change(api: Api, hypervisor: str, **fields: Any) -> None:
    """Other fields for a hypervisor."""
    found = api.ask("GET", "hypervisors", params={"q": hypervisor})["results"]
    api.ask("PATCH", f"hypervisors/{next(one['id'] for one in found if one['name'] == hypervisor)}", json=fields)


def edit(api: Api, path: str, **values: Any) -> None:
    """Single parameters of one definition."""
    api.ask("PATCH", f"nodes/{api.node(path)['id']}/definition", json=values)


def definitions(api: Api) -> None:
    """Two images that nobody has, and addresses where people look for them."""
    edit(api, COURSE, custom={"ssh_user": "debian"})
    for path in (FAILED, f"{COURSE}/20260041/client"):
        edit(api, path, image="debian-21")
    for number, name in enumerate(("web", "db", "client"), start=11):
        edit(api, f"{STUDENT}/{name}", nics=[{"network": "lab", "model": "virtio", "ip": f"10.141.7.{number}"}])


def machines(api: Api) -> None:
    """Created everywhere, started for the most part; a snapshot, a pause and an edit that waits."""
    for path in (COURSE, *(branch["path"] for branch in BRANCHES)):
        api.do("create", path)
    together(api, "start", [f"{COURSE}/*/web", f"{COURSE}/2026000*/db", f"{COURSE}/2026001*/db"])
    together(api, "start", ["/research/sdn/*", "/courses/TEL137/2026-2/router-[1-6]"])
    together(api, "stop", [f"{COURSE}/2026010*/web"])
    api.do("snapshot", f"{STUDENT}/web", name="before-lab-3")
    api.do("pause", f"{COURSE}/20260005/web")
    edit(api, f"{STUDENT}/db", memory_mib=3072)


def together(api: Api, verb: str, patterns: list[str], *, wait: bool = True) -> str:
    """One verb on all that match and may take part; returns the operation's id."""
    nodes = [
        row["path"] for glob in patterns for row in api.ask("GET", "nodes/brief", params={"glob": glob})["results"]
    ]
    operation: str = api.ask("POST", f"do/{verb}", json={"nodes": nodes})["id"]
    if wait:
        until(lambda: api.ask("GET", f"operations/{operation}")["status"] not in ("queued", "running"))
    return operation


def meddle(api: Api, product: Product) -> None:
    """A colleague at work on the hypervisor itself, until Olimpus has noticed."""
    product.manage("mock_drift", "mock", "TEL141-20260007-web", "--power", "off")
    product.manage("mock_drift", "mock", "TEL141-20260012-db", "--cpus", "8")
    for name in ("old-firewall", "nas-test"):
        product.manage("mock_drift", "mock", name, "--create")
    for path in (DRIFTED, RESIZED):
        until(lambda path=path: bool(api.node(path)["drifted"]))  # type: ignore[misc]


def trouble(api: Api) -> None:
    """One hypervisor is looked after, another one is away."""
    found = {one["name"]: one["id"] for one in api.ask("GET", "hypervisors")["results"]}
    reason = {"on": True, "reason": "New disks, back at 18:00"}
    api.ask("POST", f"hypervisors/{found['lab-north']}/maintenance", json=reason)
    change(api, "lab-south", settings={"unreachable": True, **HOSTS["lab-south"]["settings"]})
    until(lambda: api.ask("GET", f"hypervisors/{found['lab-south']}")["health"] == "unreachable")


def begin(teacher: Api, admin: Api) -> None:
    """The teacher starts all clients; half of them are up when the hypervisor becomes slow."""
    operation = together(teacher, "start", [f"{COURSE}/*/client"], wait=False)
    until(lambda: teacher.ask("GET", f"operations/{operation}")["counts"]["succeeded"] >= 40)
    change(admin, "mock", settings=SLOW)
