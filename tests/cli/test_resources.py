"""What hypervisors have, and what they call the names of definitions."""

from __future__ import annotations

from tests.cli.terminal import Terminal


def test_resources_of_all_hypervisors(admin: Terminal, student: Terminal):
    told = admin("resources")
    assert "mock" in told.out
    found = admin("resources", "-o", "json").data
    assert "cpus_used" in found["totals"]
    assert "mock" in [row["name"] for row in found["hypervisors"]]
    assert "managers" in student("resources", code=5).err


def test_aliases_are_set_shown_and_forgotten(admin: Terminal):
    assert "saved" in admin("hypervisor", "alias", "mock", "images", "debian-99", "tiny").out
    admin("hypervisor", "alias", "mock", "flavors", "small-one", "small")
    (row,) = admin("hypervisor", "alias", "mock", "images", "-o", "json").data
    assert row == {"kind": "images", "name": "debian-99", "there": "tiny"}
    assert "small-one" in admin("hypervisor", "alias", "mock").out
    for kind, name in (("images", "debian-99"), ("flavors", "small-one")):
        admin("hypervisor", "alias", "mock", kind, name)
    assert admin("hypervisor", "alias", "mock", "-o", "json").data == []
    assert "images, flavors, networks" in admin("hypervisor", "alias", "mock", "disks", "a", "b", code=7).err
