"""`manage.py import_course`: course file + roster → a plan, and with --apply everybody's machines."""

from __future__ import annotations

import getpass
import json
from argparse import BooleanOptionalAction
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from rich.console import Console

from accounts import journal
from accounts.models import User
from courses import actions, console
from courses.manifest import read_course
from courses.plan import Plan, make_plan
from courses.roster import MAX_BYTES, Student, read_roster
from descriptors.actions import request
from descriptors.models import Node, Operation, Status
from olimpus.errors import Invalid, NotFound, OlimpusError

BAD_INPUT, REFUSED = 2, 1


class Command(BaseCommand):
    """Exit code 2: the files are wrong; 1: it was refused, or a machine failed; 0: all is well."""

    requires_system_checks = ()  # the whole site need not be loaded for this
    help = (
        "Reads a course file and a roster and says what it would do; with --apply it does it: folders, machines, "
        "accounts and grants, all or nothing. May be repeated: it adds what is new and updates what differs, "
        "and never deletes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("course", type=Path, help="the course file (YAML or JSON)")
        parser.add_argument("--roster", type=Path, help="the students (CSV)")
        parser.add_argument("--apply", action="store_true", help="do it; without this only the plan is shown")
        parser.add_argument("--dry-run", action="store_true", help="only show the plan (this is the default)")
        parser.add_argument("--create", action="store_true", help="then create the machines on their hypervisors")
        parser.add_argument("--start", action="store_true", help="then start them")
        parser.add_argument("--wait", action=BooleanOptionalAction, default=True, help="follow create and start")
        parser.add_argument("--invite", action="store_true", help="mail an invitation to every new account")
        parser.add_argument("--as", dest="actor", metavar="USER", help="who does it (default: the first superuser)")
        parser.add_argument("--json", action="store_true", help="print plan and result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Errors become one block on standard error and an exit code."""
        self.stdout.ending = ""  # rich ends its lines itself
        self.console = Console(file=self.stdout, no_color=options["no_color"] or None)
        self.quiet = options["json"]
        try:
            _check_options(options)
            with journal.context(via="command", source=getpass.getuser()):
                self._run(options)
        except OlimpusError as error:
            code = BAD_INPUT if isinstance(error, Invalid) else REFUSED
            raise CommandError(console.fault_block(error), returncode=code) from error

    def _run(self, options: dict[str, Any]) -> None:
        actor = _actor(options["actor"])
        course = read_course(_content(options["course"]), name=options["course"].name)
        plan = make_plan(
            course, _students(options["roster"]), actions.snapshot(course), roster=_name(options["roster"])
        )
        effects = actions.effects(plan)
        report = actions.plan_summary(plan, effects) | {"applied": False}
        if not self.quiet:
            console.show_plan(self.console, plan, effects)
        if options["apply"]:
            report |= self._apply(plan, actor, options)
        elif not self.quiet:
            self._say(_("This is the plan. Nothing was changed; --apply does it."))
        if self.quiet:
            self.stdout.write(json.dumps(report, ensure_ascii=False, indent=2) + "\n")
        if report.get("failed"):
            raise CommandError(
                _("The course is imported, but not all machines did what was asked; the operations say why."),
                returncode=REFUSED,
            )

    def _apply(self, plan: Plan, actor: User, options: dict[str, Any]) -> dict[str, Any]:
        result = actions.import_course(plan, actor=actor)
        self._say(_("Nothing to do.") if plan.is_empty else _("Done: everything is as the files say."))
        report: dict[str, Any] = {"applied": True}
        if options["invite"]:
            report["not_invited"] = self._invite(result.users, actor)
        verbs = [verb for verb in ("create", "start") if options[verb]]
        operations, well = self._verbs(result.folder, actor, verbs, wait=options["wait"])
        report["operations"] = [
            {"id": str(operation.pk), "verb": operation.verb, "status": str(operation.status)}
            for operation in operations
        ]
        return report | {"failed": not well}

    def _invite(self, users: Sequence[User], actor: User) -> dict[str, str]:
        failed = actions.send_invitations(users, actor=actor)
        self._say(_("%(count)d invitations sent.") % {"count": len(users) - len(failed)})
        for username, why in failed.items():
            self._say(_("Not invited: %(user)s: %(why)s") % {"user": username, "why": why})
        return failed

    def _verbs(self, folder: Node, actor: User, verbs: Iterable[str], *, wait: bool) -> tuple[list[Operation], bool]:
        """Each verb is followed to its end before the next, unless nobody wants to wait; and whether all went well."""
        operations, well = [], True
        for verb in verbs:
            try:
                operation = request(verb, folder, actor=actor)
            except OlimpusError as error:
                # Where nothing is left to do, a repeated import meets machines that are created and running already.
                well = well and not actions.is_waiting(folder, verb)
                self._say("\n".join([error.message, *(f"  {fault['message']}" for fault in error.errors)]))
                continue
            operations.append(self._follow(operation) if wait else operation)
            well = well and operations[-1].status not in (Status.PARTIAL, Status.FAILED, Status.CANCELLED)
            for row in (operation.result or {}).get("skipped", []):
                self._say(_("%(count)d left out: %(reason)s") % row)
        return operations, well

    def _follow(self, operation: Operation) -> Operation:
        view = Console(quiet=True) if self.quiet else self.console
        try:
            return console.follow(view, operation)
        except KeyboardInterrupt:
            message = _("No longer watching; the operation %(id)s goes on.") % {"id": operation.pk}
            raise CommandError(message, returncode=REFUSED) from None

    def _say(self, text: str) -> None:
        if not self.quiet:
            self.console.print(text, markup=False, highlight=False)


def _check_options(options: dict[str, Any]) -> None:
    if options["apply"] and options["dry_run"]:
        raise Invalid(_("Choose one of the two."), where="--apply, --dry-run")
    asked = [f"--{name}" for name in ("create", "start", "invite") if options[name]]
    if asked and not options["apply"]:
        raise Invalid(_("This needs --apply."), where=", ".join(asked))
    if options["create"] and options["start"] and not options["wait"]:
        message = _("Machines can start only when they are created: --create --start waits.")
        raise Invalid(message, where="--no-wait", hint=_("Run it twice, or leave --no-wait away."))


def _actor(name: str | None) -> User:
    if name:
        actor = User.objects.filter(username=name, is_active=True).first()
        if actor is None:
            raise NotFound(_("There is no active user “%(name)s”.") % {"name": name}, where="--as")
        return actor
    actor = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if actor is None:
        raise NotFound(_("There is no superuser yet."), where="--as", hint="manage.py setup")
    return actor


def _students(roster: Path | None) -> list[Student]:
    return read_roster(_content(roster), name=roster.name) if roster else []


def _name(roster: Path | None) -> str:
    return roster.name if roster else ""


def _content(path: Path) -> bytes:
    """The bytes of a file, one more than allowed at most: the readers refuse what is too large."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        message = _("The file cannot be read: %(why)s.") % {"why": error.strerror}
        raise Invalid(message, where=str(path)) from error
