"""What the program refuses, as a code and its facts: words are the business of whoever reads the answer."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The request cannot be granted; nothing was changed by it. `told` holds what a sentence about it needs."""

    def __init__(self, code: str, **told: Any):
        super().__init__(code)
        self.code = code
        self.told = told
