"""Commands that change definitions and the tree: set, edit, apply, diff, export, mkdir, cp, mv, rm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.acting import Branch, answering, editor
from tests.cli.acting import branch as branch
from tests.cli.terminal import PROGRAM, Terminal

# -- set ---------------------------------------------------------------------------------------------------------------


def test_set_changes_single_values_and_says_what_that_does(admin: Terminal, branch: Branch):
    told = admin("set", branch.path, "cpus=2", "labels.team=a", "networks.lan={cidr: 10.1.0.0/24}")
    assert f"{branch.path}: saved." in told.out
    assert "3 machines change now" in told.err
    assert branch.web in told.err
    assert admin("get", branch.path, "labels.team").out == "a\n"
    admin("set", branch.path, "labels.team-", "cpus-")
    assert "cpus" not in admin("get", branch.path, "-o", "json").data
    assert "nothing to change" in admin("set", branch.path, "flavor=small").out


def test_a_dry_run_changes_nothing(admin: Terminal, branch: Branch):
    assert "3 machines change now" in admin("set", branch.path, "cpus=2", "--dry-run").out
    plan = admin("set", branch.path, "cpus=2", "--dry-run", "-o", "json").data
    assert plan["counts"]["now"] == 3
    assert "cpus" not in admin("get", branch.path, "-o", "json").data


def test_faults_are_told_with_what_to_do(admin: Terminal, student: Terminal, branch: Branch):
    told = admin("set", branch.web, "cpu=2", code=7)
    assert told.err.count("\n") == 1
    assert 'Did you mean "cpus"?' in told.err
    assert "neither key=value" in admin("set", branch.web, "cpus", code=2).err
    admin("set", f"{branch.path}/nowhere", "cpus=2", code=6)
    student("set", branch.web, "cpus=2", code=6)


def test_what_machines_notice_is_asked_for(admin: Terminal, branch: Branch):
    admin("create", branch.web, "--wait")
    admin("start", branch.web, "--wait")
    admin("stop", branch.web, "--wait")
    change = ("set", branch.path, "cpus=2")
    assert "Nothing was changed." in answering(admin, "n", *change).err
    assert "cpus" not in admin("get", branch.path, "-o", "json").data
    yes = answering(admin, "y", *change)
    assert (yes.code, "at the next start" in yes.err) == (0, True)
    rows = admin("diff", branch.path, "-o", "json").data
    assert {"path": branch.web, "what": "pending", "name": "cpus", "there": None, "wanted": 2} in rows
    assert admin("diff", branch.web, "--exit-code", code=1).out
    assert "saved" in admin("set", branch.path, "cpus=3").out, "where nobody can be asked, nothing is lost by going on"
    assert "nothing waits" in admin("diff", branch.other, "--exit-code").err


# -- edit --------------------------------------------------------------------------------------------------------------


def test_edit_shows_the_plan_and_saves(admin: Terminal, branch: Branch, tmp_path: Path):
    told = admin("edit", branch.web, EDITOR=editor(tmp_path, 'echo "cpus: 2" >> "$1"'))
    assert "1 machine changes now" in told.err
    assert "saved" in told.out
    assert admin("get", branch.web, "cpus").out == "2\n"
    assert branch.web in (tmp_path / "seen-1").read_text()


def test_a_fault_comes_back_into_the_editor_with_its_line(admin: Terminal, branch: Branch, tmp_path: Path):
    scripts = ('printf "cpu: 2\\n" > "$1"', 'sed -i s/^cpu:/cpus:/ "$1"')
    admin("edit", branch.web, VISUAL=editor(tmp_path, *scripts))
    lines = (tmp_path / "seen-2").read_text().splitlines()
    notes = [line for line in lines if line.startswith("#|")]
    assert 'unknown parameter "cpu"' in notes[1]
    assert lines[int(notes[1].split("line ")[1].split(":")[0]) - 1] == "cpu: 2"
    assert admin("get", branch.web, "-o", "json").data == {"cpus": 2}


def test_no_yaml_at_all_comes_back_too_and_is_kept_when_given_up(admin: Terminal, branch: Branch, tmp_path: Path):
    told = admin("edit", branch.web, EDITOR=editor(tmp_path, 'echo "a: [" > "$1"', "true"), code=7)
    kept = Path(told.err.split("kept in ")[1].split()[0])
    assert kept.read_text() == "a: [\n"
    kept.unlink()
    assert admin("get", branch.web, "labels.role").out == "web\n"


def test_a_script_whose_text_stays_refused_ends(admin: Terminal, branch: Branch, tmp_path: Path):
    told = admin("edit", branch.web, "--yes", EDITOR=editor(tmp_path, *['echo "cpus: [" >> "$1"'] * 9), code=7)
    kept = Path(told.err.split("kept in ")[1].split()[0])
    assert "cpus: [" in kept.read_text()
    kept.unlink()
    assert (tmp_path / "calls").read_text() == "3\n"


def test_leaving_it_as_it_was_changes_nothing(admin: Terminal, branch: Branch, tmp_path: Path):
    for script in ("true", ': > "$1"'):
        (tmp_path / "calls").unlink(missing_ok=True)
        assert "Nothing was changed." in admin("edit", branch.web, EDITOR=editor(tmp_path, script)).err
    assert "cannot be started" in admin("edit", branch.web, EDITOR="/nowhere/ed", code=2).err
    assert "has failed" in admin("edit", branch.web, EDITOR="false", code=2).err


def test_when_somebody_saved_meanwhile_theirs_is_shown_and_mine_is_kept(
    admin: Terminal, branch: Branch, tmp_path: Path
):
    meanwhile = f'{PROGRAM} set {branch.web} description=theirs >/dev/null; echo "cpus: 2" >> "$1"'
    told = admin("edit", branch.web, EDITOR=editor(tmp_path, meanwhile), code=7)
    assert "+description: theirs" in told.err
    assert "Somebody else" in told.err
    kept = Path(told.err.split("kept in ")[1].split()[0])
    assert "cpus: 2" in kept.read_text()
    kept.unlink()
    assert admin("get", branch.web, "description").out == "theirs\n"


# -- documents ---------------------------------------------------------------------------------------------------------


def test_a_branch_goes_out_and_in_again(admin: Terminal, branch: Branch, tmp_path: Path):
    file = tmp_path / "branch.yaml"
    file.write_text(admin("export", branch.path).out)
    assert admin("diff", "-f", str(file), "--exit-code").out.startswith("0 new, 0 changed, ")
    copied = file.read_text().replace(f"path: {branch.path}", f"path: {branch.path}/copy")
    planned = admin("apply", "-f", "-", "--dry-run", typed=copied)
    assert f"+ {branch.path}/copy/one/web" in planned.out.splitlines()
    admin("show", f"{branch.path}/copy", code=6)
    admin("apply", "-f", "-", typed=copied)
    assert admin("find", f"{branch.path}/copy", "--quiet").out.count("\n") == 5
    assert json.loads(admin("export", branch.path, "-o", "json").out)["path"] == branch.path


def test_applying_tells_what_machines_notice(admin: Terminal, branch: Branch, tmp_path: Path):
    file = tmp_path / "change.yaml"
    file.write_text(f"path: {branch.path}\ncommon: {{hypervisor: mock, image: debian-12, flavor: medium}}\n")
    assert admin("diff", "-f", str(file), "--exit-code", code=1).out.splitlines()[0] == f"~ {branch.path}"
    done = admin("apply", "-f", str(file), "-o", "json").data
    assert (done["dry_run"], done["update"], done["effects"]["counts"]["now"]) == (False, [branch.path], 3)


def test_faults_name_file_line_and_column(admin: Terminal, branch: Branch, tmp_path: Path):
    file = tmp_path / "bad.yaml"
    file.write_text(f"path: {branch.path}\ncommon:\n  cpu: 2\n  memory: x\n")
    told = admin("apply", "-f", str(file), code=7)
    assert f"{file}:3:3" in told.err
    assert "standard input:1:" in admin("apply", "-f", "-", typed="{", code=7).err
    assert "cannot be read" in admin("apply", "-f", str(tmp_path / "nowhere"), code=2).err
    assert "Name either" in admin("diff", code=2).err


# -- the tree ----------------------------------------------------------------------------------------------------------


def test_folders_are_made_copied_moved_and_deleted(admin: Terminal, branch: Branch):
    top = branch.path
    admin("mkdir", f"{top}/a/b", code=6)
    assert admin("mkdir", "-p", f"{top}/a/b/c").out.count("made") == 3
    assert admin("mkdir", "-p", f"{top}/a/b/c").out == ""
    admin("mkdir", f"{top}/a", code=7)
    assert admin("cp", "-r", f"{top}/one", f"{top}/a").out == f"{top}/one → {top}/a/one\n"
    assert admin("cp", f"{top}/one/web", f"{top}/a/web2", "-o", "json").data[0]["path"] == f"{top}/a/web2"
    assert admin("mv", f"{top}/a/web2", f"{top}/a/web3").out == f"{top}/a/web2 → {top}/a/web3\n"
    admin("mv", f"{top}/a/one/*", f"{top}/a/b/c")
    assert admin("ls", f"{top}/a/b/c", "--quiet").out.split() == [f"{top}/a/b/c/db", f"{top}/a/b/c/web"]
    admin("mv", f"{top}/a/b/c/*", f"{top}/nowhere", code=2)
    admin("cp", f"{top}/one", f"{top}/a/web3", code=7)
    admin("mkdir", "-p", f"{top}/a/web3/x", code=7)
    assert "rm -r" in admin("rm", f"{top}/a", "--yes", code=2).err
    assert "deleted" in admin("rm", f"{top}/a/one", "--yes").out
    assert admin("rm", "-r", f"{top}/a", f"{top}/a/b", "--yes", "-o", "json").data == {"deleted": 6}


def test_deleting_names_what_is_lost_and_asks(admin: Terminal, branch: Branch):
    assert "agree with: --yes" in admin("rm", branch.web, code=2).err
    refused = answering(admin, "n", "rm", branch.web)
    assert (refused.code, f"Delete {branch.web} with its definition?" in refused.err) == (130, True)
    assert "Nothing was changed." in answering(admin, "2", "rm", "-r", f"{branch.path}/one").err
    done = answering(admin, "3", "rm", "-r", f"{branch.path}/one")
    assert done.code == 0, done.err
    assert "1 folder and 2 machines" in done.err
    assert branch.db in done.err
    admin("show", f"{branch.path}/one", code=6)


def test_machines_that_exist_keep_their_folder(admin: Terminal, branch: Branch):
    admin("create", branch.web, "--wait")
    told = admin("rm", "-r", branch.path, "--yes", code=7)
    assert branch.web in told.err
    assert admin("show", branch.other).out


@pytest.mark.parametrize("arguments", [("rm", "/"), ("mv", "/", "/courses"), ("rm", "x"), ("mkdir", "/")])
def test_nonsense_is_refused(admin: Terminal, arguments: tuple[str, ...]):
    assert admin(*arguments, "--yes" if arguments[0] == "rm" else "/x", code=None).code in (2, 6, 7)
