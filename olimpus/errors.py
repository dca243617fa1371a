"""The one tree of exceptions.

Every error a user can meet is one of these. `id` is stable and documented, `status` is the HTTP status that
`olimpus.api` answers with, `where` names the place (file, line, field, parameter, path, host) and `hint` says what to
do. Messages never carry secrets.
"""

from __future__ import annotations

from typing import Any, ClassVar


class OlimpusError(Exception):
    """Base of all errors that carry a message for the user."""

    id: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retry: ClassVar[bool] = False

    def __init__(self, message: str, *, where: str = "", hint: str = "", errors: list[dict[str, Any]] | None = None):
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        #: One mapping per fault when one request has several: {"where": …, "message": …, "hint": …}.
        self.errors = errors or []

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        if not self.hint:
            return text
        return f"{text}{'' if text.endswith(('.', '!', '?', ':')) else '.'} {self.hint}"


class Invalid(OlimpusError):
    """The input is wrong; nothing was changed."""

    id = "input:invalid"
    status = 400


class TooLarge(Invalid):
    """The input exceeds a documented bound."""

    id = "input:too-large"
    status = 413


class Forbidden(OlimpusError):
    """The actor may see the object but may not do this."""

    id = "permission:forbidden"
    status = 403


class NotFound(OlimpusError):
    """No such object, or none that the actor may see."""

    id = "object:not-found"
    status = 404


class Conflict(OlimpusError):
    """The object is not in a state that allows this."""

    id = "state:conflict"
    status = 409


class Stale(OlimpusError):
    """Somebody else saved first (lost update)."""

    id = "state:stale"
    status = 412


class HypervisorError(OlimpusError):
    """A hypervisor refused or failed. Subclasses say whether a retry can help."""

    id = "hypervisor:error"
    status = 502


class Unreachable(HypervisorError):
    """The hypervisor did not answer."""

    id = "hypervisor:unreachable"
    retry = True


class TimedOut(HypervisorError):
    """The hypervisor answered, but the change did not happen in time."""

    id = "hypervisor:timeout"
    status = 504
    retry = True


class Transient(HypervisorError):
    """A passing fault of the hypervisor (busy, rate limit, internal error): the same call may succeed later."""

    id = "hypervisor:transient"
    retry = True


class Rejected(HypervisorError):
    """The hypervisor understood and refused: wrong parameter, a name that is taken, something in use."""

    id = "hypervisor:rejected"
    status = 409


class Misconfigured(Rejected):
    """Olimpus itself is refused, or its record is wrong: credentials, host keys, settings. Who asked cannot help it."""

    status = 502


class CapacityExceeded(HypervisorError):
    """No room: capacity or quota."""

    id = "hypervisor:capacity"
    status = 409


class VMNotFound(HypervisorError):
    """The hypervisor does not know this VM."""

    id = "hypervisor:vm-not-found"
    status = 404


class Missing(HypervisorError):
    """The hypervisor knows no such image, network, volume, project…"""

    id = "hypervisor:missing"
    status = 404


class Unsupported(HypervisorError):
    """This technology cannot do that."""

    id = "hypervisor:unsupported"
    status = 409
