"""Bastion tunnels without an sshd: keys, trust, the news of processes, and one whole tunnel to an SSH peer in this process.

The same against OpenSSH, with its faults, is in `tests/lab/tunnels`.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hypervisors.tunnels import Hop, Tunnels, ask_reconnect, board, hops_from, statuses, steps
from hypervisors.tunnels.hops import ROLES, private_keys
from hypervisors.tunnels.trust import Trust, fingerprint, parsed
from olimpus.errors import Rejected, Transient, Unreachable
from tests.hypervisors.ssh_peer import Peer, echoing, new_key

KEY_TEXT, KEY = new_key()
PEM, CLEAR = serialization.Encoding.PEM, serialization.NoEncryption()


@pytest.fixture
def peer():
    found = Peer(KEY)
    yield found
    found.close()


@pytest.fixture
def echo():
    with echoing() as port:
        yield port


@pytest.fixture
def hop(peer):
    return Hop("127.0.0.1", peer.port, "olimpus", key=KEY_TEXT, host_key=line(peer.host_key))


@pytest.fixture
def tunnels(hop, tmp_path):
    made = Tunnels("cloud", [hop], tmp_path)
    yield made
    made.close()


@pytest.fixture
def few(hop, tmp_path):
    made = Tunnels("cloud", [hop], tmp_path, max_connections=2)
    yield made
    made.close()


def line(key) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def until(true, seconds=5.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(true())


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("tunnel", "Thread"))]


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


# -- settings and keys -------------------------------------------------------------------------------------------------


def test_hops_come_from_the_settings():
    values = {
        "bastion_host": "b.example",
        "bastion_user": "u",
        "bastion_port": 5821,
        "headnode_host": "",
        "verify": True,
    }
    assert hops_from({}) == hops_from({"headnode_host": ""}) == ()
    assert hops_from(values) == (Hop("b.example", 5821, "u"),)
    both = hops_from(values | {"headnode_host": "h", "headnode_user": "v", "headnode_accept_new_host_key": True})
    assert [hop.address for hop in both] == ["b.example:5821", "h:22"]
    assert both[1].accept_new_host_key
    assert len(steps(ROLES[:1])) == 4
    assert len({code for code, _label in steps()}) == 8


@pytest.mark.parametrize(
    ("values", "told"),
    [({"bastion_host": "b"}, "bastion_user"), ({"headnode_host": "h", "headnode_user": "u"}, "no bastion")],
)
def test_incomplete_hops_are_refused(values, told):
    with pytest.raises(Rejected, match=told):
        hops_from(values)


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())], ids=["rsa", "ecdsa"]
)
@pytest.mark.parametrize("form", ["OpenSSH", "PKCS8", "TraditionalOpenSSL"])
@pytest.mark.parametrize("passphrase", ["", "a long one"])
def test_a_key_is_read_in_every_form(key, form, passphrase):
    sealed = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else CLEAR
    text = key.private_bytes(PEM, getattr(serialization.PrivateFormat, form), sealed).decode()
    windows = text.replace("\n", "\r\n").strip()
    (read,) = private_keys(Hop("h", key=windows, passphrase=passphrase))
    assert read.can_sign()
    if passphrase:
        with pytest.raises(Rejected, match="cannot be read") as caught:
            list(private_keys(Hop("h", key=text, passphrase="another")))
        assert text[40:80] not in str(caught.value)
        assert "another" not in str(caught.value)


def test_a_key_file_is_read_and_a_missing_one_named(tmp_path):
    path = tmp_path / "id"
    path.write_text(KEY_TEXT)
    assert list(private_keys(Hop("h", key_file=str(path)))) == [KEY]
    with pytest.raises(Rejected, match="No such file"):
        list(private_keys(Hop("h", key_file=str(tmp_path / "none"))))


def test_without_any_key_nobody_is_asked(monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(Rejected, match="no SSH key"):
        list(private_keys(Hop("h")))


def test_secrets_are_not_shown():
    shown = repr(Hop("h", 22, "u", key=KEY_TEXT, passphrase="open sesame"))
    assert "sesame" not in shown
    assert KEY_TEXT[40:60] not in shown


# -- trust -------------------------------------------------------------------------------------------------------------


def test_a_host_key_is_told_in_many_forms():
    met = fingerprint(KEY.asbytes())
    for text in (line(KEY), f"[h]:5821,10.0.0.1 {line(KEY)} a comment", met, f"256 {met} h (ED25519)", f"# h\n\n{met}"):
        assert [known.fingerprint for known in parsed(text)] == [met], text
    assert len(parsed(f"{line(KEY)}\n{line(new_key()[1])}")) == 2
    for text in ("nonsense", "ssh-ed25519", "ssh-ed25519 %%%", "SHA256:short"):
        with pytest.raises(Rejected, match="not a host key"):
            parsed(text)


def test_an_unknown_key_is_refused_and_nothing_kept(tmp_path):
    with pytest.raises(Rejected, match="is not known: SHA256:"):
        Trust(tmp_path).verify((Hop("h"),), KEY, keep=True)
    assert list(tmp_path.iterdir()) == []


def test_the_first_key_is_kept_when_that_is_accepted_and_another_refused(tmp_path):
    trust, way = Trust(tmp_path), (Hop("h", accept_new_host_key=True),)
    assert "new" in trust.verify(way, KEY, keep=False)
    assert list(tmp_path.iterdir()) == []  # a test of settings keeps nothing
    met = trust.verify(way, KEY, keep=True)
    (file,) = (tmp_path / "known_hosts").iterdir()
    assert line(KEY) in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (
        trust.verify((Hop("h"),), KEY, keep=True) == met
    )  # later new ones are not accepted any more: the known one is
    other = new_key()[1]
    with pytest.raises(Rejected) as caught:
        trust.verify(way, other, keep=True)
    assert met in str(caught.value)
    assert fingerprint(other.asbytes()) in str(caught.value)
    given = (Hop("h", host_key=line(other), accept_new_host_key=True),)
    assert trust.verify(given, other, keep=True) == fingerprint(other.asbytes())  # the settings win
    behind = (Hop("b"), Hop("h", accept_new_host_key=True))
    trust.verify(behind, other, keep=True)  # the same address in another network is another host
    assert len(list((tmp_path / "known_hosts").iterdir())) == 2


def test_of_many_first_keys_at_once_one_is_kept(tmp_path):
    trust, way, keys = Trust(tmp_path), (Hop("h", accept_new_host_key=True),), [new_key()[1] for _n in range(8)]
    outcomes: list[bool] = []

    def meet(key) -> None:
        try:
            trust.verify(way, key, keep=True)
            outcomes.append(True)
        except Rejected:
            outcomes.append(False)

    threads = [threading.Thread(target=meet, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True]
    assert len(list((tmp_path / "known_hosts").iterdir())) == 1


# -- the news of processes ---------------------------------------------------------------------------------------------


def test_the_state_is_a_file_of_ones_own_that_goes_with_the_tunnel(tunnels, tmp_path, echo):
    assert statuses(tmp_path) == []
    tunnels.dial("127.0.0.1", echo, "identity").close()
    assert until(lambda: any(told.state == "up" for told in statuses(tmp_path)))
    (file,) = (tmp_path / "tunnels" / "status").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert KEY_TEXT[40:60] not in file.read_text()
    (told,) = statuses(tmp_path)
    assert (told.name, told.pid, told.services[0].service) == ("cloud", os.getpid(), "identity")
    tunnels.close()
    assert not file.exists()


def test_files_of_dead_processes_are_ignored_and_swept(tunnels, tmp_path):
    folder = tmp_path / "tunnels" / "status"
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    told = json.loads(json.dumps(board.asdict(tunnels.status())))
    folder.mkdir(parents=True)
    dead, stale, torn = (folder / f"{name}.json" for name in ("dead", "stale", "torn"))
    dead.write_text(json.dumps(told | {"pid": int(gone.stdout)}))
    stale.write_text(json.dumps(told | {"machine": "another", "at": time.time() - 60}))
    torn.write_text("{")
    alive = folder / "alive.json"
    alive.write_text(json.dumps(told | {"machine": "another", "pid": int(gone.stdout)}))
    assert [status.machine for status in statuses(tmp_path)] == ["another"]
    long_ago = time.time() - 60
    for file in (dead, stale, torn):
        os.utime(file, (long_ago, long_ago))
    assert len(statuses(tmp_path)) == 1
    assert [file.name for file in folder.iterdir()] == ["alive.json"]


def test_a_wish_to_reconnect_reaches_the_process(tunnels, tmp_path, echo):
    ask_reconnect(tmp_path, "cloud")  # an old wish
    tunnels.dial("127.0.0.1", echo).close()
    time.sleep(0.7)
    assert tunnels.status().reconnects == 0
    ask_reconnect(tmp_path, "another")
    ask_reconnect(tmp_path, "cloud")
    assert until(lambda: tunnels.status().reconnects == 1)
    assert (tunnels.status().state, tunnels.status().last_error) == ("up", "")


# -- a whole tunnel ----------------------------------------------------------------------------------------------------


def test_nothing_is_contacted_before_the_first_use(hop, tmp_path, peer):
    before = ours()
    tunnels = Tunnels("cloud", [hop], tmp_path)
    assert (tunnels.status().state, ours(), peer.transports) == ("down", before, [])
    assert list(tmp_path.iterdir()) == []
    tunnels.close()


def test_both_ways_in_carry_bytes_over_one_connection(tunnels, peer, echo):
    with tunnels.dial("127.0.0.1", echo, "identity") as dialled:
        address = tunnels.local("127.0.0.1", echo, "identity")
        assert address == tunnels.local("127.0.0.1", echo)
        assert address[0] == "127.0.0.1"
        with socket.create_connection(address) as local:
            for sock in (dialled, local):
                sock.sendall(b"hello")
                assert sock.recv(10) == b"hello"
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) or sock is local
            assert len(peer.transports) == 1
            assert until(lambda: tunnels.status().bytes_in == tunnels.status().bytes_out == 10)
            (service,) = tunnels.status().services
            assert (service.service, service.connections, service.local_port) == ("identity", 2, address[1])


def test_an_end_is_passed_on_in_each_direction_by_itself(tunnels, echo):
    with tunnels.dial("127.0.0.1", echo) as sock:
        sock.sendall(b"x" * 100_000)
        sock.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: sock.recv(65536), b""))
    assert received == b"x" * 100_000
    assert until(lambda: tunnels.status().connections == 0)


def test_large_streams_arrive_whole(tunnels, echo):
    sent = os.urandom(5_000_000)
    with tunnels.dial("127.0.0.1", echo) as sock:
        threading.Thread(target=lambda: (sock.sendall(sent), sock.shutdown(socket.SHUT_WR)), name="sender").start()
        time.sleep(0.3)  # what has come waits for the reader
        received = bytearray()
        while data := sock.recv(1 << 20):
            received += data
    assert received == sent


def test_a_closed_target_is_told(tunnels, echo):
    with pytest.raises(Unreachable, match="is not reached through the tunnel"):
        tunnels.dial("127.0.0.1", 1, "compute")
    with socket.create_connection(tunnels.local("127.0.0.1", 1)) as sock, pytest.raises(ConnectionResetError):
        sock.recv(1)
    status = tunnels.status()
    assert (status.state, status.services[0].state) == ("up", "down")
    assert "not reached" in status.services[0].last_error
    tunnels.dial("127.0.0.1", echo).close()


def test_a_taken_local_port_is_told(tunnels, echo):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Rejected, match="not free"):
        tunnels.local("127.0.0.1", echo, local_port=taken.getsockname()[1])


def test_what_was_in_flight_is_cut_off_and_the_tunnel_comes_back(tunnels, peer, echo):
    sockets = [tunnels.dial("127.0.0.1", echo) for _n in range(5)]
    for sock in sockets:
        sock.sendall(b"half an ans")
        assert sock.recv(20)
    peer.drop()
    for sock in sockets:
        with pytest.raises(ConnectionResetError):
            sock.recv(20)
        sock.close()
    begun = time.monotonic()
    with tunnels.dial("127.0.0.1", echo) as sock:
        sock.sendall(b"again")
        assert sock.recv(9) == b"again"
    assert time.monotonic() - begun < 5
    status = tunnels.status()
    assert (status.reconnects, status.last_error) == (1, "The SSH connection was lost.")


def test_a_refused_key_fails_at_once_and_a_wish_tries_again(tunnels, peer, echo):
    peer.allowed = None
    for _n in range(2):
        begun = time.monotonic()
        with pytest.raises(Rejected, match="refuses the key of “olimpus”"):
            tunnels.dial("127.0.0.1", echo)
        assert time.monotonic() - begun < 4
    attempts = len(peer.transports)
    assert attempts == 1  # hosts lock out who insists
    peer.allowed = KEY
    tunnels.reconnect()
    assert until(lambda: tunnels.status().state == "up")


def test_a_changed_host_key_is_refused(tunnels, peer, echo):
    tunnels.dial("127.0.0.1", echo).close()
    before = fingerprint(peer.host_key.asbytes())
    peer.host_key = new_key()[1]
    peer.drop()
    assert until(lambda: tunnels.status().state == "down")
    with pytest.raises(Rejected) as caught:
        tunnels.dial("127.0.0.1", echo)
    assert before in str(caught.value)
    assert fingerprint(peer.host_key.asbytes()) in str(caught.value)


def test_no_more_connections_than_allowed(few, echo):
    first, second = few.dial("127.0.0.1", echo), few.dial("127.0.0.1", echo)
    with pytest.raises(Transient, match="All 2 connections"):
        few.dial("127.0.0.1", echo, timeout=0.2)
    waiting = socket.create_connection(few.local("127.0.0.1", echo))  # waits for its turn
    waiting.settimeout(10)
    waiting.sendall(b"patience")
    first.close()
    assert waiting.recv(20) == b"patience"
    for sock in (second, waiting):
        sock.close()


def test_connections_that_only_rest_make_room_for_others(few, echo, monkeypatch):
    monkeypatch.setattr("hypervisors.tunnels.tunnels.RESTING", 0.2)
    resting, awaiting = few.dial("127.0.0.1", echo), few.dial("127.0.0.1", echo)
    resting.sendall(b"asked")
    assert resting.recv(9) == b"asked"  # answered: its client keeps it for later; the other was never answered
    time.sleep(0.3)
    third = few.dial("127.0.0.1", echo, timeout=5)
    assert resting.recv(1) == b""  # an orderly end: the client takes another
    for sock in (awaiting, third):
        sock.sendall(b"still there")
        assert sock.recv(20) == b"still there"
        sock.close()
    resting.close()


def test_the_steps_of_a_check(tunnels, hop, tmp_path, peer):
    checks = tunnels.check()
    assert [(check.step, check.ok) for check in checks] == [(code, True) for code, _label in steps(ROLES[:1])]
    assert tunnels.status().state == "down"  # the tunnel in use is another
    peer.allowed = None
    assert [check.ok for check in tunnels.check()] == [True, True, True, False]
    with pytest.raises(Rejected):
        tunnels.connect()
    peer.allowed = KEY
    assert all(check.ok for check in tunnels.check())
    tunnels.connect()  # what was found holds for the tunnel, too
    tunnels.close()
    other = Tunnels("cloud", [Hop("127.0.0.1", peer.port, "u", key=KEY_TEXT, host_key=line(KEY))], tmp_path)
    assert [check.ok for check in other.check()] == [True, True, False]
    nobody = Tunnels("cloud", [Hop("nobody.invalid", 22, "u", key=KEY_TEXT)], tmp_path)
    (failed,) = nobody.check()
    assert not failed.ok
    assert "nobody.invalid" in failed.detail
    peer.listener.shutdown(socket.SHUT_RDWR)
    assert [check.ok for check in tunnels.check()] == [True, False]


def test_hundreds_of_connections_and_many_threads_leave_nothing(tunnels, peer, echo):
    tunnels.dial("127.0.0.1", echo).close()
    assert until(lambda: tunnels.status().connections == 0)
    faults: list[BaseException] = []

    def call() -> None:
        try:
            for _n in range(15):
                with tunnels.dial("127.0.0.1", echo) as sock:
                    sock.sendall(b"ping")
                    assert sock.recv(9) == b"ping"
        except BaseException as error:  # noqa: BLE001 - told by the test itself
            faults.append(error)

    threads = [threading.Thread(target=call, name="caller") for _n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert until(lambda: tunnels.status().connections == 0)
    assert tunnels.status().services[0].opened == 301
    assert len(peer.transports) == 1
    assert until(lambda: {"tunnel-in", "tunnel-out", "tunnel-open"}.isdisjoint(ours())), ours()


def test_close_ends_everything_and_a_later_use_begins_anew(hop, tmp_path, echo):
    tunnels = Tunnels("cloud", [hop], tmp_path)
    before, open_files = sorted(ours()), files()
    for _n in range(3):
        sock = tunnels.dial("127.0.0.1", echo)
        address = tunnels.local("127.0.0.1", echo)
        with socket.create_connection(address) as local:
            local.sendall(b"x")
            assert local.recv(1) == b"x"
            tunnels.close()
            with pytest.raises(ConnectionResetError):
                local.recv(1)
        sock.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
    assert until(lambda: sorted(ours()) == before), ours()
    assert until(lambda: files() <= open_files + 2), (files(), open_files)  # the peer's own ends go a moment later
    assert statuses(tmp_path) == []
