"""The real product (web process and worker, as `make run` starts them) on a data folder of its own, and Debian's Chromium.

`OLIMPUS_SHOTS` names a folder where screenshots are kept; without it none are taken.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "a password for rehearsals"
START = 120.0  # seconds: the first start migrates and loads the demo
WAIT = 20_000  # milliseconds
LOGIN = "/accounts/login/"
FARM = "/farm"  # where `tests.browser.plant` puts its machines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers of pytest, each has a product and a browser; a file's tests, which share a ground, stay together.

    The walks share nothing: each goes to whoever is free.
    """
    for item in items:
        if HERE in item.path.parents and item.path.stem != "test_walk":
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@dataclass
class Product:
    """A running Olimpus."""

    address: str
    process: subprocess.Popen[bytes]
    home: Path

    def manage(self, *arguments: str) -> str:
        """What a command of `manage.py` prints, run on this product's data."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(self.home), capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def child(self, name: str) -> int:
        """The process id of the child whose command line holds `name`."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next(int(pid) for pid in children if name in Path(f"/proc/{pid}/cmdline").read_text())

    def kill(self, name: str) -> None:
        """Kill a child; the product starts it again."""
        os.kill(self.child(name), signal.SIGKILL)


def free_port() -> int:
    """A port of the loopback interface that nobody has now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the product answers; what it wrote when it does not."""
    until = time.monotonic() + START
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()[-4000:]
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(log.read_text()[-4000:])


def environment(home: Path) -> dict[str, str]:
    """Of the product's processes: a data folder of its own, quick passwords."""
    own = {
        "OLIMPUS_HOME": str(home),
        "OLIMPUS_DEMO_PASSWORD": PASSWORD,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    return {**os.environ, **own}


@contextmanager
def serving(home: Path) -> Iterator[Product]:
    """Olimpus with its demo on a data folder of its own, until the block ends."""
    port, log = free_port(), home / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "olimpus.embedded"],
            cwd=ROOT,
            env=environment(home) | {"PORT": str(port)},
            stdout=out,
            stderr=out,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}", process, log)
        yield Product(f"http://127.0.0.1:{port}", process, home)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Olimpus with its demo: admin, manager and student with three machines at /courses/TEL141/2026-2/student."""
    with serving(tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="session")
def farm(product: Product) -> str:
    """The path of a folder with 20,000 machines below it, which the manager manages."""
    product.manage("shell", "-c", "from tests.browser.plant import plant; plant()")
    return FARM


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    folder = Path(os.environ.get("OLIMPUS_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


#: Which element it was, and where it came from: Chromium's own complaint does not say.
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", event =>
  console.error(event.violatedDirective, location.href, event.lineNumber, event.target?.outerHTML?.slice(0, 200)))"""


class Visitors:
    """Signed-in people, each with a browser profile; remembers what their pages complained about."""

    def __init__(self, browser: Browser, address: str):
        self.browser, self.address = browser, address
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def enter(self, who: str, *, language: str = "en", width: int = 1440, theme: str = "light") -> Page:
        """An empty page of somebody who has just signed in, not by the form: others' tests are about that."""
        context = self.browser.new_context(
            base_url=self.address,
            locale=language,
            reduced_motion="reduce",  # what still moves is no state to test, and costs two cores dear
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 900 if width > 600 else 844},
        )
        context.set_default_timeout(WAIT)
        context.add_init_script(TELL_VIOLATIONS)
        self.contexts.append(context)
        page = context.new_page()
        if not os.environ.get("OLIMPUS_SHOTS"):
            page.screenshot = lambda **_unseen: b""  # nobody will look at them, and each takes a moment
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._sign_in(context, who, language)
        return page

    def _sign_in(self, context: BrowserContext, who: str, language: str) -> None:
        """What the form does, without drawing it: that takes longer than all the rest."""
        headers = {"Accept-Language": language}
        context.request.get(LOGIN, headers=headers)
        token = next(cookie["value"] for cookie in context.cookies() if cookie["name"] == "csrftoken")
        form = {"username": who, "password": PASSWORD, "csrfmiddlewaretoken": token}
        answer = context.request.post(LOGIN, form=form, headers=headers, max_redirects=0)
        assert answer.status == 302, answer.text()

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)

    def leave(self) -> None:
        """Close all profiles."""
        for context in self.contexts:
            context.close()


@pytest.fixture
def visitors(chromium: Browser, product: Product) -> Iterator[Visitors]:
    """`visitors.enter("student")` is a page of the signed-in student; no page may complain unless the test says so."""
    found = Visitors(chromium, product.address)
    yield found
    found.leave()
    assert not found.complaints
