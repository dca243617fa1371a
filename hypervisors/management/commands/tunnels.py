"""`manage.py tunnels`: check, hold up and look at the SSH tunnels to hypervisors behind a bastion."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from hypervisors import bastions
from hypervisors.gateway import forget_gateways
from hypervisors.models import Hypervisor
from hypervisors.tunnels import Status, Tunnels, statuses
from olimpus.errors import OlimpusError

LOOK_EVERY = 1.0  # seconds


class Command(BaseCommand):
    help = "Check, hold up or look at the SSH tunnels to hypervisors behind a bastion."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="check|up|status")
        check = verbs.add_parser("check", help="try each hop step by step; fails when one does")
        check.add_argument("hypervisor", nargs="?", default="", help="all behind a bastion, when left out")
        up = verbs.add_parser("up", help="hold the tunnel up, with ports on loopback, until Ctrl-C")
        up.add_argument("hypervisor", nargs="?", default="", help="may be left out when there is one")
        up.add_argument(
            "--to",
            action="append",
            default=[],
            metavar="HOST:PORT[=LOCAL]",
            help="a port behind the bastion, and its number here (any free one, when left out); may be repeated; "
            "without it, every service of the cloud's catalog",
        )
        verbs.add_parser("status", help="the tunnels of all running processes")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        try:
            {"check": self._check, "up": self._up, "status": self._status}[verb](**options)
        except OlimpusError as error:
            raise CommandError(str(error)) from error

    # -- check --------------------------------------------------------------------------------------------------------

    def _check(self, hypervisor: str, **options: Any) -> None:
        failed = [row.name for row in self._behind(hypervisor) if not self._passes(row)]
        if failed:
            raise CommandError(_("Not reached: %(names)s.") % {"names": ", ".join(failed)})

    def _passes(self, hypervisor: Hypervisor) -> bool:
        self.stdout.write(hypervisor.name)
        checks = bastions.tunnels_of(hypervisor).check()
        for check in checks:
            outcome = self.style.SUCCESS("ok    ") if check.ok else self.style.ERROR("failed")
            self.stdout.write(f"  {outcome} {_(check.label)}: {check.detail} ({check.seconds:.2f} s)")
        return all(check.ok for check in checks)

    # -- up -----------------------------------------------------------------------------------------------------------

    def _up(self, hypervisor: str, to: list[str], **options: Any) -> None:
        rows = self._behind(hypervisor)
        if len(rows) > 1:
            raise CommandError(_("There are several: name one of %s.") % ", ".join(row.name for row in rows))
        wanted = [_target(each) for each in to]
        with closing(bastions.tunnels_of(rows[0])) as tunnels, _until_told_to_end() as over:
            tunnels.connect()
            for service, host, port, local in wanted or _catalog(rows[0]):
                address, local_port = tunnels.local(host, port, service, local)
                self.stdout.write(f"{service or '-'}  {host}:{port}  {address}:{local_port}")
            self._watch(tunnels, over)

    def _watch(self, tunnels: Tunnels, over: threading.Event) -> None:
        """Say each change of the state until told to end."""
        known = None
        while not over.wait(LOOK_EVERY if known else 0):
            status = tunnels.status()
            if (status.state, status.reconnects) != known:
                known = status.state, status.reconnects
                self.stdout.write(_line(status))
                self.stdout.flush()

    # -- status -------------------------------------------------------------------------------------------------------

    def _status(self, **options: Any) -> None:
        found = statuses(Path(settings.OLIMPUS_HOME))
        for status in found:
            self.stdout.write(f"{status.process} ({status.pid})  {_line(status)}")
            for service in status.services:
                told = f"{service.service or '-'}  {service.host}:{service.port}  {service.state}"
                self.stdout.write(f"  {told}  {service.bytes_in} B in, {service.bytes_out} B out  {service.last_error}")
        if not found:
            self.stdout.write(_("No running process has a tunnel."))

    def _behind(self, name: str) -> list[Hypervisor]:
        rows = [row for row in Hypervisor.objects.order_by("name") if row.settings.get("bastion_host")]
        rows = [row for row in rows if name in ("", row.name)]
        if not rows:
            raise CommandError(_("There is no such hypervisor behind a bastion."))
        return rows


def _line(status: Status) -> str:
    latency = "" if status.latency_ms is None else f"  {status.latency_ms} ms"
    told = f"{status.name}  {' → '.join(status.hops)}  {status.state}{latency}"
    error = f"  {status.last_error}" if status.last_error and status.state != "up" else ""
    return f"{told}  {status.reconnects} reconnects, {status.connections} connections{error}"


@contextmanager
def _until_told_to_end() -> Iterator[threading.Event]:
    """Set by Ctrl-C and by `kill`."""
    over = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_told: over.set()) for number in numbers]
    try:
        yield over
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _catalog(hypervisor: Hypervisor) -> list[tuple[str, str, int, int]]:
    try:
        return [(service, host, port, 0) for service, (host, port) in bastions.catalog(hypervisor).items()]
    finally:
        forget_gateways()  # the driver's own tunnel has done its work


def _target(text: str) -> tuple[str, str, int, int]:
    """(service, host, port, local port) of HOST:PORT[=LOCAL]."""
    place, _equals, local = text.partition("=")
    host, _colon, port = place.rpartition(":")
    if not (host and port.isdecimal() and (not local or local.isdecimal())):
        raise CommandError(_("“%(text)s” is not HOST:PORT or HOST:PORT=LOCAL.") % {"text": text})
    return "", host.strip("[]"), int(port), int(local or 0)
