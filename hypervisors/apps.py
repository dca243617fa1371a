"""The hypervisors app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HypervisorsConfig(AppConfig):
    """Hypervisor records, their secrets, and the only way to their drivers."""

    name = "hypervisors"
    verbose_name = _("Hypervisors")
