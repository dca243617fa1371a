"""Everything that goes wrong is one line and an exit code that scripts can rely on."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time

import pytest

from tests.cli.conftest import COURSE
from tests.cli.pretender import pretender, problem, send
from tests.processes.installation import free_port, until

TOKEN = "oli_secret_of_mine"


def told(ended):
    """The one line."""
    assert ended.out == ""
    assert ended.err.startswith("olimpus: ")
    assert ended.err.count("\n") == 1
    return ended.err


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sl"], "No such command 'sl'."),
        (["lss"], "Did you mean 'ls'?"),
        (["ls", "--nope"], "No such option"),
        (["show"], "Missing argument 'PATH'"),
        (["tree", "--depth", "x"], "--depth"),
        (["ls", "courses"], "A path begins with a slash."),
        (["ls", ""], "A path begins with a slash."),
        (["--lang", "fr", "ls"], "en, es"),
        (["-s", "ftp://x", "ls"], "no address of a server"),
        (["-s", "http://", "ls"], "no address of a server"),
        (["-s", "http://me:password@host", "ls"], "http://host"),
        (["-s", "https://exa mple", "ls"], "no address of a server"),
        (["-s", "http://127.0.0.1:99999", "ls"], "no address of a server"),
    ],
)
def test_what_is_not_understood_is_2(admin, arguments, said):
    err = told(admin(*arguments, code=2))
    assert said in err
    assert "password" not in err


def test_help_is_given_where_nothing_is_asked(admin):
    assert "Usage: olimpus" in (shown := admin(code=2)).out + shown.err
    assert "Print the paths alone" in admin("ls", "--help").out
    assert admin("--version").out.strip()


# -- the server --------------------------------------------------------------------------------------------------------


def test_nobody_answers_is_3(admin):
    address = f"http://127.0.0.1:{free_port()}"
    assert address in told(admin("-s", address, "ls", code=3))
    assert "no computer of this name" in told(admin("-s", "nowhere.invalid", "ls", code=3))


def test_the_address_of_something_else_is_3(stranger):
    with pretender(lambda handler, _record: send(handler, 200, "<html>Hello</html>", "text/html")) as page:
        assert "not the address of an Olimpus" in told(stranger("-s", page.address, "ls", code=3))
    with pretender(lambda handler, _record: send(handler, 404, "<html>No</html>", "text/html")) as page:
        assert "not the address of an Olimpus" in told(stranger("-s", page.address, "ls", code=3))
        assert "not the address of an Olimpus" in told(
            stranger("login", page.address, "-u", "me", "--password-stdin", typed="x\n", code=3)
        )
    for other in ([], {"hello": "world"}, {"results": [3]}):
        with pretender(lambda handler, _record, other=other: send(handler, 200, other)) as stranger_still:
            assert "not the address of an Olimpus" in told(stranger("-s", stranger_still.address, "ls", code=3))


def test_a_proxy_without_its_server_is_3_and_a_fault_of_the_server_8(stranger):
    with pretender(lambda handler, _record: send(handler, 502, "<html>Bad gateway</html>", "text/html")) as proxy:
        assert "down just now (502)" in told(stranger("-s", proxy.address, "ls", code=3))
    with pretender(lambda handler, _record: send(handler, 500, "<html>Oops</html>", "text/html")) as broken:
        assert "has failed (500)" in told(stranger("-s", broken.address, "ls", code=8))


def test_tls_where_there_is_none_and_a_certificate_that_nobody_knows_are_3(stranger, tmp_path):
    with pretender(lambda handler, _record: send(handler, 200, {})) as plain:
        address = plain.address.replace("http:", "https:")
        assert "does not speak TLS" in told(stranger("-s", address, "ls", code=3))
    with encrypted(tmp_path) as address:
        assert "certificate is not trusted" in told(stranger("-s", address, "ls", code=3))


def encrypted(folder):
    """A TLS server with a certificate of its own making."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return Encrypted(str(certificate), str(key))


class Encrypted:
    def __init__(self, certificate, key):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._socket = socket.create_server(("127.0.0.1", 0))

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return f"https://localhost:{self._socket.getsockname()[1]}"

    def __exit__(self, *_given):
        self._socket.close()

    def _serve(self):
        while True:
            try:
                connection, _peer = self._socket.accept()
            except OSError:  # closed: the test is over
                return
            try:
                self._context.wrap_socket(connection, server_side=True).close()
            except (ssl.SSLError, OSError):  # the client hangs up, as it should
                connection.close()


