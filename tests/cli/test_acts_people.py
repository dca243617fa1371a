"""Grants, accounts, groups, hypervisors."""

from __future__ import annotations

from pathlib import Path

from tests.cli.acting import Branch, answering
from tests.cli.acting import branch as branch
from tests.cli.terminal import Terminal
from tests.processes.installation import PASSWORD, Installation


def test_grants_are_given_explained_and_taken_back(admin: Terminal, student: Terminal, branch: Branch):
    student("show", branch.web, code=6)
    assert "student is user of" in admin("grants", "add", branch.path, "--user", "student").out
    rows = admin("grants", "list", branch.web, "-o", "json").data
    assert (rows[0]["user"], rows[0]["role"], rows[0]["granted_at"]) == ("student", "user", branch.path)
    why = {row["operation"]: row for row in admin("grants", "why", "student", branch.web, "-o", "json").data}
    assert (why["start"]["allowed"], why["start"]["granted_at"], why["edit"]["allowed"]) == (True, branch.path, False)
    assert student("show", branch.web).out
    assert student("set", branch.web, "cpus=2", code=5).err.count("\n") == 1
    student("grants", "list", branch.path, code=5)
    above = admin("grants", "remove", branch.web, "--user", "student", code=6)
    assert f"It was given at: {branch.path}" in above.err
    admin("grants", "inherit", f"{branch.path}/one", "--off")
    student("show", branch.web, code=6)
    admin("grants", "inherit", f"{branch.path}/one", "--on")
    assert "no longer" in admin("grants", "remove", branch.path, "--user", "student").out
    student("show", branch.web, code=6)
    admin("grants", "add", branch.path, code=2)
    assert "nobody-at-all" in admin("grants", "add", branch.path, "--user", "nobody-at-all", code=7).err


def test_accounts_are_made_changed_closed_and_erased(admin: Terminal, student: Terminal, server: Installation):
    made = admin("user", "create", "carla", "--email", "c@example.org", "--password-stdin", typed=f"{PASSWORD}\n")
    assert made.out == "carla: made.\n"
    assert PASSWORD not in made.out + made.err
    admin("user", "update", "carla", "--first-name", "Carla", "--kind", "manager")
    shown = admin("user", "show", "carla", "-o", "json").data
    assert (shown["first_name"], shown["kind"], "password" in shown) == ("Carla", "manager", False)
    assert [row["username"] for row in admin("user", "list", "carl", "-o", "json").data] == ["carla"]
    admin("user", "disable", "carla")
    assert admin("user", "show", "carla", "-o", "json").data["is_active"] is False
    admin("user", "enable", "carla")
    assert admin("user", "create", "carla", "--password-stdin", typed=f"{PASSWORD}\n", code=None).code == 7
    assert "Nobody can be asked" in admin("user", "create", "dora", code=2).err
    student("user", "create", "dora", "--password-stdin", typed=f"{PASSWORD}\n", code=5)
    assert answering(admin, "n", "user", "delete", "carla").code == 130
    assert answering(admin, "y", "user", "delete", "carla").code == 0
    admin("user", "show", "carla", code=6)
    admin("user", "update", "admin", code=2)


def test_people_come_from_a_file(admin: Terminal, tmp_path: Path):
    file = tmp_path / "people.csv"
    file.write_text("username,first name,groups\nnora,Nora,cli-group\n")
    assert admin("user", "import", str(file), "--dry-run").out.splitlines()[:2] == ["+ nora", "+ group cli-group"]
    admin("user", "show", "nora", code=6)
    assert admin("user", "import", str(file), "-o", "json").data["counts"]["new"] == 1
    assert "0 new" in admin("user", "import", str(file)).out
    file.write_text("username\nnot a name!\n")
    assert "people.csv:2" in admin("user", "import", str(file), code=7).err
    assert "cannot be read" in admin("user", "import", str(tmp_path / "none.csv"), code=2).err
    assert [row["username"] for row in admin("group", "show", "cli-group", "-o", "json").data] == ["nora"]
    admin("user", "delete", "nora", "--yes")
    admin("group", "delete", "cli-group", "--yes")


def test_groups(admin: Terminal, student: Terminal):
    admin("group", "create", "cli")
    admin("group", "add", "cli", "student", "manager")
    assert [row["username"] for row in admin("group", "show", "cli", "-o", "json").data] == ["manager", "student"]
    admin("group", "remove", "cli", "manager")
    admin("group", "rename", "cli", "cli-2")
    assert {"name": "cli-2", "member_count": 1}.items() <= next(
        row for row in admin("group", "list", "-o", "json").data if row["name"] == "cli-2"
    ).items()
    student("group", "create", "x", code=5)
    admin("group", "add", "cli-2", "nobody-at-all", code=6)
    admin("group", "delete", "cli-2", "--yes")
    admin("group", "show", "cli-2", code=6)


def test_hypervisors(admin: Terminal, student: Terminal, server: Installation, branch: Branch):
    assert "latency" in admin("hypervisor", "drivers", "mock").out
    admin("hypervisor", "create", "cli-1", "-d", "mock", "latency=0", "--description", "for tests")
    refused = admin("hypervisor", "create", "cli-2", "-d", "mock", "colour=red", code=7).err
    assert "settings.colour: There is no such setting." in refused
    assert admin("hypervisor", "test", "cli-1", "-o", "json").data["ok"] is True
    admin("hypervisor", "update", "cli-1", "unreachable=true", code=None)
    texts = ("images=12", "workers=w1 1 1 1\nw2 1 1 1")
    admin("hypervisor", "update", "cli-1", "latency=0.5", *texts, "--concurrency", "3")
    shown = admin("hypervisor", "show", "cli-1", "-o", "json").data
    assert (shown["settings"]["latency"], shown["concurrency"], shown["description"]) == (0.5, 3, "for tests")
    assert (shown["settings"]["images"], shown["settings"]["workers"]) == ("12", "w1 1 1 1\nw2 1 1 1")
    admin("hypervisor", "maintenance", "cli-1", "--on", "--reason", "new disks")
    assert "new disks" in admin("hypervisor", "list").out
    assert "new disks" not in student("hypervisor", "list", "-o", "json").out
    admin("hypervisor", "maintenance", "cli-1", "--off")
    admin("hypervisor", "update", "cli-1", code=2)
    student("hypervisor", "test", "cli-1", code=5)
    student("hypervisor", "unowned", "cli-1", code=5)
    admin("hypervisor", "show", "nowhere", code=6)
    admin("hypervisor", "delete", "cli-1", "--yes")


def test_machines_that_nobody_owns_are_adopted(admin: Terminal, server: Installation, branch: Branch):
    server.manage("mock_drift", "mock", "cli-stray", "--create")
    admin("hypervisor", "reconcile", "mock")

    def stray() -> str:
        rows = admin("hypervisor", "unowned", "mock", "-o", "json").data
        return next((row["ref"] for row in rows if row["name"] == "cli-stray"), "")

    from tests.processes.installation import until

    assert until(stray, 30, 0.5)
    admin("hypervisor", "adopt", "mock", stray(), branch.path, "--name", "found")
    assert admin("show", f"{branch.path}/found", "-o", "json").data["vm_ref"]
    admin("hypervisor", "adopt", "mock", "no-such-vm", branch.path, code=6)
