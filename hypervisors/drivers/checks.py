"""The steps of a connection test, as each driver takes them: told one by one, up to the first that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from olimpus.errors import HypervisorError


@dataclass(frozen=True)
class Check:
    """One step of a connection test."""

    step: str  # stable code: settings, name, port, login, api, version, latency…
    label: str
    ok: bool
    detail: str = ""
    seconds: float = 0.0


Checks = list[Check]

_listener: ContextVar[Callable[[Check], None] | None] = ContextVar("checklist_listener", default=None)


@contextmanager
def listening(tell: Callable[[Check], None]) -> Iterator[None]:
    """Tell each step of the checklists made inside, as soon as it ends; in the thread that makes them."""
    token = _listener.set(tell)
    try:
        yield
    finally:
        _listener.reset(token)


class Checklist:
    """Collects the steps of `Driver.check`: the first failure is reported and the later steps are not tried.

    >>> checks = Checklist()
    >>> with checks.step("login", "Sign in") as detail:
    ...     detail.append("as admin")
    """

    def __init__(self) -> None:
        self.checks: list[Check] = []

    @property
    def failed(self) -> bool:
        return any(not check.ok for check in self.checks)

    @contextmanager
    def step(self, step: str, label: str) -> Iterator[list[str]]:
        """Time a step; a `HypervisorError` inside becomes its failed `Check`."""
        detail: list[str] = []
        ok, begun = True, time.perf_counter()
        try:
            yield detail
        except HypervisorError as error:
            ok, detail = False, [f"{error.message} {error.hint}".strip()]
        self.checks.append(Check(step, label, ok, " ".join(detail), time.perf_counter() - begun))
        if tell := _listener.get():
            tell(self.checks[-1])
