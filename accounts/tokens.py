"""JSON web tokens of the API: short access tokens and refresh tokens that work once, tied together by a sign-in.

Revoking the sign-in (logout), closing the account or changing the password ends all of them at once.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, Token
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts import journal
from accounts.models import SignIn, User

#: Claim that names the sign-in a token belongs to.
SIGN_IN = "sid"


class RefreshToken(Token):
    """Buys one new pair of tokens. Not the library's own: that one keeps every token in clear in the database."""

    token_type = "refresh"  # noqa: S105 - a kind, not a secret
    lifetime = api_settings.REFRESH_TOKEN_LIFETIME


@dataclass(frozen=True, slots=True)
class Pair:
    """What a client gets: two tokens in clear, and for how many seconds the access token is good."""

    user: User
    access: str
    refresh: str
    expires_in: int


def sign_in(user: User) -> Pair:
    """Begin a sign-in of `user` and return its first pair of tokens. Expired sign-ins are cleaned away."""
    now = timezone.now()
    SignIn.objects.filter(expires_at__lt=now).delete()
    row = SignIn(user=user, refresh_id=uuid.uuid4().hex, source=journal.current().source)
    row.expires_at = now + RefreshToken.lifetime
    row.save(force_insert=True)
    return _pair(row)


def refresh(text: str) -> Pair:
    """Exchange a refresh token for a new pair. Raises TokenError when it is forged, expired, revoked or used before.

    A token used twice has been copied by somebody: the whole sign-in ends.
    """
    token = RefreshToken(text)
    row = _row_of(token)
    replacement = uuid.uuid4().hex
    mine = SignIn.objects.filter(pk=row.pk, refresh_id=token["jti"], revoked_at=None)
    if not mine.update(refresh_id=replacement, expires_at=timezone.now() + RefreshToken.lifetime):
        revoke(row.pk)
        raise TokenError(_("This token has been used before; sign in again."))
    row.refresh_id = replacement
    return _pair(row)


def verify(text: bytes | str) -> tuple[User, AccessToken]:
    """Return the user of an access token and the token. One query. Raises TokenError when it is no good."""
    token = AccessToken(text)
    return _row_of(token).user, token


def revoke(sign_in_id: str) -> None:
    """End a sign-in. May be repeated."""
    SignIn.objects.filter(pk=sign_in_id, revoked_at=None).update(revoked_at=timezone.now())


def revoke_all(user: User) -> None:
    """End every sign-in of a user."""
    SignIn.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())


def sign_in_of(refresh_text: str) -> SignIn:
    """Return the sign-in of a refresh token. Raises TokenError when it is no good."""
    return _row_of(RefreshToken(refresh_text))


def _row_of(token: Token) -> SignIn:
    """The living sign-in of a token whose signature and dates are good."""
    row = SignIn.objects.select_related("user").filter(pk=str(token.get(SIGN_IN, "")), revoked_at=None).first()
    if row is None:
        raise TokenError(_("This token has been revoked."))
    if not row.user.is_active:
        raise TokenError(_("This account is closed."))
    if token.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(row.user.password):
        raise TokenError(_("The password has been changed; sign in again."))
    return row


def _pair(row: SignIn) -> Pair:
    access, renewal = AccessToken.for_user(row.user), RefreshToken.for_user(row.user)
    access[SIGN_IN] = renewal[SIGN_IN] = row.pk
    renewal["jti"] = row.refresh_id
    return Pair(row.user, str(access), str(renewal), int(AccessToken.lifetime.total_seconds()))
