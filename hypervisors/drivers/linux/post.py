"""What many threads ask of a host at the same time travels together: to start a program there takes longer than to answer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

#: Requests that travel together, at most: more than a cluster's machines are usually made at once.
MOST: Final = 256
#: Seconds without another request after which they leave, and how often that is waited for.
CALM: Final = 0.03
WAITS: Final = 10

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Post(Generic[Question, Answer]):
    """Carries requests of many threads: while one parcel is on its way, the next fills up, and it leaves when nobody else
    comes. Whoever missed it would wait for longer than for itself: the machines of the first have begun to boot by then.

    `send` takes requests and returns their answers in the same order, or raises for all of them.
    """

    def __init__(self, send: Callable[[Sequence[Question]], Sequence[Answer]]):
        self._send = send
        self._travelling = threading.Lock()
        self._waiting: deque[tuple[Question, Future[Answer]]] = deque()

    def ask(self, request: Question) -> Answer:
        """The answer to a request, whoever carries it. Raises what `send` raises."""
        answer: Future[Answer] = Future()
        self._waiting.append((request, answer))
        while not answer.done():
            with self._travelling:
                if not answer.done():
                    self._carry()
        return answer.result()

    def _carry(self) -> None:
        self._gather()
        taken = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        try:
            answers = self._send([request for request, _answer in taken])
        except BaseException as error:
            for _request, answer in taken:
                answer.set_exception(error)
            raise
        for (_request, answer), said in zip(taken, answers, strict=True):
            answer.set_result(said)

    def _gather(self) -> None:
        """Return when nobody has come for a moment, or when too many have."""
        for _wait in range(WAITS):
            there = len(self._waiting)
            time.sleep(CALM)
            if len(self._waiting) == there or there >= MOST:
                return
