"""The ground that the walks through console, editor and access are made on: folders of their own, read back by the API."""

from __future__ import annotations

from typing import Any

from tests.browser.hands import Api

#: What a machine needs; the demo's mock hypervisor has it.
ENOUGH = {"hypervisor": "mock", "image": "debian-12", "flavor": "nano"}


def ground(api: Api, name: str, **document: Any) -> str:
    """`/courses/<name>`, which the demo's manager manages. Returns its path."""
    return api.lay_out(f"/courses/{name}", common=ENOUGH, **document)


def number(api: Api, path: str) -> int:
    """The id of what is at a path."""
    return int(api.node(path)["id"])


def written(api: Api, path: str) -> Any:
    """The definition that is written there."""
    return api.ask("GET", f"nodes/{number(api, path)}/definition")["local"]


def states(api: Api, path: str) -> dict[str, str]:
    """Path → state of the machines below a folder."""
    rows = api.ask("GET", "nodes/brief", params={"path": path})["results"]
    return {row["path"]: row["state"] for row in rows if row["state"]}
