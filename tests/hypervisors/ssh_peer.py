"""An SSH server inside the test's process (paramiko's other half): the peer where sshd is not installed.

It forwards TCP and runs programs.
"""

from __future__ import annotations

import contextlib
import io
import socket
import subprocess
import threading
from collections.abc import Iterator

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

PEM, OPENSSH, CLEAR = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()


def new_key() -> tuple[str, paramiko.PKey]:
    """A private key: its text and paramiko's form of it."""
    text = ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, OPENSSH, CLEAR).decode()
    return text, paramiko.Ed25519Key.from_private_key(io.StringIO(text))


class Rules(paramiko.ServerInterface):
    """Lets one key in and forwards everywhere but to the closed ports."""

    def __init__(self, allowed: paramiko.PKey | None):
        self.allowed = allowed
        self.targets: dict[int, tuple[str, int]] = {}

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL if key == self.allowed else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_direct_tcpip_request(self, chanid: int, origin: tuple, destination: tuple) -> int:
        self.targets[chanid] = destination
        with contextlib.suppress(OSError), socket.create_connection(destination, timeout=2):
            return paramiko.OPEN_SUCCEEDED
        return paramiko.OPEN_FAILED_CONNECT_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        timer = threading.Timer(0.02, run, (channel, command.decode()))  # our answer goes before what it says
        timer.name, timer.daemon = "peer", True
        timer.start()
        return True


class Peer:
    """Listens on loopback. `host_key` and `allowed` may be changed between connections."""

    def __init__(self, allowed: paramiko.PKey):
        self.host_key = new_key()[1]
        self.allowed: paramiko.PKey | None = allowed
        self.transports: list[paramiko.Transport] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, name="peer", daemon=True).start()

    def drop(self) -> None:
        """End all SSH connections without a word."""
        transports, self.transports = self.transports, []
        for transport in transports:
            transport.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self.listener.close()
        self.drop()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _peer = self.listener.accept()
                threading.Thread(target=self._serve, args=(sock,), name="peer", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        transport = paramiko.Transport(sock)
        transport.name = "peer"
        transport.set_log_channel("peer")
        transport.add_server_key(self.host_key)
        rules = Rules(self.allowed)
        self.transports.append(transport)
        with contextlib.suppress(paramiko.SSHException, EOFError):
            transport.start_server(server=rules)
            sessions: list[paramiko.Channel | None] = []
            while transport.is_active():
                channel = transport.accept(0.2)
                sessions.append(channel)  # one that nobody has is closed, and its command may come later
                if channel and channel.get_id() in rules.targets:
                    threading.Thread(target=forward, args=(channel, rules), name="peer", daemon=True).start()


def forward(channel: paramiko.Channel, rules: Rules) -> None:
    """Both ways, until both have ended."""
    try:
        sock = socket.create_connection(rules.targets[channel.get_id()])
    except OSError:  # the target is gone meanwhile
        channel.close()
        return
    back = threading.Thread(target=copy, args=(sock, channel), name="peer", daemon=True)
    back.start()
    copy(channel, sock)
    back.join()
    with contextlib.suppress(EOFError):  # the transport may be gone
        channel.close()
    sock.close()


def run(channel: paramiko.Channel, command: str) -> None:
    """As sshd does: by the shell, its input and output over the channel, its exit status at the end."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(["/bin/sh", "-c", command], bufsize=0, **pipes) as process:

        def feed() -> None:
            with contextlib.suppress(OSError, EOFError, ValueError):  # it has ended
                while data := channel.recv(65536):
                    process.stdin.write(data)
            with contextlib.suppress(OSError):
                process.stdin.close()

        threading.Thread(target=feed, name="peer", daemon=True).start()
        with contextlib.suppress(OSError, EOFError):
            while data := process.stdout.read(65536):
                channel.sendall(data)
            channel.sendall_stderr(process.stderr.read())
            channel.send_exit_status(process.wait())
            channel.close()
        process.kill()


def copy(source, sink) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(1)


@contextlib.contextmanager
def echoing() -> Iterator[int]:
    """The port of a TCP server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _peer = listener.accept()
                    threading.Thread(target=copy, args=(sock, sock), name="peer", daemon=True).start()

        threading.Thread(target=serve, name="peer", daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