# -- what the server says ----------------------------------------------------------------------------------------------


def test_not_signed_in_is_4(server, stranger):
    assert f"You are not signed in. Sign in: olimpus login {server.address}" in told(stranger("ls", code=4))


def test_not_allowed_is_5(stranger):
    answer = lambda handler, _record: problem(handler, 403, "Only superusers.", where="users")  # noqa: E731
    with pretender(answer) as server:
        assert told(stranger("-s", server.address, "ls", code=5)) == "olimpus: users: Only superusers.\n"


def test_not_there_and_nothing_matches_are_6(admin):
    assert "/nope: There is no such path" in told(admin("show", "/nope", code=6))
    assert "/no*: Nothing matches." in told(admin("ls", "/no*", code=6))
    assert "There is no cpus here." in told(admin("get", COURSE, "cpus", code=6))


def test_a_pattern_that_the_shell_has_resolved_is_explained(admin, tmp_path):
    (tmp_path / "x").touch()
    assert "Put patterns in quotes" in told(admin("ls", str(tmp_path / "x"), code=6))
    assert "Put patterns in quotes" in told(admin("ls", "pyproject.toml", code=2))


def test_what_is_refused_is_7_with_every_fault_on_a_line(stranger):
    faults = [
        {"where": "body:1:1: cpu", "message": "unknown parameter", "hint": "Did you mean cpus?"},
        {"where": "body:2:1"},
    ]
    answer = lambda handler, _record: problem(handler, 400, "The input is not valid.", errors=faults)  # noqa: E731
    with pretender(answer) as server:
        assert stranger("-s", server.address, "ls", code=7).err.splitlines() == [
            "olimpus: The input is not valid.",
            "  body:1:1: cpu: unknown parameter Did you mean cpus?",
            "  body:2:1",
        ]
    for status in (409, 412, 422):
        with pretender(lambda handler, _record, status=status: problem(handler, status, "No.")) as server:
            assert told(stranger("-s", server.address, "ls", code=7)) == "olimpus: No.\n"


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_token_is_not_sent_unencrypted_to_another_computer(stranger):
    err = told(stranger("-s", "http://olimpus.example.edu", "ls", code=2, OLIMPUS_TOKEN=TOKEN))
    assert "unencrypted" in err
    assert TOKEN not in err
    ended = stranger("login", "http://olimpus.example.edu", "-u", "me", "--password-stdin", typed="x\n", code=2)
    assert "unencrypted" in told(ended)
    accepted = stranger("--plain-http", "-s", "http://nowhere.invalid", "ls", code=3, OLIMPUS_TOKEN=TOKEN)
    assert "no computer of this name" in told(accepted)


def test_a_redirect_is_told_and_never_followed(stranger):
    with pretender(lambda handler, _record: send(handler, 200, {"results": []})) as other:
        location = f"{other.address}/api/nodes/brief"
        with pretender(lambda handler, _record: send(handler, 302, "", Location=location)) as server:
            err = told(stranger("-s", server.address, "ls", code=3, OLIMPUS_TOKEN=TOKEN))
    assert f"olimpus login {other.address}" in err
    assert other.asked == []


# -- again -------------------------------------------------------------------------------------------------------------


def test_a_read_is_tried_again_when_the_connection_breaks(stranger):
    def answer(handler, record):
        if len(record.asked) < 3:
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            send(handler, 200, {"results": [], "count": 0})

    with pretender(answer) as server:
        stranger("-s", server.address, "ls", "-d", "/")
        assert len(server.asked) == 3


def test_a_password_is_never_sent_twice(stranger):
    def answer(handler, _record):
        handler.connection.shutdown(socket.SHUT_RDWR)

    with pretender(answer) as server:
        stranger("login", server.address, "-u", "me", "--password-stdin", typed="x\n", code=3)
        assert [method for method, _path, _headers in server.asked] == ["POST"]


def test_a_busy_server_is_asked_again_when_it_says_so(stranger):
    def answer(handler, record):
        if len(record.asked) == 1:
            problem(handler, 503, "The database is busy.", {"Retry-After": "1"})
        else:
            send(handler, 200, {"results": []})

    with pretender(answer) as server:
        began = time.monotonic()
        stranger("-s", server.address, "ls", "-d", "/")
        assert time.monotonic() - began > 1
        assert until(lambda: len(server.asked) == 2, 1)
