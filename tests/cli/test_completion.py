"""What the shell is offered when Tab is pressed."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.cli.conftest import COURSE
from tests.cli.pretender import pretender, send
from tests.cli.terminal import PROGRAM
from tests.processes.installation import free_port


def offered(terminal, *words):
    """What bash would offer for the last word."""
    ended = terminal(
        code=None,
        _OLIMPUS_COMPLETE="complete_bash",
        COMP_WORDS=" ".join(["olimpus", *words]),
        COMP_CWORD=str(len(words)),
    )
    assert ended.err == ""
    return [line for line in ended.out.splitlines() if line]


def test_paths_are_completed_by_the_server(admin):
    assert offered(admin, "ls", f"{COURSE}/2026000")[:2] == [f"{COURSE}/20260001/", f"{COURSE}/20260002/"]
    assert offered(admin, "show", f"{COURSE}/20260001/w") == [f"{COURSE}/20260001/web"]
    assert offered(admin, "get", f"{COURSE}/nothing") == []


def test_a_folder_alone_comes_with_its_children_so_that_no_space_follows(admin):
    assert offered(admin, "ls", "/cour") == ["/courses/", "/courses/TEL141/"]


def test_who_sees_little_is_led_there(student):
    assert offered(student, "ls", "/c")[0] == f"{COURSE}/student/"


def test_commands_and_options_are_completed(admin):
    assert {"ls", "login", "logout"} <= set(offered(admin, "l"))
    assert offered(admin, "ls", "-o", "j") == ["json"]


def test_options_before_the_command_count(stranger, admin):
    known = ("-s", admin.environment["OLIMPUS_SERVER"])
    assert offered(stranger, *known, "ls", "/c") == []
    stranger.environment["OLIMPUS_TOKEN"] = admin.environment["OLIMPUS_TOKEN"]
    assert offered(stranger, *known, "ls", "/cour") == ["/courses/", "/courses/TEL141/"]


def test_names_with_spaces_are_put_in_so_that_bash_understands_them(stranger):
    row = {"path": "/my lab", "kind": "descriptor"}
    with pretender(lambda handler, _record: send(handler, 200, {"results": [row]})) as server:
        assert offered(stranger, "-s", server.address, "ls", "/my") == ["/my\\ lab"]


def test_a_silent_server_is_not_waited_for_and_nothing_is_said(stranger):
    with pretender(lambda _handler, _record: time.sleep(4)) as server:
        began = time.monotonic()
        assert offered(stranger, "-s", server.address, "ls", "/") == []
        assert time.monotonic() - began < 3.5
    assert offered(stranger, "-s", f"http://127.0.0.1:{free_port()}", "ls", "/") == []
    with pretender(lambda handler, _record: send(handler, 200, "<html>", "text/html")) as server:
        assert offered(stranger, "-s", server.address, "ls", "/") == []


@pytest.mark.parametrize(
    ("shell", "marks"), [("bash", "complete -o"), ("zsh", "#compdef olimpus"), ("fish", "complete")]
)
def test_each_shell_gets_its_script(stranger, shell, marks):
    assert marks in stranger(_OLIMPUS_COMPLETE=f"source_{shell}").out


def test_installed_in_bash_it_completes(admin):
    environment = admin.environment | {"PATH": f"{PROGRAM.parent}:{admin.environment['PATH']}"}
    ask = 'COMP_WORDS=(olimpus ls /cour); COMP_CWORD=2; _olimpus_completion olimpus; printf "%s\n" "${COMPREPLY[@]}"'
    for command in ("olimpus --install-completion; exit", f". ~/.bashrc; {ask}"):
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=20)
        assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["/courses/", "/courses/TEL141/"]
