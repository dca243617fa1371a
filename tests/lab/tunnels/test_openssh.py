"""Tunnels through a real OpenSSH server, and through two: they carry, they verify, and they survive what happens to sshd."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from hypervisors.drivers.openstack.transport import requests_session
from hypervisors.tunnels import Tunnels, hops_from, statuses, steps
from hypervisors.tunnels.trust import parsed
from olimpus.errors import HypervisorError, Rejected, Unreachable
from tests.hypervisors.ssh_peer import echoing
from tests.lab.sshd import Sshd
from tests.processes.installation import until

BACK_IN = 5.0  # seconds


@pytest.fixture
def echo() -> Iterator[int]:
    with echoing() as port:
        yield port


@pytest.fixture
def through(tmp_path: Path) -> Iterator[Callable[..., Tunnels]]:
    """`through(bastion, headnode, bastion_key="")`: tunnels over these servers; closed when the test ends."""
    made: list[Tunnels] = []

    def make(*servers: Sshd, **more: object) -> Tunnels:
        told: dict[str, object] = {}
        for role, server in zip(("bastion", "headnode"), servers, strict=False):
            told |= server.settings(role)
        made.append(Tunnels("cloud", hops_from(told | more), tmp_path / "home"))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(params=[1, 2], ids=["one hop", "two hops"])
def tunnels(request: pytest.FixtureRequest, bastion: Sshd, headnode: Sshd, through: Callable[..., Tunnels]) -> Tunnels:
    return through(*(bastion, headnode)[: request.param])


def says(tunnels: Tunnels, port: int, text: bytes = b"hello") -> bytes:
    with tunnels.dial("127.0.0.1", port) as sock:
        sock.sendall(text)
        return sock.recv(len(text) + 1)


def seconds_until_back(tunnels: Tunnels, port: int) -> float:
    begun = time.monotonic()
    while time.monotonic() - begun < 30:
        try:
            assert says(tunnels, port) == b"hello"
            return time.monotonic() - begun
        except HypervisorError:
            time.sleep(0.05)
    raise AssertionError(tunnels.status())


def fingerprint(server: Sshd) -> str:
    return parsed(server.host_key)[0].fingerprint


# -- carrying ----------------------------------------------------------------------------------------------------------


def test_every_step_is_told_and_the_way_is_one_connection(tunnels: Tunnels, bastion: Sshd, echo: int) -> None:
    checks = tunnels.check()
    assert [(check.step, check.ok) for check in checks] == [
        (code, True) for code, _label in steps(hop.role for hop in tunnels.hops)
    ]
    assert fingerprint(bastion) in checks[2].detail
    sockets = [tunnels.dial("127.0.0.1", echo) for _n in range(20)]
    for number, sock in enumerate(sockets):
        sock.sendall(b"%d" % number)
    assert [sock.recv(9) for sock in sockets] == [b"%d" % number for number in range(20)]
    assert bastion.connections() == 1
    for sock in sockets:
        sock.close()
    assert until(lambda: tunnels.status().connections == 0)


def test_http_keeps_its_host_and_small_answers_do_not_wait(tunnels: Tunnels) -> None:
    class Service(http.server.BaseHTTPRequestHandler):
        protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

        def do_GET(self) -> None:
            body = f"asked of {self.headers['Host']}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()  # a packet of its own: what delayed acknowledgements hold up
            self.wfile.write(body)

        def log_message(self, *told: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        session = requests_session(lambda host, port, timeout: tunnels.dial(host, port, "web", timeout))
        url = f"http://localhost:{server.server_port}/"
        assert session.get(url).text == f"asked of localhost:{server.server_port}"
        took = sorted(session.get(url).elapsed.total_seconds() for _n in range(60))
        assert took[45] < 0.030, took  # three quarters of them: a delayed acknowledgement takes 40 ms
        with pytest.raises(Unreachable, match="localhost:1 is not reached"):
            session.get("http://localhost:1/")
        session.close()
        server.shutdown()
    (web, _nothing) = tunnels.status().services
    assert (web.service, web.opened) == ("web", 1)


def test_large_streams_arrive_whole_in_both_directions_at_once(tunnels: Tunnels, echo: int) -> None:
    sent = os.urandom(30_000_000)
    with tunnels.dial("127.0.0.1", echo) as sock:
        threading.Thread(target=lambda: (sock.sendall(sent), sock.shutdown(socket.SHUT_WR))).start()
        received = bytearray()
        while data := sock.recv(1 << 20):
            received += data
    assert received == sent
    assert tunnels.status().bytes_in == tunnels.status().bytes_out == len(sent)


def test_an_agent_and_a_key_file_open_the_door(
    bastion: Sshd, through: Callable[..., Tunnels], monkeypatch, echo: int
) -> None:
    by_file = through(bastion, bastion_key="", bastion_key_file=str(bastion.key_file))
    assert says(by_file, echo) == b"hello"
    address = bastion.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.DEVNULL)
    try:
        assert until(address.exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        by_agent = through(bastion, bastion_key="")
        with pytest.raises(Rejected, match="no SSH key"):
            says(by_agent, echo)
        subprocess.run(["ssh-add", "-q", str(bastion.key_file)], check=True)
        by_agent.reconnect()
        assert until(lambda: by_agent.status().state == "up")
        assert says(by_agent, echo) == b"hello"
    finally:
        agent.terminate()
        agent.wait(10)


def test_a_fingerprint_is_enough_whatever_the_type_of_the_key(bastion: Sshd, through, echo: int) -> None:
    rsa = bastion.folder / "rsa_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(rsa)], check=True)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(rsa)], check=True, capture_output=True, text=True).stdout
    bastion.close()
    only = bastion.folder / "config"
    bastion.start()
    bastion.close()
    only.write_text(only.read_text() + f"HostKey {rsa}\n")
    daemon = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(only)], stderr=subprocess.DEVNULL)
    try:
        assert until(lambda: _listens(bastion.port))
        for host_key in (shown, fingerprint(bastion), f"{fingerprint(bastion)}\n{shown}"):
            assert says(through(bastion, bastion_host_key=host_key), echo) == b"hello", host_key
        with pytest.raises(Rejected, match="is not the known one"):
            says(through(bastion, bastion_host_key="SHA256:" + 43 * "A"), echo)
    finally:
        daemon.terminate()
        daemon.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


# -- faults ------------------------------------------------------------------------------------------------------------


def test_connections_killed_under_load_are_cut_off_and_the_tunnel_is_back(
    tunnels: Tunnels, bastion: Sshd, echo: int
) -> None:
    outcomes: list[str] = []

    def call(sock: socket.socket) -> None:
        try:
            while True:
                sock.sendall(b"y" * 5000)
                if not sock.recv(5000):
                    outcomes.append("an end that is none")
                    return
        except OSError as error:
            outcomes.append(type(error).__name__)

    for kill in range(3):
        sockets = [tunnels.dial("127.0.0.1", echo) for _n in range(30)]
        threads = [threading.Thread(target=call, args=(sock,)) for sock in sockets]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert bastion.drop() > 0
        assert seconds_until_back(tunnels, echo) < BACK_IN
        for thread in threads:
            thread.join(10)
        for sock in sockets:
            sock.close()
        assert tunnels.status().reconnects == kill + 1
    assert outcomes.count("ConnectionResetError") + outcomes.count("BrokenPipeError") == len(outcomes) == 90, Counter(
        outcomes
    )
    assert until(lambda: tunnels.status().connections == 0)


def test_hundreds_of_connections_and_many_reconnects_leave_no_thread_and_no_descriptor(
    tunnels, bastion, echo: int
) -> None:
    def ours() -> tuple[int, int]:
        busy = [thread for thread in threading.enumerate() if thread.name != "peer"]
        return len(busy), len(os.listdir("/proc/self/fd"))

    says(tunnels, echo)
    tunnels.close()  # what libraries open once and keep is open now
    assert until(lambda: bastion.connections() == 0)
    before = ours()
    for _round in range(8):
        threads = [threading.Thread(target=lambda: [says(tunnels, echo) for _n in range(10)]) for _m in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tunnels.reconnect()
        assert seconds_until_back(tunnels, echo) < BACK_IN
    assert tunnels.status().services[0].opened >= 400
    assert tunnels.status().reconnects == 8
    assert until(lambda: ours()[0] <= before[0] + 2 + len(tunnels.hops)), ours()
    tunnels.close()
    assert until(lambda: ours() <= before), (ours(), before)
    assert until(lambda: bastion.connections() == 0)


def test_a_bastion_that_is_down_is_told_and_waited_for(bastion: Sshd, through, echo: int) -> None:
    tunnels = through(bastion)
    bastion.kill()
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="is not reached: Connection refused"):
        says(tunnels, echo)
    assert time.monotonic() - begun < 2
    assert [check.ok for check in tunnels.check()] == [True, False]
    assert tunnels.status().state == "down"
    bastion.start()
    assert seconds_until_back(tunnels, echo) < BACK_IN


def test_a_refused_key_is_told(bastion: Sshd, through, echo: int) -> None:
    bastion.deny()
    tunnels = through(bastion)
    with pytest.raises(Rejected, match="refuses the key of") as caught:
        says(tunnels, echo)
    assert bastion.key[40:60] not in str(caught.value)
    assert bastion.log().count("Connection from") < 4  # not again and again
    bastion.admit()
    tunnels.reconnect()
    assert until(lambda: tunnels.status().state == "up")


def test_a_changed_host_key_is_refused_with_both_fingerprints(
    bastion: Sshd, through, tmp_path: Path, echo: int
) -> None:
    before = fingerprint(bastion)
    told = through(bastion)
    trusting = through(bastion, bastion_host_key="", bastion_accept_new_host_key=True)
    strict = through(bastion, bastion_host_key="")
    with pytest.raises(Rejected, match="is not known"):
        says(strict, echo)
    for tunnels in (told, trusting):
        assert says(tunnels, echo) == b"hello"
    assert len(list((tmp_path / "home" / "tunnels" / "known_hosts").iterdir())) == 1
    bastion.change_host_key()
    for tunnels in (told, trusting):
        assert until(lambda tunnels=tunnels: tunnels.status().state == "down")
        with pytest.raises(Rejected) as caught:
            says(tunnels, echo)
        assert before in str(caught.value)
        assert fingerprint(bastion) in str(caught.value)


def test_a_headnode_that_goes_and_comes(bastion: Sshd, headnode: Sshd, through, echo: int) -> None:
    tunnels = through(bastion, headnode)
    assert says(tunnels, echo) == b"hello"
    headnode.kill()
    assert until(lambda: tunnels.status().state == "down")
    checks = tunnels.check()
    assert (checks[-1].step, checks[-1].ok, len(checks)) == ("headnode_port", False, 6)
    time.sleep(PATIENT)
    with pytest.raises(Unreachable):
        says(tunnels, echo)
    headnode.start()
    assert seconds_until_back(tunnels, echo) < BACK_IN


PATIENT = 5.5  # longer than a call waits for a link that was lost


def test_closed_and_forbidden_targets_are_told_apart(bastion: Sshd, through, echo: int) -> None:
    tunnels = through(bastion)
    with pytest.raises(Unreachable, match="127.0.0.1:1 is not reached through the tunnel"):
        tunnels.dial("127.0.0.1", 1)
    with pytest.raises(Unreachable):
        tunnels.dial("nobody.invalid", 80)
    bastion.forward(False)
    assert until(lambda: tunnels.status().reconnects == 1)
    with pytest.raises(Rejected, match="does not forward to"):
        says(tunnels, echo)
    bastion.forward(True, f"127.0.0.1:{echo}")
    assert until(lambda: tunnels.status().reconnects == 2)
    assert says(tunnels, echo) == b"hello"
    with pytest.raises(Rejected, match="does not forward to"):
        tunnels.dial("127.0.0.1", 1)
    states = {service.port: service.state for service in tunnels.status().services}
    assert (states[echo], states[1]) == ("up", "down")


def test_a_bastion_that_hangs_is_given_up(bastion: Sshd, through, monkeypatch, echo: int) -> None:
    monkeypatch.setattr("hypervisors.tunnels.keeper.PING_EVERY", 0.5)
    monkeypatch.setattr("hypervisors.tunnels.keeper.PING_LIMIT", 1.0)
    tunnels = through(bastion)
    held = tunnels.dial("127.0.0.1", echo)
    bastion.freeze()
    try:
        held.settimeout(15)
        with pytest.raises(ConnectionResetError):
            held.recv(1)
        assert until(lambda: tunnels.status().state != "up")
    finally:
        bastion.thaw()
        held.close()
    assert seconds_until_back(tunnels, echo) < 15  # the attempt that was under way has to end first


# -- processes ---------------------------------------------------------------------------------------------------------

CHILD = """
import sys, time
from pathlib import Path
from hypervisors.tunnels import Tunnels, hops_from
import json
values = json.loads(sys.stdin.readline())
tunnels = Tunnels("cloud", hops_from(values), Path(sys.argv[1]))
host, port = tunnels.local("127.0.0.1", int(sys.argv[2]), "echo")
tunnels.connect()
print(port, flush=True)
sys.stdin.readline()
tunnels.close()
"""


def test_each_process_has_its_own_and_all_are_told(bastion: Sshd, tmp_path: Path, echo: int) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path), str(echo)]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _n in range(3)]
    try:
        ports = []
        for child in children:
            child.stdin.write(json.dumps(bastion.settings()) + "\n")
            child.stdin.flush()
            ports.append(int(child.stdout.readline()))
        assert len(set(ports)) == 3
        for port in ports:
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.sendall(b"hello")
                assert sock.recv(9) == b"hello"
        assert until(lambda: len([told for told in statuses(tmp_path) if told.state == "up"]) == 3)
        psutil.Process(children[0].pid).kill()  # says nothing any more
        children[0].wait(10)
        assert {told.pid for told in statuses(tmp_path)} == {child.pid for child in children[1:]}
        for child in children[1:]:
            child.communicate("\n", timeout=10)
            assert child.returncode == 0
        assert statuses(tmp_path) == []
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
            child.wait(10)
