"""Requests to the gateway that many threads make at the same time travel together: to start its program takes longer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

#: Requests that travel together, at most; seconds for which the first of them waits for others.
MOST: Final = 64
GATHER: Final = 0.03

Json = dict[str, Any]


class Post:
    """Carries requests of many threads: while one parcel is on its way, the next fills up.

    `send` takes requests and returns their answers in the same order, or raises for all of them.
    """

    def __init__(self, send: Callable[[Sequence[Json]], Sequence[Json]]):
        self._send = send
        self._travelling = threading.Lock()
        self._waiting: deque[tuple[Json, Future[Json]]] = deque()

    def ask(self, request: Json) -> Json:
        """The answer to a request, whoever carries it. Raises what `send` raises."""
        answer: Future[Json] = Future()
        self._waiting.append((request, answer))
        while not answer.done():
            with self._travelling:
                if not answer.done():
                    self._carry()
        return answer.result()

    def _carry(self) -> None:
        time.sleep(GATHER)
        taken = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        try:
            answers = self._send([request for request, _answer in taken])
        except BaseException as error:
            for _request, answer in taken:
                answer.set_exception(error)
            raise
        for (_request, answer), said in zip(taken, answers, strict=True):
            answer.set_result(said)
