"""What slices keep beside the tree: drafts that somebody draws, plans that were shown, deployments that were asked for.

What is deployed stands in the tree: a slice is a folder whose own definition has the parameter `slice`.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from descriptors.models import Folder
from hypervisors.models import Hypervisor


class Draft(models.Model):
    """What a slice shall become, as the editor keeps it: nothing in the tree changes until it is deployed."""

    folder = models.OneToOneField(
        Folder, models.CASCADE, primary_key=True, related_name="draft", verbose_name=_("folder")
    )
    #: None: there is nothing to deploy; the row keeps its version, so that nobody saves over what he has not seen.
    document = models.JSONField(_("document"), null=True, blank=True)
    #: Goes up by one whenever the document changes, or is deployed.
    version = models.PositiveIntegerField(_("version"), default=1)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("who")
    )
    saved_at = models.DateTimeField(_("saved at"), default=timezone.now)

    class Meta:
        verbose_name = _("draft of a slice")
        verbose_name_plural = _("drafts of slices")

    def __str__(self) -> str:
        return f"{self.folder_id}: {self.version}"


class Visit(models.Model):
    """A window in which somebody has the drawing of a slice open. It counts until `valid_until`: its process renews it."""

    folder = models.ForeignKey(Folder, models.CASCADE, related_name="visits", verbose_name=_("folder"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("who"))
    valid_until = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("open drawing")
        verbose_name_plural = _("open drawings")

    def __str__(self) -> str:
        return f"{self.user_id} {self.folder_id}"


class Plan(models.Model):
    """A plan as it was shown. It is called by its digest, and deployed as long as its `basis` is what there is."""

    folder = models.ForeignKey(Folder, models.CASCADE, related_name="plans", verbose_name=_("folder"))
    digest = models.CharField(_("digest"), max_length=64)
    #: The digest of the tree and of the document that it was made of.
    basis = models.CharField(max_length=64)
    document = models.JSONField(_("document"))
    #: What was answered.
    shown = models.JSONField(_("plan shown"))
    #: Node → parameters that the plan chose for it.
    choices = models.JSONField(default=dict)
    shown_at = models.DateTimeField(_("shown at"), default=timezone.now)

    class Meta:
        verbose_name = _("plan of a slice")
        verbose_name_plural = _("plans of slices")
        constraints = [models.UniqueConstraint(fields=["folder", "digest"], name="unique_plan_of_slice")]

    def __str__(self) -> str:
        return f"{self.folder_id}: {self.digest[:12]}"


class Kind(models.TextChoices):
    """What was asked for."""

    DEPLOY = "deploy", _("deploy")
    RESUME = "resume", _("resume")
    UNDO = "undo", _("undo")
    TEARDOWN = "teardown", _("tear down")


class Deployment(models.Model):
    """A change of a slice that somebody asked for. How it goes is told by its machines and by its operations."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    folder = models.ForeignKey(Folder, models.CASCADE, related_name="deployments", verbose_name=_("folder"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("who")
    )
    kind = models.CharField(_("what"), max_length=10, choices=Kind.choices)
    plan = models.JSONField(_("plan shown"), null=True, blank=True)
    #: The uids of the machines that it made.
    made = models.JSONField(default=list)
    #: The definitions that it replaced: {"folder": …, "machines": {name: …}}.
    before = models.JSONField(default=dict)
    #: The ids of the operations that it asked for.
    operations = models.JSONField(_("operations"), default=list)
    undone = models.BooleanField(_("undone"), default=False)
    created_at = models.DateTimeField(_("asked for at"), default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("deployment of a slice")
        verbose_name_plural = _("deployments of slices")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.folder_id}"


class NameMapping(models.Model):
    """What somebody said that a foreign image or flavor is on a hypervisor, for the next file that names it."""

    hypervisor = models.ForeignKey(Hypervisor, models.CASCADE, related_name="mappings", verbose_name=_("hypervisor"))
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("who"))
    kind = models.CharField(_("what"), max_length=10, choices=[("images", _("images")), ("flavors", _("flavors"))])
    foreign = models.CharField(_("foreign name"), max_length=255)
    ours = models.CharField(_("our name"), max_length=255, blank=True)
    saved_at = models.DateTimeField(_("saved at"), default=timezone.now)

    class Meta:
        verbose_name = _("mapping of names")
        verbose_name_plural = _("mappings of names")
        constraints = [
            models.UniqueConstraint(fields=["hypervisor", "author", "kind", "foreign"], name="unique_mapping_of_name")
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.foreign} = {self.ours}"
