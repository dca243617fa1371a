"""What went wrong between us and the server, in one line with what to do, and the exit code of it."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol

from olimpus.cli.errors import Exit, Failure
from olimpus.cli.words import gettext as _

if TYPE_CHECKING:
    import httpx

CODES: Final[dict[int, Exit]] = {
    HTTPStatus.UNAUTHORIZED: Exit.SIGNED_OUT,
    HTTPStatus.FORBIDDEN: Exit.FORBIDDEN,
    HTTPStatus.NOT_FOUND: Exit.NOT_FOUND,
}

#: The hypervisor answered, and said no: the server has not failed.
REFUSALS: Final = frozenset({"hypervisor:rejected"})


class Asker(Protocol):
    """What a fault has to know of the client."""

    address: str
    has_token: bool


class Unreachable(Failure):
    """Nobody answers. `passing`: the next moment may be better."""

    def __init__(self, message: str, address: str, *, hint: str = "", passing: bool = False):
        super().__init__(message, Exit.UNREACHABLE, where=address, hint=hint)
        self.passing = passing


def not_olimpus(address: str, why: str = "") -> Failure:
    """Something answers at this address, but not Olimpus."""
    message = _("This is not the address of an Olimpus.")
    hint = _("Check --server, OLIMPUS_SERVER or the address given to: olimpus login")
    return Failure(f"{message} {why}".strip(), Exit.UNREACHABLE, where=address, hint=hint)


# -- connections -------------------------------------------------------------------------------------------------------


def of_connection(error: BaseException, address: str) -> Unreachable:
    """The failure that tells about a connection that was not made, broke or took too long."""
    causes = list(_causes(error))
    kinds = [type(cause).__name__ for cause in causes]
    hint = _("Is the address right, and the server running?")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Unreachable(_("There is no computer of this name."), address, hint=_("Is the address right?"))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return _of_encryption(causes, address)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return Unreachable(_("Nobody answers at this address."), address, hint=hint, passing=True)
    if "ConnectTimeout" in kinds:
        return Unreachable(_("Nobody answers at this address in time."), address, hint=hint)
    if "ReadTimeout" in kinds or "WriteTimeout" in kinds:
        late = _("The server takes too long to answer; what was asked for may still be done.")
        return Unreachable(late, address)
    if "LocalProtocolError" in kinds:
        return Unreachable(_("This cannot be sent."), address)
    return Unreachable(_("The connection has failed: %(why)s.") % {"why": _said(error)}, address, passing=True)


def _of_encryption(causes: list[BaseException], address: str) -> Unreachable:
    why = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if why is None:
        return Unreachable(_("The server does not speak TLS."), address, hint=_("Does its address begin with http://?"))
    hint = _("The authority of a site of your own is named by SSL_CERT_FILE.")
    return Unreachable(
        _("The certificate is not trusted: %(why)s.") % {"why": why.verify_message.rstrip(".")}, address, hint=hint
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _said(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__


# -- answers -----------------------------------------------------------------------------------------------------------


def of_response(response: httpx.Response, asker: Asker) -> Failure:
    """The failure that tells about an answer that is no success."""
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST:
        return _of_redirect(response, asker.address)
    problem = _problem(response)
    if problem is None:
        return _of_stranger(status, asker.address)
    if status == HTTPStatus.UNAUTHORIZED:
        return _of_sign_in(problem, asker)
    failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR and problem.get("type") not in REFUSALS
    return of_problem(problem, CODES.get(status, Exit.SERVER if failed else Exit.REFUSED))


def of_problem(problem: dict[str, Any], code: Exit) -> Failure:
    """The failure that repeats a problem of RFC 9457 in the server's words, with each of several faults."""
    told = problem.get("errors")
    faults = [fault for fault in told if isinstance(fault, dict)] if isinstance(told, list) else []
    lines = [_line(fault) for fault in faults]
    where, hint = str(problem.get("where", "")), str(problem.get("hint", ""))
    if len(faults) == 1 and where in ("", faults[0].get("where")):
        only = faults[0]
        return Failure(
            str(only.get("message", problem["title"])),
            code,
            where=str(only.get("where", "")),
            hint=hint or str(only.get("hint", "")),
        )
    return Failure(str(problem["title"]), code, where=where, hint=hint, faults=lines if len(lines) > 1 else ())


def _line(fault: dict[str, Any]) -> str:
    parts = [str(fault.get(name, "")) for name in ("where", "message", "hint")]
    text = f"{parts[0]}: {parts[1]}" if parts[0] and parts[1] else parts[0] or parts[1]
    return f"{text} {parts[2]}".strip()


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    """The problem that the server tells; None when this is no answer of an Olimpus."""
    if response.headers.get("Content-Type", "").partition(";")[0] != "application/problem+json":
        return None
    try:
        problem = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return problem if isinstance(problem, dict) and "title" in problem else None


def _of_redirect(response: httpx.Response, address: str) -> Failure:
    """Never followed: the token is for the address that it was given to."""
    target = str(response.headers.get("Location", "")).partition("/api/")[0]
    hint = _("If that is right: olimpus login %(address)s") % {"address": target}
    return Failure(_("The server sends us elsewhere, to %(address)s.") % {"address": target}, Exit.UNREACHABLE,
                   where=address, hint=hint)  # fmt: skip


def _of_stranger(status: int, address: str) -> Failure:
    """An error page: a proxy in front of an Olimpus that is down, or something else altogether."""
    if status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT):
        return Unreachable(_("The server is down just now (%(status)d).") % {"status": status}, address)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        hint = _("Its log says why.")
        return Failure(
            _("The server has failed (%(status)d).") % {"status": status}, Exit.SERVER, where=address, hint=hint
        )
    return not_olimpus(address)


def _of_sign_in(problem: dict[str, Any], asker: Asker) -> Failure:
    if not asker.has_token and problem.get("type") == "http:authentication_failed":
        # A password was wrong; whoever types it knows how to sign in.
        return Failure(str(problem["title"]), Exit.SIGNED_OUT)
    hint = _("Sign in: olimpus login %(address)s") % {"address": asker.address}
    title = str(problem["title"]) if asker.has_token else _("You are not signed in.")
    return Failure(title, Exit.SIGNED_OUT, where=asker.address, hint=hint)
