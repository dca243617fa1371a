"""`ls`, `tree`, `find`: what is listed, and how it is printed."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time

import httpx
import pytest
from ruamel.yaml import YAML

from tests.cli.conftest import COURSE
from tests.cli.pretender import pretender, send
from tests.cli.terminal import PROGRAM
from tests.processes.installation import until


def brief(terminal, **query):
    headers = {"Authorization": f"Bearer {terminal.environment['OLIMPUS_TOKEN']}"}
    url = f"{terminal.environment['OLIMPUS_SERVER']}/api/nodes/brief"
    return httpx.get(url, params=query, headers=headers, timeout=30).json()["results"]


def test_ls_shows_what_is_in_a_folder(admin):
    ended = admin("ls", f"{COURSE}/20260001")
    assert ended.table[0][:3] == ["NAME", "STATE", "SINCE"]
    assert [row[0] for row in ended.table[1:]] == ["client", "db", "web"]
    assert ended.table[1][1] == "○ provisioned"


def test_ls_begins_at_the_root_and_folders_end_with_a_slash(admin):
    assert admin("ls").table == [["NAME"], ["courses/"]]
    assert admin("ls", f"{COURSE}/").table[1] == ["20260001/"]


def test_a_pattern_is_resolved_by_the_server(admin):
    pattern = "/courses/*/*/2026000[1-3]/w?b"
    assert admin("ls", "-q", pattern).out.splitlines() == [f"{COURSE}/2026000{n}/web" for n in (1, 2, 3)]
    assert len(admin("ls", "-q", "/courses/**/db").out.splitlines()) == 120


def test_scripts_get_the_data_of_the_api(admin):
    expected = brief(admin, path=COURSE, depth=1)
    assert admin("ls", COURSE, "-o", "json").data == expected
    assert YAML(typ="safe").load(admin("ls", COURSE, "-o", "yaml").out) == expected
    everything = brief(admin, path="/courses")
    assert admin("ls", "-R", "/courses", "-o", "json").data == everything
    assert admin("tree", "/courses", "-o", "json").data == everything
    assert admin("find", "/courses", "-o", "json").data == everything


def test_wide_shows_more(admin):
    narrow, wide = (admin("ls", "-o", form, f"{COURSE}/20260001").table[0] for form in ("table", "wide"))
    assert set(narrow) < set(wide)
    assert "ID" in wide


def test_several_paths_are_listed_by_their_whole_paths_and_the_folder_itself_with_d(admin):
    ended = admin("ls", "-q", f"{COURSE}/20260001", f"{COURSE}/20260002/web")
    assert ended.out.splitlines() == [f"{COURSE}/20260001/{name}" for name in ("client", "db", "web")] + [
        f"{COURSE}/20260002/web"
    ]
    assert admin("ls", "-d", COURSE, "-q").out == f"{COURSE}\n"


def test_tree_draws_branches_and_counts(admin):
    lines = admin("tree", f"{COURSE}/20260001").out.splitlines()
    assert lines == [
        f"{COURSE}/20260001",
        "├── client  ○ provisioned",
        "├── db  ○ provisioned",
        "└── web  ○ provisioned",
        "",
        "0 folders, 3 machines",
    ]
    short = admin("tree", "--depth", "2")
    assert short.out.splitlines() == [
        "/",
        "└── courses/",
        "    └── TEL141/",
        "",
        "2 folders, 0 machines",
    ]
    assert "not counted" in short.err
    assert admin("tree", f"{COURSE}/20260001", "--depth", "2").err == ""


def test_who_sees_little_is_shown_where_it_begins(student):
    assert student("ls").table == [["NAME"], ["courses/TEL141/2026-2/student/"]]
    assert "└── courses/TEL141/2026-2/student/" in student("tree").out
    assert student("ls", "-q", "/courses/*/*/*/web").out == f"{COURSE}/student/web\n"
    assert student("find", "-q", "--name", "w*").out == f"{COURSE}/student/web\n"
    assert student("find", "-q", "--name", "nothing-*").out == ""
    assert "of this computer" not in student("show", "/", code=6).err


def test_find_by_name_kind_and_label(admin):
    assert len(admin("find", "-q", "--name", "web").out.splitlines()) == 120
    assert admin("find", "-q", f"{COURSE}/20260001", "--name", "[dw]*").out.splitlines() == [
        f"{COURSE}/20260001/{name}" for name in ("db", "web")
    ]
    assert admin("find", "-q", "--kind", "folder", "--name", "TEL").out == "/courses/TEL141\n"
    assert len(admin("find", "-q", "/courses", "--label", "course=TEL141", "--name", "web").out.splitlines()) == 120
    assert admin("find", "--state", "paused").out == ""
    assert "notastate" in admin("find", "--state", "notastate", code=7).err


def test_colours_only_where_somebody_looks(admin):
    assert "\x1b" not in admin("ls").out
    assert "\x1b[36mcourses/" in admin("ls", FORCE_COLOR="1").out
    assert "\x1b" not in admin("ls", FORCE_COLOR="1", NO_COLOR="1").out
    assert "\x1b[36mcourses/" in on_a_terminal(admin, "ls")
    assert "\x1b" not in on_a_terminal(admin, "ls", NO_COLOR="1")


def on_a_terminal(terminal, *arguments, **environment):
    ours, theirs = pty.openpty()
    process = terminal.begin(*arguments, stdout=theirs, env=terminal.environment | {"TERM": "xterm"} | environment)
    os.close(theirs)
    shown = b""
    try:
        while found := os.read(ours, 4096):
            shown += found
    except OSError:  # the other end is closed
        pass
    assert process.wait(20) == 0
    return shown.decode()


def test_who_reads_no_further_is_no_reason_to_complain(admin):
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", 'olimpus ls -R / -o json | head -n 1; echo "$?"'],
        env=admin.environment | {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"},
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert ended.stdout.splitlines() in (["[", "141"], ["[", "0"])
    assert ended.stderr == ""


def test_what_a_server_says_cannot_steer_the_terminal(stranger):
    row = {"id": 1, "path": "/\x1b[2Jx", "kind": "descriptor", "state": "failed", "state_since": "2026-01-01T00:00:00Z",
           "hypervisor": "a\nb", "verb": None, "reason": "\x07\x1b]0;t\x07"}  # fmt: skip
    with pretender(lambda handler, _record: send(handler, 200, {"results": [row]})) as server:
        for form in ("table", "wide", "json", "yaml"):
            out = stranger("-s", server.address, "ls", "-o", form).out
            assert not {"\x1b", "\x07"} & set(out)
        assert "\x1b" not in stranger("-s", server.address, "ls", "-q").out


def test_interrupted_it_ends_at_once(stranger):
    with pretender(lambda _handler, _record: time.sleep(5)) as server:
        process = stranger.begin("-s", server.address, "ls")
        assert until(lambda: server.asked, 20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=5)
    assert process.returncode == 130
    assert (out, err.strip()) == ("", "")


@pytest.mark.parametrize("form", ["xml", ""])
def test_an_unknown_form_is_refused(admin, form):
    assert admin("ls", "-o", form, code=2).err.count("\n") == 1
