"""Several faults of one file, reported at once."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext as _

from olimpus.errors import Invalid

#: Faults reported at once; whoever has more has one kind of fault many times.
MAX_FAULTS: Final = 50


class Faults:
    """Collects faults until `raise_if_any`."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    @property
    def full(self) -> bool:
        """Whether it is not worth looking further."""
        return len(self.found) >= MAX_FAULTS

    def add(self, where: str, message: str, hint: str = "") -> None:
        """Keep one fault, once; what comes after the fiftieth is dropped."""
        fault = {"where": where, "message": message, "hint": hint}
        if not self.full and fault not in self.found:
            self.found.append(fault)

    def take(self, error: Invalid) -> None:
        """Keep what an error tells, all its faults."""
        for fault in error.errors or [{"where": error.where, "message": error.message, "hint": error.hint}]:
            self.add(fault["where"], fault["message"], fault.get("hint", ""))

    def raise_if_any(self) -> None:
        """Raises Invalid with all of them in `errors`, the first one as its own message."""
        if not self.found:
            return
        first, more = self.found[0], len(self.found) - 1
        message = first["message"] + (" " + _("(and %(more)d more)") % {"more": more} if more else "")
        raise Invalid(message, where=first["where"], hint=first["hint"], errors=self.found)
