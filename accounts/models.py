"""People, their tokens, and the journal of what they did."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.roles import Kind, kind_of

#: Any e-mail address is a good user name. Colons would break HTTP Basic, slashes paths, spaces the eye.
username_validator = RegexValidator(
    r"\A[^\s:/\\\x00-\x1f\x7f]+\Z", _("A user name has no spaces, colons, slashes or control characters.")
)

#: Longest path a unique utf8mb4 index of MariaDB can hold, in characters.
PATH_LENGTH = 768


class User(AbstractUser):
    """An account. `is_superuser` rules everything; `kind` says manager or simple user; the rest comes from grants."""

    username = models.CharField(
        _("user name"),
        max_length=150,
        unique=True,
        validators=[username_validator],
        help_text=_("Up to 150 characters; an e-mail address is fine. No spaces, colons or slashes."),
        error_messages={"unique": _("A user with this name exists already.")},
    )
    kind = models.CharField(
        _("kind"),
        max_length=16,
        choices=Kind.choices,
        default=Kind.SIMPLE,
        help_text=_("Managers may open the console and be put in charge of folders."),
    )
    language = models.CharField(_("language"), max_length=8, blank=True)
    #: How the portal looks to this person: written by `accounts.preferences` only, read with the account.
    preferences = models.JSONField(default=dict, blank=True, editable=False)

    class Meta(AbstractUser.Meta):
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["username"]

    @property
    def role(self) -> str:
        """`superuser`, `manager` or `simple`."""
        return kind_of(self)

    def align(self) -> None:
        """Keep `is_staff` (the console) in step with what the account is."""
        self.is_staff = self.is_superuser or self.kind == Kind.MANAGER

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save with `is_staff` aligned, also where `update_fields` names only its causes."""
        self.align()
        fields = kwargs.get("update_fields")
        if fields is not None and {"kind", "is_superuser"} & set(fields):
            kwargs["update_fields"] = {*fields, "is_staff"}
        super().save(*args, **kwargs)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Queries over personal tokens."""

    def usable(self, *, now: datetime | None = None) -> ApiTokenQuerySet:
        """Tokens neither revoked nor expired, of active users."""
        alive = models.Q(expires_at=None) | models.Q(expires_at__gt=now or timezone.now())
        return self.filter(alive, revoked_at=None, user__is_active=True)

    def of(self, token: str) -> ApiTokenQuerySet:
        """The row of a token given in clear, at most one."""
        return self.filter(digest=ApiToken.digest_of(token))


class ApiToken(models.Model):
    """A personal token for scripts. The token itself is shown once, when made; only its digest is kept."""

    PREFIX: ClassVar[str] = "oli_"

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens", verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("begins with"), max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    read_only = models.BooleanField(_("read only"), default=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"

    @property
    def is_usable(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    @classmethod
    def digest_of(cls, token: str) -> str:
        """Return the digest kept for `token`. The token has 256 random bits, hence no slow hash is needed."""
        return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

    @classmethod
    def issue(
        cls, user: User, name: str, *, read_only: bool = False, expires_at: datetime | None = None
    ) -> tuple[ApiToken, str]:
        """Make and save a token; return its row and the token in clear, which nobody can read again."""
        clear = cls.PREFIX + secrets.token_urlsafe(32)
        row = cls(user=user, name=name, prefix=clear[:12], digest=cls.digest_of(clear), read_only=read_only)
        row.expires_at = expires_at
        row.save()
        return row, clear


def new_session_id() -> str:
    """Return a fresh identifier of a sign-in."""
    return uuid.uuid4().hex


class SignIn(models.Model):
    """One sign-in through the API: the family of JWTs that descend from it. Revoking it ends them all at once.

    `refresh_id` names the only refresh token still good; one used twice was stolen, and ends the sign-in.
    """

    id = models.CharField(primary_key=True, max_length=32, default=new_session_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins", verbose_name=_("user"))
    refresh_id = models.CharField(max_length=32)
    source = models.CharField(_("source"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"), db_index=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True)

    class Meta:
        verbose_name = _("API sign-in")
        verbose_name_plural = _("API sign-ins")

    def __str__(self) -> str:
        return f"{self.user} {self.created_at:%Y-%m-%d %H:%M}"


class Entry(models.Model):
    """One line of the journal: who did what to which path, when, from where. Written by `accounts.journal` only."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    actor = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("account"), db_constraint=True
    )
    actor_name = models.CharField(_("who"), max_length=150, blank=True)
    verb = models.CharField(_("what"), max_length=64, db_index=True)
    path = models.CharField(_("path"), max_length=PATH_LENGTH, blank=True, db_index=True)
    #: A plain number: accounts know no nodes, and the journal outlives them.
    node_id = models.BigIntegerField(_("node"), null=True, blank=True, db_index=True)
    operation_id = models.UUIDField(_("operation"), null=True, blank=True)
    source = models.CharField(_("from"), max_length=64, blank=True)
    via = models.CharField(_("through"), max_length=16, blank=True)
    data = models.JSONField(_("data"), default=dict, blank=True, encoder=DjangoJSONEncoder)

    class Meta:
        verbose_name = _("journal entry")
        verbose_name_plural = _("journal")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_name} {self.verb} {self.path}".strip()


class IdempotencyKey(models.Model):
    """What was answered to a POST that carried an Idempotency-Key. `status` 0 means that it is still running."""

    RUNNING: ClassVar[int] = 0

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=2000)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=RUNNING)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once_per_user")]

    def __str__(self) -> str:
        return f"{self.user_id}:{self.key}"
