"""The accounts app."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from olimpus import words


class AccountsConfig(AppConfig):
    """People, tokens and the journal."""

    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        """Connect the receivers, and give the modules without Django their translations."""
        words.use(gettext)
        import_module("accounts.signals")
