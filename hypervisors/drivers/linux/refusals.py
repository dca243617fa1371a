"""What programs of ours refuse on the hosts of a cluster, in words, and as the error that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from olimpus.errors import HypervisorError, Misconfigured, Rejected
from olimpus.words import gettext as _
from olimpus.words import gettext_noop


class Words(NamedTuple):
    """An error, what it says and what to do; both with the facts of the refusal. `place` is the setting or parameter."""

    error: type[HypervisorError]
    message: str
    hint: str = ""
    place: str = ""

    def error_of(self, facts: Mapping[str, Any], where: str) -> HypervisorError:
        """The error with these facts; `where` it is when there is no `place` for it."""
        hint = _(self.hint) % facts if self.hint else ""
        return self.error(_(self.message) % facts, where=self.place or where, hint=hint)


TOOL: Final = Words(
    Misconfigured,
    gettext_noop("The program “%(tool)s” is missing there."),
    gettext_noop("Install the package %(package)s there."),
)
#: A code that only a newer program knows is told as it is.
UNKNOWN: Final = Words(Rejected, gettext_noop("It was refused there: %(code)s."))
