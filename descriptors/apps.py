"""The descriptors app: the tree and its machines."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DescriptorsConfig(AppConfig):
    """The tree and its machines."""

    name = "descriptors"
    verbose_name = _("Machines")

    def ready(self) -> None:
        """Connect to the apps below."""
        import_module("descriptors.wiring").connect(self)
