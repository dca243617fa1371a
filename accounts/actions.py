"""What is done to accounts, for every door (API, console, pages, commands, courses). Each one is journaled.

`actor` None means the installation itself (a command). Raises Forbidden, Invalid, Conflict; a refusal changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from accounts import journal, lockout, people_import, roles, tokens
from accounts.models import ApiToken, User
from accounts.roles import Kind
from olimpus.errors import Conflict, Forbidden, Invalid, Stale

#: What `update_user` may change, and what of it one may change oneself.
FIELDS: Final = frozenset(
    {"username", "email", "first_name", "last_name", "language", "kind", "is_superuser", "is_active"}
)
OWN_FIELDS: Final = frozenset({"email", "first_name", "last_name", "language"})
#: Living tokens one user may have.
TOKENS_EACH: Final = 50


def require_people_manager(actor: User | None) -> None:
    """Raise Forbidden unless `actor` may create and change users and groups."""
    if actor is not None and not roles.may_manage_people(actor):
        raise Forbidden(_("Only superusers may change users and groups."))


@transaction.atomic
def create_user(
    username: str,
    *,
    actor: User | None,
    password: str | None = None,
    email: str = "",
    kind: str = Kind.SIMPLE,
    is_superuser: bool = False,
    groups: Iterable[Group] = (),
    **names: str,
) -> User:
    """Create and return an account. Without a password it cannot sign in until it follows an invitation.

    `names`: first_name, last_name, language.
    """
    require_people_manager(actor)
    user = User(username=username, email=email, kind=kind, is_superuser=is_superuser, **names)
    user.set_unusable_password()
    _validate(user)
    if password is not None:
        check_new_password(password, user)
        user.set_password(password)
    user.save(force_insert=True)
    user.groups.set(groups)
    _note(actor, "user.create", user, kind=user.role)
    return user


@transaction.atomic
def update_user(user: User, *, actor: User | None, **changes: Any) -> User:
    """Change fields of an account and return it. One may change one's own name, e-mail and language."""
    allowed = OWN_FIELDS if actor is not None and actor.pk == user.pk and not actor.is_superuser else FIELDS
    if actor is not None and actor.pk != user.pk:
        require_people_manager(actor)
    for name, value in changes.items():
        if name not in allowed:
            raise Forbidden(_("You may not change this."), where=name)
        setattr(user, name, value)
    _refuse_self_harm(user, actor)
    _validate(user)
    user.save(update_fields=changes.keys() or None)
    _note(actor, "user.update", user, changed=sorted(changes))
    return user


def deactivate(user: User, *, actor: User | None) -> User:
    """Close an account: every session, JWT and personal token stops working. May be repeated."""
    return _set_active(user, False, actor)


def activate(user: User, *, actor: User | None) -> User:
    """Open a closed account again. May be repeated."""
    return _set_active(user, True, actor)


@transaction.atomic
def delete_user(user: User, *, actor: User | None) -> None:
    """Erase an account. The journal keeps its name. Raises Conflict where something still depends on it."""
    require_people_manager(actor)
    if actor is not None and actor.pk == user.pk:
        raise Conflict(_("You cannot delete your own account."))
    _note(actor, "user.delete", user)
    _delete(user)


@transaction.atomic
def set_password(user: User, password: str, *, actor: User | None) -> None:
    """Set a password after checking its strength. Ends every session and JWT of the user; personal tokens stay."""
    if actor is not None and actor.pk != user.pk:
        require_people_manager(actor)
    check_new_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    tokens.revoke_all(user)
    _note(actor, "user.password", user)


def check_new_password(password: str, user: User) -> None:
    """Raise Invalid, naming every weakness, unless the password is strong enough."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        faults = [{"where": "password", "message": message} for message in error.messages]
        raise Invalid(" ".join(error.messages), where="password", errors=faults) from error


def invitation_link(user: User, *, base_url: str = "") -> str:
    """Return the signed link that sets a first password: good once, for PASSWORD_RESET_TIMEOUT seconds."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("invitation", kwargs={"uidb64": uid, "token": default_token_generator.make_token(user)})
    return f"{(base_url or settings.OLIMPUS_URL).rstrip('/')}{path}"


