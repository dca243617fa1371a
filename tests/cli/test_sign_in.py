"""`login`, `logout`, `whoami`, and where tokens are kept."""

from __future__ import annotations

import json
import os
import pty
import stat
import time

import httpx
import pytest

from tests.cli.conftest import COURSE
from tests.cli.terminal import PROGRAM, Terminal
from tests.processes.installation import PASSWORD


def file_of(terminal):
    return terminal.config / "olimpus" / "credentials.json"


def kept(terminal):
    return json.loads(file_of(terminal).read_text())


def login(terminal, user="manager", *more, **options):
    return terminal("login", "--user", user, "--password-stdin", *more, typed=f"{PASSWORD}\n", **options)


def works(server, token):
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{server.address}/api/auth/me", headers=headers).status_code == 200


def test_a_token_is_made_for_this_computer_and_kept_for_its_owner_alone(server, stranger):
    ended = login(stranger)
    assert ended.out == f"Signed in to {server.address} as manager.\n"
    assert stat.S_IMODE(file_of(stranger).stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of(stranger).parent.stat().st_mode) == 0o700
    assert os.listdir(file_of(stranger).parent) == ["credentials.json"]
    token = kept(stranger)["servers"][server.address]["token"]
    assert works(server, token)
    assert token not in ended.out + ended.err
    assert stranger("whoami", "-o", "json").data["username"] == "manager"


def test_logout_revokes_the_token_and_forgets_it(server, stranger):
    login(stranger)
    token = kept(stranger)["servers"][server.address]["token"]
    assert "the token is revoked" in stranger("logout").out
    assert kept(stranger) == {"current": server.address, "servers": {}}
    assert not works(server, token)
    assert "not signed in" in stranger("logout").out
    assert "You are not signed in." in stranger("ls", code=4).err


def test_signing_in_again_leaves_no_second_token(server, stranger):
    login(stranger)
    first = kept(stranger)["servers"][server.address]["token"]
    login(stranger, "student")
    assert not works(server, first)
    assert stranger("whoami", "-o", "json").data["username"] == "student"


def test_the_server_of_the_last_login_is_the_one_that_is_asked(server, tmp_path):
    terminal = Terminal(tmp_path, "")
    login(terminal, "manager", server.address)
    assert terminal("whoami").out.splitlines()[-1].split() == ["Server", server.address]


def test_a_wrong_password_is_one_line_and_keeps_nothing(stranger):
    ended = stranger("login", "-u", "nobody", "--password-stdin", typed="wrong\n", code=4)
    assert ended.err == "olimpus: Wrong user name or password.\n"
    assert not file_of(stranger).exists()


def test_without_a_terminal_nobody_is_asked(stranger):
    assert "--password-stdin" in stranger("login", code=2).err
    assert "--user" in stranger("login", "--password-stdin", code=2).err
    assert "empty" in stranger("login", "-u", "manager", "--password-stdin", code=2).err


def test_on_a_terminal_name_and_password_are_asked_for_and_the_password_is_not_shown(stranger):
    ours, theirs = pty.openpty()
    process = stranger.begin("login", stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = answer(ours, "User", "manager\n") + answer(ours, "Password", f"{PASSWORD}\n") + rest(ours)
    assert process.wait(20) == 0, shown
    assert "Signed in" in shown
    assert PASSWORD not in shown


def answer(terminal, question, typed):
    shown = ""
    while question not in shown:
        shown += os.read(terminal, 1000).decode()
    time.sleep(0.2)  # getpass turns the echo off after its question
    os.write(terminal, typed.encode())
    return shown


def rest(terminal):
    shown = b""
    try:
        while found := os.read(terminal, 1000):
            shown += found
    except OSError:  # Linux says so when nobody holds the other end any more
        pass
    return shown.decode()


def test_a_read_only_token_may_look_and_change_nothing(stranger):
    login(stranger, "manager", "--read-only", "--expires", "2099-01-31")
    assert stranger("ls", COURSE).out
    assert "may only read" in stranger("rm", "--yes", f"{COURSE}/20260001/web", code=5).err


def test_a_token_from_elsewhere_can_be_kept(server, stranger, token_of):
    stranger("login", "--token-stdin", typed=f"{token_of('student')}\n")
    assert stranger("whoami", "-o", "json").data["username"] == "student"


def test_the_environment_wins_over_what_is_kept(stranger, token_of):
    login(stranger, "manager")
    assert stranger("whoami", "-o", "json", OLIMPUS_TOKEN=token_of("student")).data["username"] == "student"


def test_a_loosened_mode_is_repaired_and_said(stranger):
    login(stranger)
    file_of(stranger).chmod(0o644)
    ended = stranger("whoami")
    assert "could read the tokens" in ended.err
    assert stat.S_IMODE(file_of(stranger).stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"servers": 3}', '{"current": "http://localhost"', "\x00"])
def test_a_spoilt_file_of_tokens_is_one_line(stranger, text):
    file_of(stranger).parent.mkdir(parents=True)
    file_of(stranger).write_text(text)
    assert "cannot be read" in stranger("whoami", code=4).err


@pytest.mark.parametrize("token", ["oli_unknown", "x", "line\nbreak", "ñandú", "two words", "a" * 5000])
def test_a_token_that_is_none_is_one_line_that_does_not_repeat_it(stranger, token):
    err = stranger("ls", code=4, OLIMPUS_TOKEN=token).err
    assert err.startswith("olimpus: ")
    assert err.count("\n") == 1
    assert len(token) < 2 or token not in err


def test_an_expired_token_says_how_to_go_on(server, stranger, token_of):
    token = token_of("student")
    server.run(
        "from accounts.models import ApiToken; from django.utils import timezone\n"
        f"ApiToken.objects.of({token!r}).update(expires_at=timezone.now())"
    )
    err = stranger("ls", code=4, OLIMPUS_TOKEN=token).err
    assert err == (
        f"olimpus: {server.address}: This token is unknown, expired or revoked. Sign in: olimpus login {server.address}\n"
    )


def test_the_program_is_installed():
    assert PROGRAM.exists(), "make test installs it"
