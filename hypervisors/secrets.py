"""Secrets at rest: encrypted with the first key of `OLIMPUS_SECRET_KEYS`, readable with any of them.

To rotate: put a new key first, restart, run `manage.py rotate_secrets`, then drop the old key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.translation import gettext as _

from olimpus.errors import HypervisorError


def encrypt(values: Mapping[str, Any]) -> str:
    """The values as text that only a key reads; "" for none."""
    return _box().encrypt(json.dumps(dict(values)).encode()).decode() if values else ""


def decrypt(text: str, *, where: str = "") -> dict[str, Any]:
    """What `encrypt` was given. `HypervisorError` with what to do when no key fits."""
    if not text:
        return {}
    try:
        return json.loads(_box().decrypt(text.encode()))
    except InvalidToken:
        raise HypervisorError(
            _("The secrets cannot be decrypted with any of our keys."),
            where=where,
            hint=_("Put the key that encrypted them into OLIMPUS_SECRET_KEYS, or enter the secrets again."),
        ) from None


def rotate(text: str, *, where: str = "") -> str:
    """The same secrets, encrypted with the first key. May be repeated."""
    return encrypt(decrypt(text, where=where))


def _box() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in settings.OLIMPUS_SECRET_KEYS])
    except (ValueError, TypeError):  # no key, or not 32 bytes in urlsafe base64; the message must not repeat it
        raise HypervisorError(
            _("OLIMPUS_SECRET_KEYS holds no valid key."),
            where="OLIMPUS_SECRET_KEYS",
            hint=_("Each key is 32 random bytes in URL-safe base64; manage.py setup makes one."),
        ) from None