def invite(user: User, *, actor: User | None, base_url: str = "") -> None:
    """Mail the invitation link, in the user's language. May be repeated. Raises Invalid without an address."""
    require_people_manager(actor)
    if not user.email:
        raise Invalid(_("This user has no e-mail address."), where="email")
    if user.has_usable_password():
        raise Conflict(_("This user has a password already."), hint=_("Reset the password instead."))
    context = {"user": user, "link": invitation_link(user, base_url=base_url), "hours": _link_hours()}
    with translation.override(user.language or settings.LANGUAGE_CODE):
        subject = render_to_string("registration/invitation_subject.txt", context).strip()
        body = render_to_string("registration/invitation_email.txt", context)
    send_mail(subject, body, None, [user.email])
    _note(actor, "user.invite", user)


def unlock(user: User, *, actor: User | None) -> int:
    """Forget the failed sign-ins of an account, from every address; return how many there were. May be repeated."""
    require_people_manager(actor)
    forgotten = lockout.unlock(user.get_username())
    if forgotten:
        _note(actor, "user.unlock", user, failures=forgotten)
    return forgotten


def plan_people(
    data: bytes, *, actor: User | None, name: str = "users.csv", make_groups: bool = True
) -> people_import.PeoplePlan:
    """What importing this CSV file would do; nothing is written. Forbidden, TooLarge, Invalid (see `people_import`)."""
    require_people_manager(actor)
    return people_import.make_plan(data, name=name, make_groups=make_groups)


@transaction.atomic
def import_people(
    data: bytes, *, actor: User | None, name: str = "users.csv", make_groups: bool = True, expected: str = ""
) -> people_import.PeoplePlan:
    """Make and change accounts and groups as the CSV file says, all or nothing; return what was done. May be repeated.

    New accounts have no password: invite them. Invalid with all faults; Stale when `expected` is not the plan's digest.
    """
    plan = plan_people(data, actor=actor, name=name, make_groups=make_groups)
    if plan.faults:
        first = plan.faults[0]
        faults = [dict(fault) for fault in plan.faults]
        raise Invalid(first["message"], where=first["where"], hint=first["hint"], errors=faults)
    if expected and expected != plan.digest():
        raise Stale(_("Users or groups changed since the preview."), where=name, hint=_("Look at the new preview."))
    if not plan.is_empty:
        _carry_out(plan, actor)
        journal.record(actor, "user.import", data={"file": name, **plan.counts()})
    return plan


@transaction.atomic
def create_group(name: str, *, actor: User | None) -> Group:
    """Create and return a group."""
    require_people_manager(actor)
    group = Group(name=name)
    _validate(group)
    group.save()
    journal.record(actor, "group.create", data={"group": name})
    return group


@transaction.atomic
def rename_group(group: Group, name: str, *, actor: User | None) -> Group:
    """Rename a group and return it."""
    require_people_manager(actor)
    before, group.name = group.name, name
    _validate(group)
    group.save(update_fields=["name"])
    journal.record(actor, "group.rename", data={"group": name, "before": before})
    return group


@transaction.atomic
def delete_group(group: Group, *, actor: User | None) -> None:
    """Delete a group; its members stay."""
    require_people_manager(actor)
    journal.record(actor, "group.delete", data={"group": group.name})
    _delete(group)


@transaction.atomic
def add_members(group: Group, users: Iterable[User], *, actor: User | None) -> None:
    """Put users into a group. May be repeated."""
    require_people_manager(actor)
    users = list(users)
    group.user_set.add(*users)
    journal.record(actor, "group.add", data={"group": group.name, "users": [user.username for user in users]})


@transaction.atomic
def remove_member(group: Group, user: User, *, actor: User | None) -> None:
    """Take a user out of a group. May be repeated."""
    require_people_manager(actor)
    group.user_set.remove(user)
    journal.record(actor, "group.remove", data={"group": group.name, "users": [user.username]})


