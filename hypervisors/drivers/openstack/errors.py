"""What OpenStack, its library and the network say, in our words."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import keystoneauth1.exceptions as auth
import requests
from openstack import exceptions as sdk

from olimpus.errors import (
    CapacityExceeded,
    HypervisorError,
    Misconfigured,
    Missing,
    Rejected,
    TimedOut,
    Transient,
    Unreachable,
)
from olimpus.words import gettext as _

TEXT_LIMIT: Final = 500  # characters of what a service says
#: “Quota exceeded for cores, ram: Requested 4, 8192, but already used 18, 0 of 20, 51200 cores, ram”
NOVA_QUOTA = re.compile(
    r"Quota exceeded for (?P<what>[\w, ]+): Requested (?P<wanted>[-\d, ]+), but already used (?P<used>[-\d, ]+) "
    r"of (?P<limit>[-\d, ]+) "
)
#: “Requested volume or snapshot exceeds allowed gigabytes quota. Requested 10G, quota is 1000G and 995G has been consumed.”
CINDER_QUOTA = re.compile(
    r"exceeds allowed (?P<what>\w+) quota. Requested (?P<wanted>\d+)G, quota is (?P<limit>\d+)G and (?P<used>\d+)G"
)
#: “Maximum number of volumes allowed (10) exceeded for quota 'volumes'.”
CINDER_COUNT = re.compile(r"Maximum number of \w+ allowed \((?P<limit>\d+)\) exceeded for quota '(?P<what>\w+)'")
#: “Quota exceeded for resources: ['port'].”
NEUTRON_QUOTA = re.compile(r"Quota exceeded for resources: \[?'?(?P<what>[\w, ']+?)'?\]?\.")
#: Nova answers 400 when something that a new server names has gone.
GONE = re.compile(r"\b(Flavor|Image|Network|Port) \S+ could not be found", re.IGNORECASE)
NO_HOST = re.compile(r"No valid host was found|NoValidHost|not enough hosts available", re.IGNORECASE)
#: Conflicts that pass by themselves: somebody else works on the same thing just now.
BUSY = re.compile(
    r"task_state|concurrent|please try again|retry|is being|"
    r"has pending|StaleDataError|status must be available|in instance action",
    re.IGNORECASE,
)


class Denied(Rejected):
    """The account may not do or see this (403); perhaps there is another way."""


class NoService(Misconfigured):
    """The cloud has no such service, or not in this region."""


class Clash(Rejected):
    """Something else is in the way (409): a name, an address, a state."""


@contextmanager
def translated(where: str, *, missing: type[HypervisorError] = Missing) -> Iterator[None]:
    """Whatever openstacksdk, keystoneauth or requests raise inside leaves as one of our errors.

    What is not there (404) leaves as `missing`: `VMNotFound` around the calls on a machine.
    """
    try:
        yield
    except HypervisorError as error:
        error.where = error.where or where
        raise
    except (sdk.SDKException, auth.ClientException, requests.RequestException, OSError) as error:
        # No `from error`: its text may carry what we sent.
        raise translate(error, where, missing=missing) from None


def translate(error: Exception, where: str, *, missing: type[HypervisorError] = Missing) -> HypervisorError:
    """Our error for theirs. Its message is what the service says, shortened, and never carries a secret."""
    response = getattr(error, "response", None)
    if isinstance(error, auth.Unauthorized) or _status(error) == 401:
        hint = _("Check the user, the password, the project and their domains.")
        return Misconfigured(_("OpenStack refused the credentials."), where=where, hint=hint)
    if isinstance(error, auth.EndpointNotFound | sdk.EndpointNotFound | sdk.ServiceDisabledException):
        hint = _("Check the region and the kind of endpoints.")
        return NoService(
            _("The service catalog has no such service: %(text)s.") % {"text": _text(error)}, where=where, hint=hint
        )
    if isinstance(error, sdk.HttpException | auth.HttpError):
        return of_status(_status(error), _text(error), where, missing=missing, retry_after=_retry_after(response))
    return _of_network(error, where)


def of_response(
    response: requests.Response, where: str, *, missing: type[HypervisorError] = Missing
) -> HypervisorError:
    """Our error for an answer with status 400 or more."""
    try:
        sdk.raise_from_response(response)
    except sdk.HttpException as error:
        return translate(error, where, missing=missing)
    return Transient(_("An answer was not understood."), where=where)


def of_status(
    status: int,
    text: str,
    where: str,
    *,
    missing: type[HypervisorError] = Missing,
    retry_after: str = "",
) -> HypervisorError:
    """Our error for what a service answered, or for the fault that a machine or volume in ERROR has."""
    room = of_quota(text, where) or _no_host(text, where)
    if room:
        return room
    if status == 404:
        return missing(text, where=where)
    if status == 400 and GONE.search(text):
        return Missing(text, where=where)
    if status == 413 and not retry_after and "quota" in text.lower():
        return CapacityExceeded(text, where=where)
    if status in (413, 429):
        return Transient(_("OpenStack asks for patience: %(text)s") % {"text": text}, where=where)
    if status == 409:
        return Transient(text, where=where) if BUSY.search(text) else Clash(text, where=where)
    if status == 403:
        hint = _("The account needs a role that allows this.")
        return Denied(text, where=where, hint=hint)
    if status == 504:
        return TimedOut(text, where=where)
    if status >= 500:
        return Transient(_("OpenStack failed (%(status)s): %(text)s") % {"status": status, "text": text}, where=where)
    return Rejected(text, where=where)


def of_quota(text: str, where: str) -> CapacityExceeded | None:
    """Which quota is exceeded and by how much, when this is what the text says."""
    if found := NOVA_QUOTA.search(text):
        columns = [[part.strip() for part in found[name].split(",")] for name in ("what", "wanted", "used", "limit")]
        rows = [exceeded(*row) for row in zip(*columns, strict=False)]
        return CapacityExceeded(" ".join(rows), where=where, hint=_quota_hint())
    if found := CINDER_QUOTA.search(text):
        row = exceeded(found["what"], found["wanted"], found["used"], found["limit"])
        return CapacityExceeded(row, where=where, hint=_quota_hint())
    if found := CINDER_COUNT.search(text):
        row = exceeded(found["what"], "1", found["limit"], found["limit"])
        return CapacityExceeded(row, where=where, hint=_quota_hint())
    if found := NEUTRON_QUOTA.search(text):
        what = found["what"].replace("'", "")
        return CapacityExceeded(
            _("The quota of %(what)s is used up.") % {"what": what}, where=where, hint=_quota_hint()
        )
    return None


def exceeded(what: str, wanted: str, used: str, limit: str) -> str:
    over = int(used) + int(wanted) - int(limit)
    told = {"what": what, "wanted": wanted, "used": used, "limit": limit, "over": over}
    text = _("The quota of %(what)s is exceeded by %(over)d: %(wanted)s wanted, %(used)s of %(limit)s used.")
    return text % told


def _quota_hint() -> str:
    return _("Free some, or have the quota of the project raised.")


def _no_host(text: str, where: str) -> CapacityExceeded | None:
    if not NO_HOST.search(text):
        return None
    hint = _("Ask for less, for another zone, or for another host.")
    return CapacityExceeded(_("No host has room for this: %(text)s") % {"text": text}, where=where, hint=hint)


def _of_network(error: Exception, where: str) -> HypervisorError:
    if isinstance(error, sdk.ResourceTimeout):
        return TimedOut(_("OpenStack did not finish in time."), where=where)
    if isinstance(error, auth.ConnectTimeout | requests.Timeout | TimeoutError):
        return Unreachable(_("OpenStack did not answer in time."), where=where)
    if isinstance(error, auth.SSLError | requests.exceptions.SSLError):
        hint = _("Give the file of its authority in “ca_cert”.")
        return Rejected(
            _("The TLS certificate is not trusted: %(text)s") % {"text": _text(error)}, where=where, hint=hint
        )
    if isinstance(error, auth.ConnectionError | requests.ConnectionError | OSError):
        return Unreachable(_("OpenStack does not answer: %(text)s") % {"text": _reason(error)}, where=where)
    if isinstance(error, auth.DiscoveryFailure | auth.InvalidResponse):
        hint = _("Check the URL.")
        return Rejected(
            _("No OpenStack service answers there: %(text)s") % {"text": _text(error)}, where=where, hint=hint
        )
    return Rejected(_text(error), where=where)


def _reason(error: BaseException) -> str:
    """What the system said of a connection: the library's own text names hosts and ports, which not everybody may know."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return _("its name is not known")
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
    return _("the connection was lost")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it came of; urllib3 and requests also keep them as arguments."""
    todo, seen = [error], set()
    while todo:
        cause = todo.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        near = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        todo += [one for one in near if isinstance(one, BaseException)]


def _status(error: Any) -> int:
    return int(getattr(error, "status_code", None) or getattr(error, "http_status", None) or 0)


def _retry_after(response: requests.Response | None) -> str:
    return str(response.headers.get("Retry-After", "")) if response is not None else ""


def _text(error: Any) -> str:
    """What the service says itself, without URLs and class names where it can be had."""
    text = str(getattr(error, "details", None) or getattr(error, "message", None) or error or type(error).__name__)
    text = " ".join(text.split())
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"
