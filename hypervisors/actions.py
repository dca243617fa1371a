"""Every change of a hypervisor's record: permission, rule, journal. All doors come here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings as project
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Q
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from hypervisors import aliases, claims, connection, health
from hypervisors.drivers.checks import Check
from hypervisors.gateway import Gateway, forget_gateways, gateway_for
from hypervisors.models import Health, Hypervisor, Inventory
from hypervisors.registry import clean_settings, driver_class, nearest
from olimpus.errors import Conflict, Forbidden, HypervisorError, Invalid, NotFound, OlimpusError, Stale

#: What may be given; `settings` is the driver's, and `name` and `driver` are given once.
FIELDS = ("name", "driver", "settings", "aliases", "description", "concurrency", "queue", "reconcile_interval")
#: Who is in charge, by name: field → model and the column of the name.
PEOPLE: dict[str, tuple[type[User] | type[Group], str]] = {
    "managers": (User, "username"),
    "manager_groups": (Group, "name"),
}
#: Beside them, for a change: names of secrets to remove.
FORGET = "forget_secrets"
FIXED = ("name", "driver")
#: The setting that lists the hosts of a driver that places machines.
WORKERS = "workers"
SHOWN = 5
#: What a driver is told that its hypervisor is called before it has a name.
UNNAMED = "unsaved"


def create(fields: Mapping[str, Any], *, actor: User) -> Hypervisor:
    """A new hypervisor. `Forbidden`, `Invalid` (each fault in `errors`), `Conflict` when the name is taken."""
    require_superuser(actor)
    _require_known(fields)
    driver_class(str(fields.get("driver", "")))
    fields = _with_clean_aliases(fields)
    people = _people(fields)
    hypervisor = Hypervisor(**{name: fields[name] for name in fields.keys() - {"settings", *PEOPLE}})
    hypervisor.set_settings(fields.get("settings") or {})
    _clean(hypervisor)
    try:
        with transaction.atomic():
            hypervisor.save(force_insert=True)
            named = _put_in_charge(hypervisor, people)
            _journal(actor, "create", hypervisor, driver=hypervisor.driver, **named)
    except IntegrityError as error:
        raise _taken(hypervisor.name) from error
    return hypervisor


@transaction.atomic
def update(
    hypervisor: Hypervisor, changes: Mapping[str, Any], *, actor: User, expected_version: int | None = None
) -> Hypervisor:
    """Change some fields; returns the record as saved. A secret left empty keeps its value; `forget_secrets` names others.

    `managers` and `manager_groups` are names, and replace those that were.

    `Forbidden`, `Invalid`, `Stale` when `expected_version` is no longer the record's, `NotFound` when it is gone;
    `Conflict` when a worker would leave the settings on which there are machines.
    """
    require_superuser(actor)
    changes = _with_clean_aliases(changes)
    forget = changes.pop(FORGET, ())
    _require_known(changes)
    fresh = _locked(hypervisor)
    if expected_version is not None and expected_version != fresh.version:
        raise Stale(
            _("Somebody else saved first."), where=fresh.name, hint=_("Read it again, then repeat your change.")
        )
    for name in FIXED:
        if name in changes and changes[name] != getattr(fresh, name):
            raise Invalid(_("This is given once and cannot change."), where=name)
    people = _people(changes)
    for name in changes.keys() - {*FIXED, *PEOPLE, "settings"}:
        setattr(fresh, name, changes[name])
    if "settings" in changes or forget:
        before = fresh.settings
        fresh.set_settings(changes.get("settings", fresh.settings) or {}, forget=forget)
        _require_workers_kept(fresh, before)
        Inventory.objects.filter(hypervisor=fresh).delete()  # it may be another cloud from now on
    _clean(fresh)
    _save(fresh)
    named = _put_in_charge(fresh, people) | ({"removed": sorted(forget)} if forget else {})
    _journal(actor, "update", fresh, changed=sorted(changes), **named)
    return fresh


def delete(hypervisor: Hypervisor, *, actor: User) -> None:
    """Forget the hypervisor (its VMs stay where they are). `Conflict`, naming them, while descriptors refer to it."""
    require_superuser(actor)
    try:
        with transaction.atomic():
            name = hypervisor.name
            hypervisor.delete()
            journal.record(actor, "hypervisor.delete", data={"hypervisor": name})
    except ProtectedError as error:
        raise _in_use(name, error) from error
    forget_gateways(but=Hypervisor.objects.values_list("pk", flat=True))  # the worker's go when it looks the next time


@transaction.atomic
def set_maintenance(hypervisor: Hypervisor, on: bool, reason: str = "", *, actor: User) -> Hypervisor:
    """Begin or end maintenance: while it lasts, new work is refused. May be repeated. `Forbidden`, `Invalid`."""
    require_superuser(actor)
    fresh = _locked(hypervisor)
    wanted = (on, reason.strip() if on else "")
    if (fresh.maintenance, fresh.maintenance_reason) == wanted:
        return fresh
    fresh.maintenance, fresh.maintenance_reason = wanted
    _clean(fresh)
    _save(fresh)
    _journal(actor, "maintenance_on" if on else "maintenance_off", fresh, reason=wanted[1])
    return fresh


def test(hypervisor: Hypervisor, *, actor: User) -> list[Check]:
    """Try the connection step by step and keep the health and the capacity that were found. `Forbidden`."""
    return list(testing(hypervisor, actor=actor))


test.__test__ = False  # a verb, not a test for pytest to collect


def testing(hypervisor: Hypervisor, *, actor: User) -> Iterator[Check]:
    """The same, each step as it ends; what was found is kept after the last one. `Forbidden` at once."""
    require_superuser(actor)
    return _testing(hypervisor, actor, journal.current())


def try_settings(
    driver: str, settings: Mapping[str, Any], *, actor: User, hypervisor: Hypervisor | None = None
) -> Iterator[Check]:
    """Test settings that are not saved, each step as it ends; no record changes. `Forbidden`, `Invalid` at once.

    Secrets left empty are those of `hypervisor`, if its driver is the same.
    """
    require_superuser(actor)
    same = hypervisor is not None and hypervisor.driver == driver
    kept = {name: hypervisor.clear_secrets()[name] for name in hypervisor.secrets_set()} if same else {}
    public, secret = clean_settings(driver, settings, kept=kept)
    values = public | kept | secret
    return _trying(driver, values, hypervisor.name if same else "", actor, journal.current())


def require_superuser(actor: User) -> None:
    """Raise `Forbidden` for everybody else."""
    if not (actor.is_active and actor.is_superuser):
        raise Forbidden(_("Only superusers may work on hypervisors."))


def managed(actor: User) -> list[Hypervisor]:
    """All hypervisors that the actor is in charge of, by name. One query."""
    rows = Hypervisor.objects.order_by("name")
    if not actor.is_active or actor.pk is None:
        return []
    return list(
        rows if actor.is_superuser else rows.filter(Q(managers=actor) | Q(manager_groups__user=actor)).distinct()
    )


def manages(actor: User, hypervisor: Hypervisor) -> bool:
    """Whether the actor is in charge of the hypervisor: an active superuser or manager of it."""
    return hypervisor.managed_by(actor)


def require_manager(actor: User, hypervisor: Hypervisor) -> None:
    """Raise `Forbidden` for everybody who is not in charge of this hypervisor."""
    if not manages(actor, hypervisor):
        raise Forbidden(
            _("Only managers of “%(hypervisor)s” may do this.") % {"hypervisor": hypervisor.name},
            hint=_("A superuser makes you one, in the settings of the hypervisor."),
        )


# -- inside ------------------------------------------------------------------------------------------------------------


def _testing(hypervisor: Hypervisor, actor: User, door: journal.Context) -> Iterator[Check]:
    gateway, failed = None, None
    try:
        gateway = gateway_for(hypervisor)
    except OlimpusError as error:  # a missing library, a key that does not fit
        failed = Check("settings", _("Settings"), ok=False, detail=str(error))
        yield failed
    for check in connection.steps(gateway) if gateway else ():
        failed = failed or (None if check.ok else check)
        yield check
    with journal.context(via=door.via, source=door.source):
        _conclude(hypervisor, gateway, failed)
        _journal(actor, "test", hypervisor, ok=failed is None, failed=failed.step if failed else "")


def _trying(driver: str, values: Mapping[str, Any], name: str, actor: User, door: journal.Context) -> Iterator[Check]:
    failed = ""
    with tempfile.TemporaryDirectory() as elsewhere:
        home = Path(project.OLIMPUS_HOME if name else elsewhere)
        gateway = Gateway(driver_class(driver)(name or UNNAMED, values, home), 1)
        try:
            for check in connection.steps(gateway):
                failed = failed or ("" if check.ok else check.step)
                yield check
        finally:
            gateway.close()
    data = {"hypervisor": name, "driver": driver, "unsaved": True, "ok": not failed, "failed": failed}
    with journal.context(via=door.via, source=door.source):
        journal.record(actor, "hypervisor.test", data=data)


def _conclude(hypervisor: Hypervisor, gateway: Gateway | None, failed: Check | None) -> None:
    if failed:
        away = failed.step == connection.LATE or failed.step.endswith(("name", "port"))
        kind = Health.UNREACHABLE if away else Health.ERROR
        health.mark_failing(hypervisor, kind, f"{failed.label}: {failed.detail}")
        return
    health.mark_ok(hypervisor)
    if gateway:
        _keep_capacity(hypervisor, gateway)


def _keep_capacity(hypervisor: Hypervisor, gateway: Gateway) -> None:
    try:
        hypervisor.capacity = asdict(gateway.capacity())
    except HypervisorError as error:
        health.mark_unreachable(hypervisor, error)
    else:
        Hypervisor.objects.filter(pk=hypervisor.pk).update(capacity=hypervisor.capacity)


def _with_clean_aliases(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {**fields, "aliases": aliases.clean(fields["aliases"])} if "aliases" in fields else dict(fields)


def _people(fields: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The users and groups that are named; `Invalid`, with each name that nobody has."""
    found, faults = {}, []
    for field, (model, column) in PEOPLE.items():
        if field not in fields:
            continue
        names = set(fields[field])
        found[field] = list(model.objects.filter(**{f"{column}__in": names}))
        missing = sorted(names - {getattr(row, column) for row in found[field]})
        faults += [{"where": field, "message": _("There is no “%s”.") % name} for name in missing]
    if faults:
        raise Invalid(faults[0]["message"], where=faults[0]["where"], errors=faults)
    return found


