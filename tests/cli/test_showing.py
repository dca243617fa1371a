"""`show` and `get`: one node, one definition."""

from __future__ import annotations

import httpx
import pytest
from ruamel.yaml import YAML

from tests.cli.conftest import COURSE

VM = f"{COURSE}/20260001/web"


@pytest.fixture(scope="module")
def definition(admin):
    """What the API says."""
    headers = {"Authorization": f"Bearer {admin.environment['OLIMPUS_TOKEN']}"}
    with httpx.Client(base_url=f"{admin.environment['OLIMPUS_SERVER']}/api", headers=headers) as api:
        node = api.get("/nodes/by-path", params={"path": VM}).json()
        return api.get(f"/nodes/{node['id']}/definition").json()


def facts(ended):
    return {row[0]: row[1] for row in ended.table}


def test_show_says_what_a_machine_is_and_what_one_may_do(admin):
    shown = facts(admin("show", VM))
    assert shown["Path"] == VM
    assert shown["State"].startswith("○ provisioned, ")
    assert shown["You may"] == "create"
    assert "Not now" not in shown
    assert "start: It is provisioned" in admin("show", VM, "-o", "wide").out
    assert admin("show", VM, "-o", "json").data["pending_changes"] == {}


def test_show_of_a_folder_counts_the_machines_below(admin):
    assert facts(admin("show", "/courses"))["Machines"] == "○ provisioned: 360"


def test_show_takes_a_pattern_that_means_one(admin):
    assert facts(admin("show", f"{COURSE}/20260001/w*"))["Path"] == VM
    assert "3 paths match" in admin("show", f"{COURSE}/20260001/*", code=2).err


def test_get_prints_what_is_written_there(admin, definition):
    assert YAML(typ="safe").load(admin("get", VM).out) == definition["local"]
    assert admin("get", VM, "-o", "json").data == definition["local"]


def test_get_computed_prints_what_results(admin, definition):
    assert YAML(typ="safe").load(admin("get", VM, "--computed").out) == definition["computed"]
    assert admin("get", VM, "--computed", "-o", "json").data == definition["computed"]


def test_get_of_one_value_is_the_bare_value(admin):
    assert admin("get", VM, "--computed", "flavor").out == "small\n"
    assert admin("get", VM, "--computed", "labels.course").out == "TEL141\n"
    assert admin("get", VM, "--computed", "labels", "-o", "json").data["course"] == "TEL141"
    assert "--computed" in admin("get", VM, "hypervisor", code=6).err


def test_origins_say_who_has_set_each_value(admin, definition):
    rows = admin("get", VM, "--origins", "-o", "json").data
    assert {row["key"]: row["origin"] for row in rows} == definition["origins"]
    (row,) = admin("get", VM, "flavor", "--origins", "-o", "json").data
    assert row == {"key": "flavor", "value": "small", "origin": definition["origins"]["flavor"]}
    assert admin("get", VM, "flavor", "--origins").table[1] == ["flavor", "small", row["origin"]]
