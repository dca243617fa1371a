"""The record of a hypervisor: how to reach it and how it was when last seen. Its VMs are not here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings as project
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hypervisors import secrets
from hypervisors.registry import clean_settings
from olimpus.errors import HypervisorError

NAME_LENGTH = 64
#: A kind of inventory, with the project that it is of.
KIND_LENGTH = 160
name_validator = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    _("Letters without accents, digits, “.”, “-” and “_”; the first is a letter or a digit."),
)


class Health(models.TextChoices):
    """How the last contact went."""

    UNKNOWN = "unknown", _("unknown")  # never tried
    OK = "ok", _("ok")
    UNREACHABLE = "unreachable", _("unreachable")  # no answer: nothing is known about its VMs
    ERROR = "error", _("error")  # it answered and refused: credentials, version…


class Hypervisor(models.Model):
    """A place where VMs live. Written by `hypervisors.actions`; health by `hypervisors.health`.

    Name and driver are for ever: definitions name the hypervisor, and VMs exist on it under that name.
    """

    name = models.CharField(_("name"), max_length=NAME_LENGTH, unique=True, validators=[name_validator])
    driver = models.CharField(_("driver"), max_length=32)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    #: What it calls the images, flavors and networks of definitions; see `hypervisors.aliases`.
    aliases = models.JSONField(_("aliases"), default=dict, blank=True)
    secrets = models.TextField(_("secrets"), default="", blank=True, editable=False)
    description = models.TextField(_("description"), default="", blank=True, max_length=2000)
    concurrency = models.PositiveIntegerField(
        _("concurrency"),
        default=64,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("Calls at once to this hypervisor from one worker."),
    )
    queue = models.CharField(
        _("queue"),
        max_length=NAME_LENGTH,
        default="olimpus",
        validators=[name_validator],
        help_text=_("Queue of the workers that reach this hypervisor."),
    )

    maintenance = models.BooleanField(_("maintenance"), default=False, help_text=_("Refuses new work."))
    maintenance_reason = models.CharField(_("reason of the maintenance"), max_length=200, default="", blank=True)

    health = models.CharField(_("health"), max_length=16, choices=Health.choices, default=Health.UNKNOWN)
    health_detail = models.CharField(_("detail"), max_length=500, default="", blank=True)
    health_at = models.DateTimeField(_("healthy or not since"), null=True, blank=True)
    last_ok_at = models.DateTimeField(_("last answer"), null=True, blank=True)
    capacity = models.JSONField(_("capacity"), default=dict, blank=True)

    reconcile_interval = models.PositiveIntegerField(
        _("reconcile every (seconds)"),
        default=60,
        validators=[MinValueValidator(5), MaxValueValidator(86_400)],
    )
    next_reconcile_at = models.DateTimeField(_("next reconcile"), null=True, blank=True, db_index=True)

    managers = models.ManyToManyField(
        project.AUTH_USER_MODEL, verbose_name=_("managers"), blank=True, related_name="managed_hypervisors"
    )
    manager_groups = models.ManyToManyField(
        "auth.Group", verbose_name=_("groups of managers"), blank=True, related_name="managed_hypervisors"
    )

    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("hypervisor")
        verbose_name_plural = _("hypervisors")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def managed_by(self, user: Any) -> bool:
        """Whether this active user is in charge here: a superuser, one of the managers, or in one of their groups."""
        if not user.is_active or user.pk is None:
            return False
        if user.is_superuser:
            return True
        named = models.Q(managers=user) | models.Q(manager_groups__user=user)
        return type(self).objects.filter(named, pk=self.pk).exists()

    def closed_because(self) -> str:
        """Why it takes no new work now, in words; "" while it does."""
        return gettext("%(hypervisor)s is in maintenance.") % {"hypervisor": self.name} if self.maintenance else ""

    def set_settings(self, data: Mapping[str, Any], *, forget: Collection[str] = ()) -> None:
        """Take settings as the driver declares them; empty secrets keep their old value, unless they are in `forget`.

        `Invalid`; saves nothing. Secrets that no key reads any more count as absent, so that they can be entered again.
        """
        kept = {name: value for name, value in self._readable_secrets().items() if name not in forget}
        public, secret = clean_settings(self.driver, data, kept=kept)
        self.settings = public
        if secret or forget:
            self.secrets = secrets.encrypt(kept | secret)

    def clear_settings(self) -> dict[str, Any]:
        """All settings with the secrets in clear: for the gateway only."""
        return self.settings | self.clear_secrets()

    def clear_secrets(self) -> dict[str, Any]:
        """The secrets in clear; `HypervisorError` when no key fits."""
        return secrets.decrypt(self.secrets, where=self.name)

    def secrets_set(self) -> list[str]:
        """Names of the secrets that have a value that we can read."""
        return sorted(self._readable_secrets())

    def _readable_secrets(self) -> dict[str, Any]:
        try:
            return self.clear_secrets()
        except HypervisorError:
            return {}


class Inventory(models.Model):
    """What a cloud last said that it has, of one kind. Written by `hypervisors.inventory`."""

    hypervisor = models.ForeignKey(Hypervisor, models.CASCADE, related_name="inventories", verbose_name=_("hypervisor"))
    kind = models.CharField(_("kind"), max_length=KIND_LENGTH)
    data = models.JSONField(_("data"))
    fetched_at = models.DateTimeField(_("asked"), help_text=_("When the call began."))
    #: What was fetched before is out of date: somebody wrote.
    stale_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("inventory")
        verbose_name_plural = _("inventories")
        ordering = ["hypervisor", "kind"]
        constraints = [models.UniqueConstraint(fields=["hypervisor", "kind"], name="one_inventory_of_a_kind")]

    def __str__(self) -> str:
        return f"{self.hypervisor}: {self.kind}"


class Claim(models.Model):
    """Room on a host that is promised to one machine, from before it is made until it is gone.

    Written by `hypervisors.claims`, for hypervisors whose hosts Olimpus chooses among.
    """

    hypervisor = models.ForeignKey(Hypervisor, models.CASCADE, related_name="claims", verbose_name=_("hypervisor"))
    uid = models.UUIDField(_("machine"))
    host = models.CharField(_("Host"), max_length=255)
    cpus = models.PositiveIntegerField(_("CPUs"))
    memory_mib = models.PositiveIntegerField(_("memory (MiB)"))
    disk_gib = models.FloatField(_("disk (GiB)"))
    #: Why there: a code of `hypervisors.placement` with its parameters.
    reason = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("claim")
        verbose_name_plural = _("claims")
        ordering = ["hypervisor", "host", "created_at"]
        constraints = [models.UniqueConstraint(fields=["hypervisor", "uid"], name="one_claim_of_a_machine")]
        indexes = [models.Index(fields=["hypervisor", "host"], name="claim_host")]

    def __str__(self) -> str:
        return f"{self.uid} @ {self.host}"
