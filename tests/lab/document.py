"""One document for every hypervisor: only the folder's `hypervisor` differs; names are resolved by each one's aliases."""

from __future__ import annotations

from typing import Any, Final

import httpx

from tests.processes.installation import until

PLACE: Final = "/anywhere"
DOCUMENT: Final[dict[str, Any]] = {
    "path": PLACE,
    "common": {
        "image": "debian-12",
        "flavor": "nano",
        "networks": {"lan": {"cidr": "10.43.0.0/24", "type": "private"}},
    },
    "descriptors": {
        "web": {"nics": [{"network": "lan", "ip": "10.43.0.11"}]},
        "db": {"nics": [{"network": "lan", "ip": "10.43.0.12"}]},
    },
}
PATIENCE: Final = 300.0


def lay_out(api: httpx.Client) -> None:
    """The document, on no hypervisor yet."""
    _good(api.post("apply", json=DOCUMENT))


def call(api: httpx.Client, hypervisor: str, **aliases: dict[str, str]) -> None:
    """What the hypervisor calls images, flavors and networks."""
    found = _good(api.get("hypervisors", params={"page_size": 200}))["results"]
    known = next(one["id"] for one in found if one["name"] == hypervisor)
    _good(api.patch(f"hypervisors/{known}", json={"aliases": aliases}))


def deploys_on(api: httpx.Client, hypervisor: str) -> list[dict[str, Any]]:
    """Name the hypervisor in the folder, create the machines; what they are then. They are gone again afterwards."""
    _good(api.patch(f"nodes/{_node(api, PLACE)['id']}/definition", json={"hypervisor": hypervisor}))
    names = list(DOCUMENT["descriptors"])
    for name in names:
        _do(api, "create", name)
    made = [_node(api, f"{PLACE}/{name}") for name in names]
    for name in names:
        _do(api, "destroy", name)
    return made


def _do(api: httpx.Client, verb: str, name: str) -> None:
    started = _good(api.post(f"nodes/{_node(api, f'{PLACE}/{name}')['id']}/do/{verb}", json={}))
    assert until(lambda: _good(api.get(f"operations/{started['id']}"))["finished_at"], PATIENCE, 0.3)
    told = _good(api.get(f"operations/{started['id']}"))
    assert told["status"] == "succeeded", told


def _node(api: httpx.Client, path: str) -> dict[str, Any]:
    return dict(_good(api.get("nodes/by-path", params={"path": path})))


def _good(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None
