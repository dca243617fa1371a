"""A connection test as a page sees it: each step in words, with what to do when it fails."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.http import HttpRequest, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hypervisors.drivers.checks import Check
from hypervisors.registry import driver_class
from olimpus.streams import streamed

#: Code of a step → what to look at when it fails.
ADVICE: Final[dict[str, Any]] = {
    "settings": _("Correct the settings and save them again."),
    "name": _("Check the spelling of the host name, and that this server can resolve it."),
    "port": _("Is the host on and the port right? Does a firewall stand between this server and it?"),
    "key": _(
        "Compare the fingerprint with the host's. If the host was reinstalled, accept its new key in the settings."
    ),
    "login": _("Check the user and the password, key or token in the settings."),
    "api": _("Is the service of the hypervisor running, and may this account use its API?"),
    "version": _("This version is not known to work: update the hypervisor or Olimpus."),
    "inventory": _("May this account list the machines?"),
    "latency": _("It answers slowly: machines will start slowly, too. Look at the network and the load of the host."),
    "timeout": _("It neither answers nor refuses. Look at the network and the load of the host, then test again."),
}
ADVICE |= {
    f"{hop}_{step}": ADVICE[step] for hop in ("bastion", "headnode") for step in ("name", "port", "key", "login")
}
OTHERWISE: Final = _("Read the detail, correct the settings, and test again.")


def planned(driver: str) -> list[dict[str, str]]:
    """What the test of this driver will try, in its order; empty when the driver does not say."""
    return [{"step": code, "label": gettext(label)} for code, label in driver_class(driver).steps]


def row(check: Check) -> dict[str, Any]:
    """One step in words."""
    advice = "" if check.ok else str(ADVICE.get(check.step, OTHERWISE))
    return {"check": check, "label": gettext(check.label), "advice": advice, "outcome": "ok" if check.ok else "failed"}


def outcome(driver: str, checks: Iterable[Check]) -> dict[str, Any]:
    """All steps, those not tried among them, and the verdict."""
    rows = [row(check) for check in checks]
    passed = bool(rows) and all(told["outcome"] == "ok" for told in rows)
    left = [] if passed else [{**step, "outcome": "skipped"} for step in _after(rows, planned(driver))]
    return {"steps": [*rows, *left], "passed": passed}


def _after(rows: list[dict[str, Any]], steps: list[dict[str, str]]) -> list[dict[str, str]]:
    """What would have come next; steps of another way in (a bastion that there is not) are not among them."""
    codes = [step["step"] for step in steps]
    tried = [codes.index(row["check"].step) for row in rows if row["check"].step in codes]
    return steps[max(tried, default=-1) + 1 :]


def answer(request: HttpRequest, checks: Iterator[Check]) -> StreamingHttpResponse:
    """Each step as one line of JSON, `{"step", "ok", "html"}`, as it happens; the last is `{"done", "ok", "html"}`."""
    return streamed(request, _lines(checks, translation.get_language()), "application/x-ndjson")


def _lines(checks: Iterator[Check], language: str | None) -> Iterator[str]:
    passed, seconds = True, 0.0
    for check in checks:
        passed, seconds = passed and check.ok, seconds + check.seconds
        yield _line(language, "step", row(check), step=check.step, ok=check.ok)
    yield _line(language, "verdict", {"passed": passed, "seconds": seconds}, done=True, ok=passed)


def _line(language: str | None, template: str, context: dict[str, Any], **more: Any) -> str:
    """The language of the request ends before its answer does."""
    with translation.override(language):
        html = render_to_string(f"admin/hypervisors/{template}.html", context)
    return json.dumps({**more, "html": html}) + "\n"