@transaction.atomic
def issue_token(
    user: User, name: str, *, read_only: bool = False, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a personal token; return its row and the token in clear, shown this once."""
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid(_("This moment has passed."), where="expires_at")
    if ApiToken.objects.usable().filter(user=user).count() >= TOKENS_EACH:
        raise Conflict(_("You have too many tokens."), hint=_("Revoke one first."))
    row, clear = ApiToken.issue(user, name, read_only=read_only, expires_at=expires_at)
    journal.record(user, "token.create", data={"name": name, "read_only": read_only})
    return row, clear


@transaction.atomic
def revoke_token(token: ApiToken, *, actor: User | None) -> None:
    """Revoke a personal token at once. May be repeated."""
    if actor is not None and actor.pk != token.user_id:
        require_people_manager(actor)
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        journal.record(actor, "token.revoke", data={"name": token.name, "user": token.user.username})


def _carry_out(plan: people_import.PeoplePlan, actor: User | None) -> None:
    groups = {name: create_group(name, actor=actor) for name in plan.new_groups}
    made = _make_accounts(plan.new, actor)
    for change in plan.changed:
        for field, (_before, after) in change.fields.items():
            setattr(change.user, field, after)
        change.user.align()
    written = [change for change in plan.changed if change.fields]
    User.objects.bulk_update([change.user for change in written], [*people_import.FIELDS, "is_staff"], batch_size=100)
    journal.record_many(
        journal.Draft(actor, "user.update", data={"user": change.user.username, "changed": sorted(change.fields)})
        for change in written
    )
    _join(
        groups, [*((made[p.username], p.groups) for p in plan.new), *((c.user, c.groups) for c in plan.changed)], actor
    )


def _make_accounts(people: Iterable[people_import.Person], actor: User | None) -> dict[str, User]:
    """Accounts without a usable password: made once, since hashing thousands would take minutes."""
    unusable = make_password(None)
    users = [User(username=person.username, password=unusable, **person.values) for person in people]
    for user in users:
        user.align()
    try:
        with transaction.atomic():
            User.objects.bulk_create(users, batch_size=200)
    except IntegrityError as error:
        message = _("One of the accounts was made meanwhile, or the database takes two names for the same.")
        raise Conflict(message, where="username", hint=_("Look at the new preview.")) from error
    journal.record_many(
        journal.Draft(actor, "user.create", data={"user": user.username, "kind": user.role}) for user in users
    )
    return {user.username: user for user in users}


def _join(groups: dict[str, Group], memberships: Iterable[tuple[User, Iterable[str]]], actor: User | None) -> None:
    joining: dict[str, list[User]] = defaultdict(list)
    for user, names in memberships:
        for name in names:
            joining[name].append(user)
    known = {group.name: group for group in Group.objects.filter(name__in=joining.keys() - groups.keys())} | groups
    for name, users in joining.items():
        add_members(known[name], users, actor=actor)


@transaction.atomic
def _set_active(user: User, active: bool, actor: User | None) -> User:
    require_people_manager(actor)
    if user.is_active == active:
        return user
    user.is_active = active
    _refuse_self_harm(user, actor)
    user.save(update_fields=["is_active"])
    if not active:
        tokens.revoke_all(user)
    _note(actor, "user.activate" if active else "user.deactivate", user)
    return user


def _refuse_self_harm(user: User, actor: User | None) -> None:
    """Nobody locks the last door behind himself."""
    if actor is None or actor.pk != user.pk:
        return
    if not user.is_active or (not user.is_superuser and User.objects.filter(pk=user.pk, is_superuser=True).exists()):
        raise Conflict(_("You cannot take your own rights away."), hint=_("Ask another superuser."))


def _validate(row: Any) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        faults = [{"where": k, "message": text} for k, v in error.message_dict.items() for text in v]
        raise Invalid(faults[0]["message"], where=faults[0]["where"], errors=faults) from error


def _delete(row: Any) -> None:
    try:
        row.delete()
    except ProtectedError as error:
        first = next(iter(error.protected_objects))
        raise Conflict(_("Something still depends on it: %(what)s.") % {"what": first}) from error


def _note(actor: User | None, verb: str, user: User, **data: Any) -> None:
    journal.record(actor, verb, data={"user": user.username, **data})


def _link_hours() -> int:
    return settings.PASSWORD_RESET_TIMEOUT // 3600
