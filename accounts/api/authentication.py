"""The ways into the API: personal tokens, JWT, Basic. (Sessions: DRF's own.)

Each answers once per request: the idempotency middleware asks before the view does, and a wrong password must not count
twice.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth import authenticate
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.authentication import BasicAuthentication as DRFBasicAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts import lockout, tokens
from accounts.models import ApiToken, User

REALM = 'Bearer realm="api"'
#: `last_used_at` of a token is written at most this often.
USED_EVERY = timedelta(minutes=1)


class LockedOut(exceptions.APIException):
    """Too many failures; `wait` says for how many seconds."""

    status_code = 429
    default_code = "locked_out"

    def __init__(self, wait: int):
        super().__init__(lockout.message(wait))
        self.wait = wait


class Once(BaseAuthentication):
    """Remember the outcome on the request, whoever asks."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        """Return (user, proof), None when this way was not tried; raises AuthenticationFailed, PermissionDenied."""
        memory = request._request.__dict__.setdefault("_authenticated_by", {})
        if type(self) not in memory:
            memory[type(self)] = self._outcome(request)
        outcome = memory[type(self)]
        if isinstance(outcome, exceptions.APIException):
            raise outcome
        return outcome

    def _outcome(self, request: Request) -> Any:
        try:
            return self.check(request)
        except exceptions.APIException as error:
            return error

    def check(self, request: Request) -> tuple[User, Any] | None:
        """Do the work of `authenticate`."""
        raise exceptions.AuthenticationFailed()

    def authenticate_header(self, request: Request) -> str:
        """What WWW-Authenticate says on a 401."""
        return REALM


def credentials_of(request: Request) -> tuple[str, str]:
    """Return scheme (lower case) and credentials of the Authorization header, both empty without one."""
    scheme, _space, rest = get_authorization_header(request).decode("latin-1").strip().partition(" ")
    return scheme.lower(), rest.strip()


class ApiTokenAuthentication(Once):
    """`Authorization: Bearer oli_…` or `Token oli_…`. Read-only tokens may only look."""

    def check(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, clear = credentials_of(request)
        if scheme != "token" and not (scheme == "bearer" and clear.startswith(ApiToken.PREFIX)):
            return None
        token = ApiToken.objects.of(clear).usable().select_related("user").first()
        if token is None:
            raise exceptions.AuthenticationFailed(_("This token is unknown, expired or revoked."))
        if token.read_only and request.method not in SAFE_METHODS:
            raise exceptions.PermissionDenied(_("This token may only read."))
        note_use(token)
        return token.user, token


def note_use(token: ApiToken) -> None:
    """Note that the token was used now; written at most once a minute."""
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - USED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


class JWTAuthentication(Once):
    """`Authorization: Bearer <access token>` from `auth/login` or `auth/token`."""

    def check(self, request: Request) -> tuple[User, Any] | None:
        scheme, text = credentials_of(request)
        if scheme != "bearer" or text.startswith(ApiToken.PREFIX):
            return None
        try:
            return tokens.verify(text)
        except TokenError as error:
            raise exceptions.AuthenticationFailed(error.args[0]) from error


class PasswordMemory:
    """Passwords found right a moment ago, so that scripts with Basic do not pay a slow hash per request.

    Kept per process for `seconds`, as HMAC under a random key of user, password and the stored hash: a changed password
    is unknown at once, and nothing readable is kept.
    """

    def __init__(self, seconds: float = 60, size: int = 10_000):
        self.seconds, self.size = seconds, size
        self._key = secrets.token_bytes(32)
        self._until: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def knows(self, user: User, password: str) -> bool:
        """Tell whether this password was right less than `seconds` ago."""
        return self._until.get(self._mark(user, password), 0) > time.monotonic()

    def remember(self, user: User, password: str) -> None:
        """Keep a password that was just found right."""
        with self._lock:
            if len(self._until) >= self.size:
                self._until.clear()
            self._until[self._mark(user, password)] = time.monotonic() + self.seconds

    def _mark(self, user: User, password: str) -> bytes:
        text = "\0".join([str(user.pk), user.password, password])
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


class BasicAuthentication(Once, DRFBasicAuthentication):
    """HTTP Basic, under the same lockout as the sign-in page."""

    memory: ClassVar[PasswordMemory] = PasswordMemory()

    def check(self, request: Request) -> tuple[User, None] | None:
        return DRFBasicAuthentication.authenticate(self, request)

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> tuple[User, None]:
        """Check a name and a password. Raises AuthenticationFailed or LockedOut."""
        return check_password(request._request, userid, password, memory=self.memory), None


def check_password(request: HttpRequest, username: str, password: str, *, memory: PasswordMemory | None = None) -> User:
    """Return the active user of these credentials; a failure counts towards the lockout.

    Raises LockedOut, or AuthenticationFailed with one answer for unknown users and wrong passwords.
    """
    if not _storable(username) or len(password) > 4096:
        raise exceptions.AuthenticationFailed(_("Wrong user name or password."))
    if lockout.is_locked(request, username):
        raise LockedOut(lockout.seconds_left(request, username))
    user = User.objects.filter(username=username, is_active=True).first() if memory else None
    if memory and user and memory.knows(user, password):
        return user
    user = authenticate(request=request, username=username, password=password)
    if user is None:
        raise exceptions.AuthenticationFailed(_("Wrong user name or password."))
    lockout.forgive(request, username)
    if memory:
        memory.remember(user, password)
    return user


def _storable(username: str) -> bool:
    """Names that no account can have need no query, and would break the count of failures."""
    return 0 < len(username) <= 150 and "\0" not in username and username.isprintable()
