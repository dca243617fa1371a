"""kill -9 of the worker, of the web process, of both, at any moment: nothing is lost, nothing doubled, nobody stuck."""

from __future__ import annotations

import random
import threading
import time

import httpx

from tests.processes.installation import COURSE, PASSWORD, Installation, kill, until

MACHINES = 360
#: Requests for three machines each.
ASKED = 40
#: Small folders for requests that come one after the other.
STUDENTS = """
folders = Node.objects.filter(parent=tree.by_path("/courses/TEL141/2026-2"), kind="folder").exclude(name="material")
say(sorted(folders.values_list("pk", flat=True)))
"""


def drain(installation: Installation, seconds: float = 90) -> None:
    """Wait until no operation is open."""
    assert until(lambda: not installation.audit()["open"], seconds, 0.2), (installation.audit(), installation.output())


def assert_sound(installation: Installation, states: dict[str, int]) -> None:
    audit = installation.audit()
    assert audit["states"] == states
    assert (audit["open"], audit["locks"], audit["crooked"]) == (0, 0, [])
    assert set(audit["statuses"]) == {"succeeded"}


def test_a_worker_killed_again_and_again(installation):
    chance = random.Random(20261121)
    installation.load(latency=0.1, jitter=0.5)
    installation.web()
    worker = installation.worker()
    for verb, kills in (("create", 2), ("start", 0), ("restart", 3)):
        operation = installation.do(verb)
        for _kill in range(kills):
            time.sleep(chance.uniform(1.0, 3.0))
            kill(worker)
            worker = installation.worker()
        ended = installation.wait_for(operation, 90)
        assert (ended["status"], ended["counts"]["succeeded"]) == ("succeeded", MACHINES)
    assert installation.each("create") == {1: MACHINES}
    assert installation.each("shutdown") == {1: MACHINES}  # of the restart
    assert installation.each("power_on") == {2: MACHINES}
    assert_sound(installation, {"running": MACHINES})


def test_the_web_process_killed_while_requests_come(installation):
    installation.load(latency=0.05)
    web = installation.web()
    installation.worker()
    folders = installation.run(STUDENTS)
    accepted: list[int] = []

    def answered(pk: int) -> bool:
        try:
            address = f"{installation.address}/api/nodes/{pk}/do/create"
            answer = httpx.post(address, auth=("admin", PASSWORD), timeout=10)
        except httpx.HTTPError:  # the process died under this request, or is not up again yet
            return False
        assert answer.status_code in (202, 409), answer.text
        return True

    def ask() -> None:
        for pk in folders[:ASKED]:
            if until(lambda pk=pk: answered(pk), 60, 0.1):
                accepted.append(pk)

    asking = threading.Thread(target=ask)
    asking.start()
    for _kill in range(2):
        enough = len(accepted) + 5
        assert until(lambda enough=enough: len(accepted) >= enough or not asking.is_alive(), 20)
        kill(web)
        web = installation.web()
    asking.join(120)
    assert len(accepted) == ASKED
    drain(installation)
    audit = installation.audit()
    created = audit["states"]["created"]
    assert created == 3 * ASKED  # also of a request that counted, but whose answer was lost
    assert_sound(installation, {"created": created, "provisioned": MACHINES - created})
    assert installation.each("create") == {1: created}


def test_everything_killed_at_once(installation):
    installation.load(latency=0.2)
    web, worker = installation.web(), installation.worker()
    assert installation.wait_for(installation.do("create"))["status"] == "succeeded"
    operation = installation.do("start", COURSE)
    assert until(lambda: installation.effects("power_on").total() > 80, 30, 0.01)
    worker.kill()
    web.kill()
    worker.wait()
    web.wait()
    web, worker = installation.web(), installation.worker()
    assert installation.wait_for(operation)["status"] == "succeeded"
    assert installation.each("create") == installation.each("power_on") == {1: MACHINES}
    assert_sound(installation, {"running": MACHINES})


def test_a_worker_told_to_stop_hands_over_without_waiting_for_leases(installation):
    installation.load(latency=0.2)
    installation.web()
    worker = installation.worker()
    operation = installation.do("create")
    assert until(lambda: installation.effects("create").total() > 60, 30, 0.01)
    worker.terminate()
    assert worker.wait(20) == 0
    assert installation.run("say(Operation.objects.filter(status='running', total=0).count())") == 0
    installation.worker()
    assert installation.wait_for(operation)["status"] == "succeeded"
    assert installation.each("create") == {1: MACHINES}
