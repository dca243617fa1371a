"""`watch` and `journal --follow`: live, resumed, ended when there is nothing left to see."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable

from tests.cli.acting import Branch
from tests.cli.acting import branch as branch
from tests.cli.terminal import Terminal
from tests.processes.installation import until


def begun(terminal: Terminal, *arguments: str) -> subprocess.Popen[str]:
    """A watch that has begun to listen."""
    process = terminal.begin("watch", *arguments)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Watching ")
    return process


def ended(process: subprocess.Popen[str], number: int | None = signal.SIGINT) -> tuple[int, str, str]:
    if number is not None:
        process.send_signal(number)
    out, err = process.communicate(timeout=40)
    assert "Traceback" not in err
    return process.returncode, out, err


def heard(process: subprocess.Popen[str], *words: str) -> list[str]:
    """The lines of a watch up to the one that has all these words; a change is told a moment after it was made."""
    assert process.stdout is not None
    patience = threading.Timer(40, process.kill)
    patience.start()
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if all(word in line for word in words):
            break
    patience.cancel()
    return lines


def test_lines_tell_every_change_in_order(admin: Terminal, branch: Branch):
    process = begun(admin, branch.path)
    admin("create", branch.path, "-r", "--wait")
    admin("start", branch.web, "--wait")
    lines = heard(process, f"  {branch.web}  ", "→ ● running")
    assert ended(process)[0] == 130
    of_web = [line.rstrip().split("  ", 2)[2] for line in lines if f"  {branch.web}  " in line]
    assert [line.partition("  (")[0] for line in of_web if "→" in line] == [
        "○ provisioned → ◌ created",
        "◌ created → ↑ starting",
        "↑ starting → ● running",
    ]


def test_json_is_one_document_a_line(admin: Terminal, branch: Branch):
    process = begun(admin, branch.web, "-o", "json")
    admin("create", branch.path, "-r", "--wait")
    events = [json.loads(line) for line in heard(process, '"created"')]
    assert ended(process)[0] == 130
    assert {event["path"] for event in events} == {branch.web}
    assert events[-1]["state"] == "created"


def test_machines_that_come_later_are_watched(admin: Terminal, branch: Branch):
    process = begun(admin, branch.path)
    admin("cp", branch.web, f"{branch.path}/late")
    admin("create", f"{branch.path}/late", "--wait")
    assert f"{branch.path}/late  " in heard(process, f"{branch.path}/late  ")[-1]
    assert ended(process)[0] == 130


def test_it_ends_when_the_grant_is_taken_back(admin: Terminal, student: Terminal, branch: Branch):
    admin("grants", "add", branch.path, "--user", "student")
    process = begun(student, branch.path)
    admin("grants", "remove", branch.path, "--user", "student")
    code, _out, err = ended(process, None)
    assert code == 5
    assert err.startswith(f"olimpus: {branch.path}: ")
    assert err.count("\n") == 1


def test_it_ends_when_the_token_is_revoked(stranger: Terminal, branch: Branch, token_of: Callable[..., str]):
    token = token_of("admin", name="doomed")
    watcher = Terminal(stranger.config.parent, stranger.environment["OLIMPUS_SERVER"], token)
    process = begun(watcher, branch.path)
    pk = next(
        row["id"] for row in _tokens(watcher, token) if row["name"] == "doomed" and token.startswith(row["prefix"])
    )
    _revoke(watcher, token, pk)
    code, _out, err = ended(process, None)
    assert code == 4
    assert err.count("\n") == 1


def _tokens(watcher: Terminal, token: str) -> list[dict[str, object]]:
    import httpx

    headers = {"Authorization": f"Bearer {token}"}
    address = f"{watcher.environment['OLIMPUS_SERVER']}/api/auth/tokens?page_size=500"
    return list(httpx.get(address, headers=headers).json()["results"])


def _revoke(watcher: Terminal, token: str, pk: object) -> None:
    import httpx

    address = f"{watcher.environment['OLIMPUS_SERVER']}/api/auth/tokens/{pk}"
    assert httpx.delete(address, headers={"Authorization": f"Bearer {token}"}).status_code == 204


def test_nothing_to_watch_is_told_at_once(student: Terminal, stranger: Terminal, branch: Branch):
    assert student("watch", branch.path, code=6).err.count("\n") == 1
    assert stranger("watch", "/", code=4).err.count("\n") == 1


def test_the_journal_is_filtered_exported_and_followed(admin: Terminal, branch: Branch):
    admin("set", branch.web, "cpus=2")
    (entry,) = admin("journal", branch.web, "--verb", "definition.*", "--actor", "admin", "-o", "json").data
    assert entry["data"]["parameters"] == ["cpus"]
    assert admin("journal", branch.path, "--since", "1h", "--until", "30m", "-o", "json").data == []
    csv = admin("journal", branch.web, "--csv").out.splitlines()
    assert "definition.edit" in csv[1]
    assert "no moment" in admin("journal", "--since", "soon", code=2).err
    process = admin.begin("journal", branch.path, "--follow", "-o", "json", "--limit", "1")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["verb"] == "definition.edit"
    admin("set", branch.db, "cpus=2")
    assert json.loads(process.stdout.readline())["path"] == branch.db
    assert until(lambda: process.poll() is None, 1)
    assert ended(process)[0] == 130