def _put_in_charge(hypervisor: Hypervisor, people: Mapping[str, list[Any]]) -> dict[str, list[str]]:
    """Write who is in charge; returns their names, for the journal."""
    for field, chosen in people.items():
        getattr(hypervisor, field).set(chosen)
    return {field: sorted(getattr(row, PEOPLE[field][1]) for row in chosen) for field, chosen in people.items()}


def _require_known(fields: Mapping[str, Any]) -> None:
    known = (*FIELDS, *PEOPLE)
    for name in fields:
        if name not in known:
            hint = _("Did you mean “%(name)s”?") % {"name": nearest(name, known)}
            raise Invalid(_("There is no such field."), where=name, hint=hint)


def _locked(hypervisor: Hypervisor) -> Hypervisor:
    fresh = Hypervisor.objects.select_for_update().filter(pk=hypervisor.pk).first()
    if fresh is None:
        raise NotFound(_("There is no such hypervisor any more."), where=hypervisor.name)
    return fresh


def _clean(hypervisor: Hypervisor) -> None:
    try:
        hypervisor.full_clean(validate_unique=False)
    except ValidationError as error:
        faults = [{"where": name, "message": " ".join(texts)} for name, texts in error.message_dict.items()]
        raise Invalid(faults[0]["message"], where=faults[0]["where"], errors=faults) from error


