"""Programs on the last hop, against paramiko's own server, which gives them to a real shell."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from hypervisors.tunnels import Ended, Hop, Tunnels
from olimpus.errors import TimedOut, Unreachable
from tests.hypervisors.ssh_peer import Peer, new_key

KEY_TEXT, KEY = new_key()


@pytest.fixture
def peer():
    found = Peer(KEY)
    yield found
    found.close()


@pytest.fixture
def tunnels(peer, tmp_path):
    host_key = f"{peer.host_key.get_name()} {peer.host_key.get_base64()}"
    made = Tunnels("rack", [Hop("127.0.0.1", peer.port, "olimpus", key=KEY_TEXT, host_key=host_key)], tmp_path)
    yield made
    made.close()


def test_its_words_reach_a_program_as_they_are(tunnels):
    nasty = "a b'c\"$(touch /tmp/never)`id`;|&\n*é"
    assert tunnels.run(["printf", "%s", nasty]) == Ended(0, nasty.encode(), b"")


def test_input_output_errors_and_the_code(tunnels):
    data = bytes(range(256)) * 4096
    assert tunnels.run(["cat"], data) == Ended(0, data, b"")
    assert tunnels.run(["sh", "-c", "echo yes; echo no >&2; exit 3"]) == Ended(3, b"yes\n", b"no\n")
    assert tunnels.run(["true"], data).code == 0  # it does not read what it is given
    assert tunnels.run(["no-such-program"]).code == 127


def test_one_that_does_not_end_is_given_up(tunnels):
    with pytest.raises(TimedOut):
        tunnels.run(["sleep", "30"], timeout=0.3)
    assert tunnels.run(["echo", "still here"]).out == b"still here\n"


def test_many_at_once_take_turns(tunnels):
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda number: tunnels.run(["echo", str(number)]).out, range(64)))
    assert said == [f"{number}\n".encode() for number in range(64)]


def test_a_lost_connection_is_told_and_the_next_command_runs(tunnels, peer):
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(tunnels.run, ["sh", "-c", "echo begun; sleep 30"])
        while tunnels.status().state != "up":
            pass
        assert tunnels.run(["true"]).code == 0
        peer.drop()
        with pytest.raises(Unreachable):
            under_way.result(10)
    assert tunnels.run(["true"]).code == 0


def test_each_connection_to_the_local_socket_is_a_program_of_its_own(tunnels, tmp_path):
    path = tmp_path / "program"
    tunnels.local_program(path, ["cat"], "echo")
    assert path.stat().st_mode & 0o777 == 0o600
    for said in (b"one", b"two"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(10) == said
            assert client.recv(10) == b""
    service = next(each for each in tunnels.status().services if each.service == "echo")
    assert service.opened == 2


@pytest.mark.parametrize("said", [b"", b"hello"])
def test_a_program_that_hangs_is_cut_off_and_others_are_not(tunnels, tmp_path, said):
    """`cat` answers what it is told; `sleep` nothing, and a program may stop to answer later as well."""
    patience = 1.5
    program = ["sh", "-c", "head -c 5; exec sleep 60"] if said else ["sleep", "60"]
    tunnels.local_program(tmp_path / "dead", program, "dead", patience)
    tunnels.local_program(tmp_path / "alive", ["cat"], "alive", patience)
    with socket.socket(socket.AF_UNIX) as dead, socket.socket(socket.AF_UNIX) as alive:
        for client, name in ((dead, "dead"), (alive, "alive")):
            client.connect(str(tmp_path / name))
            client.settimeout(10)
        alive.sendall(b"hello")
        assert alive.recv(10) == b"hello"
        if said:
            dead.sendall(said)
            assert dead.recv(10) == said
            dead.sendall(b"again")
        assert dead.recv(10) == b""
        alive.sendall(b"hello")  # whoever has answered may rest for as long as it likes
        assert alive.recv(10) == b"hello"
