"""The slices app: topologies of machines."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SlicesConfig(AppConfig):
    """Topologies of machines."""

    name = "slices"
    verbose_name = _("Slices")