def _require_workers_kept(hypervisor: Hypervisor, before: Mapping[str, Any]) -> None:
    """Whoever carries machines stays in the list: nobody would look for them there any more, and call them absent."""
    held = claims.by_host(hypervisor)
    if not held or hypervisor.settings.get(WORKERS) == before.get(WORKERS):
        return
    read = driver_class(hypervisor.driver).workers_of
    try:
        lost = sorted(held.keys() - read(hypervisor.settings))
    except HypervisorError as error:
        raise Invalid(error.message, where=f"settings.{WORKERS}", hint=error.hint) from None
    with suppress(HypervisorError):  # what was there before could not be read: all who carry machines count
        lost = sorted(read(before).intersection(lost))
    if lost:
        raise _carrying({name: held[name] for name in lost})


def _save(hypervisor: Hypervisor) -> None:
    """Save what people set, never the health or the reconcile clock that others write meanwhile."""
    hypervisor.version += 1
    written = [*FIELDS, "secrets", "maintenance", "maintenance_reason", "version", "updated_at"]
    hypervisor.save(update_fields=written)


def _journal(actor: User, verb: str, hypervisor: Hypervisor, **data: Any) -> None:
    journal.record(actor, f"hypervisor.{verb}", data={"hypervisor": hypervisor.name, **data})


def _taken(name: str) -> Conflict:
    return Conflict(_("There is a hypervisor “%(name)s” already.") % {"name": name}, where="name")


def _carrying(machines: Mapping[str, int]) -> Conflict:
    told = ", ".join(f"{name} ({number})" for name, number in machines.items())
    message = _("These workers have machines (so many), and would not be in the list any more: %(workers)s.")
    hint = _("Leave them there under their names with the word “maintenance”; move or destroy their machines first.")
    return Conflict(message % {"workers": told}, where=f"settings.{WORKERS}", hint=hint)


def _in_use(name: str, error: ProtectedError) -> Conflict:
    users = sorted(str(user) for user in error.protected_objects)
    shown = ", ".join(users[:SHOWN]) + (", …" if len(users) > SHOWN else "")
    message = _("“%(name)s” is in use by %(count)d: %(users)s.") % {"name": name, "count": len(users), "users": shown}
    return Conflict(message, where=name, hint=_("Destroy or move them first."))
