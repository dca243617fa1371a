"""The program as it travels: all its modules and some requests in one text, which a few lines on the gateway unpack.

Starting it takes longer than most requests: so those that many threads make at the same time travel together.
"""

from __future__ import annotations

import functools
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from hypervisors.drivers.linux.gateway import program

#: Makes modules of the texts that arrive, and answers the requests.
UNPACK: Final = (
    "import json,sys,types\n"
    "sent=json.load(sys.stdin)\n"
    "for name,text in sent['modules']:\n"
    " made=sys.modules[name]=types.ModuleType(name)\n"
    " exec(compile(text,name,'exec'),made.__dict__)\n"
    " package,_,short=name.rpartition('.')\n"
    " setattr(sys.modules.setdefault(package,types.ModuleType(package)),short,made)\n"
    "print(json.dumps([made.answer(one) for one in sent['requests']]))\n"
)
ARGV: Final = ("python3", "-IS", "-c", UNPACK)
#: Requests that travel together, at most.
MOST: Final = 64

Json = dict[str, Any]


def packed(requests: Sequence[Mapping[str, Any]]) -> bytes:
    """What those lines read."""
    return json.dumps({"modules": _modules(), "requests": requests}).encode()


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
        taken = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        try:
            answers = self._send([request for request, _answer in taken])
        except BaseException as error:
            for _request, answer in taken:
                answer.set_exception(error)
            raise
        for (_request, answer), said in zip(taken, answers, strict=True):
            answer.set_result(said)


@functools.cache
def _modules() -> list[tuple[str, str]]:
    folder = Path(program.__file__).parent
    return [(f"{program.__name__}.{name}", (folder / f"{name}.py").read_text()) for name in program.MODULES]
