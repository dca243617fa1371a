"""The tree (nodes, folders, descriptors), the operations on it, and what reconcile saw on the hypervisors.

Three facts about a VM have three writers: `Descriptor.state` (the transitions below), the open `Operation` (jobs) and
`Descriptor.observed` (reconcile only). The shape of the tree is written in `descriptors/tree.py` only.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import RETURN_VALUE, FSMField, transition
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase
from mptt.models import MPTTModel, TreeForeignKey

from descriptors.fields import ExactCharField
from descriptors.spelling import NAME_LENGTH
from descriptors.states import CHOICES, State
from hypervisors.models import Health, Hypervisor

#: MariaDB bounds a unique utf8mb4 index to 3,072 bytes, hence 768 characters of path.
PATH_LENGTH = 768
#: The states with their labels in the reader's language.
STATES = [(value, _(label)) for value, label in CHOICES]


class Kind(models.TextChoices):
    """What a node is."""

    FOLDER = "folder", _("folder")
    DESCRIPTOR = "descriptor", _("machine")


class Node(MPTTModel):
    """A place in the tree: one path, one local definition, one target of grants. The root is the folder `/`."""

    parent = TreeForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = ExactCharField(_("name"), max_length=NAME_LENGTH)
    path = ExactCharField(_("path"), max_length=PATH_LENGTH, unique=True)
    definition = models.JSONField(_("definition"), default=dict, blank=True)
    #: The local definition holds `rights`: lists find such folders without reading definitions.
    has_rights = models.BooleanField(default=False, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        constraints = [models.UniqueConstraint(fields=["parent", "name"], name="unique_name_among_siblings")]
        indexes = [
            models.Index(fields=["has_rights"], name="node_has_rights"),
            models.Index(fields=["name"], name="node_name"),
            models.Index(fields=["parent", "-kind", "name"], name="node_folders_first"),
        ]
        permissions = [("as_manager", "Manager of this branch"), ("as_user", "Simple user of this branch")]

    def __str__(self) -> str:
        return self.path

    @property
    def is_folder(self) -> bool:
        """Whether other nodes may live below."""
        return self.kind == Kind.FOLDER


class NodeUserObjectPermission(UserObjectPermissionBase):
    """A grant of a role on a branch to one user."""

    content_object = models.ForeignKey(Node, models.CASCADE)

    class Meta(UserObjectPermissionBase.Meta):
        indexes = [models.Index(fields=["user", "content_object"], name="grant_of_user")]


class NodeGroupObjectPermission(GroupObjectPermissionBase):
    """A grant of a role on a branch to every member of a group."""

    content_object = models.ForeignKey(Node, models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        indexes = [models.Index(fields=["group", "content_object"], name="grant_of_group")]


class Folder(Node):
    """Holds other nodes. Its own definition, addressed as `<folder>/common`, is inherited by everything below."""

    #: False: grants given above stop here (superusers excepted).
    inherit_grants = models.BooleanField(_("inherits grants"), default=True)

    class Meta:
        verbose_name = _("folder")
        verbose_name_plural = _("folders")
        indexes = [models.Index(fields=["inherit_grants"], name="folder_inherit_grants")]


class Descriptor(Node):
    """A VM as a "file": its definition, where it lives, and its life cycle.

    Transition methods touch the row in memory only; `descriptors.actions` and `descriptors.tasks` save.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = FSMField(_("state"), default=State.PROVISIONED.value, choices=STATES, db_index=True, protected=False)
    state_since = models.DateTimeField(default=timezone.now, editable=False)
    #: One line about the last failure; empty unless failed.
    reason = models.CharField(max_length=500, blank=True, editable=False)
    hypervisor = models.ForeignKey(
        Hypervisor, models.PROTECT, null=True, blank=True, editable=False, related_name="descriptors"
    )
    vm_ref = models.CharField(max_length=255, blank=True, editable=False)
    #: The computed definition last written to the hypervisor; "pending changes" is a comparison with it.
    applied = models.JSONField(null=True, blank=True, editable=False)
    #: When a verb last ended here: what was observed before that says nothing about now.
    settled_at = models.DateTimeField(null=True, blank=True, editable=False)
    observed = models.JSONField(null=True, blank=True, editable=False)
    observed_at = models.DateTimeField(null=True, blank=True, editable=False)
    drifted = models.BooleanField(default=False, editable=False, db_index=True)
    #: The part of the hypervisor that it is on did not answer when last asked: nothing is known about it now.
    unheard = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("machine")
        verbose_name_plural = _("machines")
        indexes = [models.Index(fields=["hypervisor", "vm_ref"], name="descriptor_vm")]

    @property
    def host(self) -> str:
        """The host of its hypervisor that it was last seen on; "" where there is no such thing."""
        return (self.observed or {}).get("host") or ""

    @property
    def silent(self) -> str:
        """What does not answer, so that its state is unknown: its host or its hypervisor; "" while both do."""
        if self.hypervisor is None or self.state == State.PROVISIONED:
            return ""
        if self.hypervisor.health == Health.UNREACHABLE:
            return self.hypervisor.name
        return (self.host or self.hypervisor.name) if self.unheard else ""

    # -- definition only: nothing on any hypervisor ------------------------------------------------------------
    @transition(state, source=State.PROVISIONED)
    def begin_create(self) -> None:
        """A defined VM may be instantiated."""

    @transition(state, source=State.PROVISIONED, target=RETURN_VALUE(State.CREATED, State.RUNNING))
    def finish_create(self, landed: State = State.CREATED) -> State:
        """It exists now: powered off, or on where the hypervisor boots what it builds."""
        return landed

    @transition(state, source=State.PROVISIONED, target=RETURN_VALUE(State.STOPPED, State.RUNNING, State.PAUSED))
    def adopt(self, landed: State) -> State:
        """A VM found on a hypervisor becomes ours in the state in which it was found."""
        return landed

    # -- power -------------------------------------------------------------------------------------------------
    @transition(state, source=[State.CREATED, State.STOPPED], target=State.STARTING)
    def begin_start(self) -> None:
        """Whatever is off may be switched on."""

    @transition(state, source=State.STARTING, target=State.RUNNING)
    def finish_start(self) -> None:
        """The hypervisor reports it on."""

    @transition(state, source=State.RUNNING, target=State.STOPPING)
    def begin_stop(self) -> None:
        """A running guest may be asked to shut down."""

    @transition(state, source=[State.RUNNING, State.PAUSED], target=State.STOPPING)
    def begin_force_off(self) -> None:
        """The power may be cut whenever it is on, paused guests included."""

    @transition(state, source=State.STOPPING, target=State.STOPPED)
    def finish_stop(self) -> None:
        """The hypervisor reports it off."""

    @transition(state, source=State.RUNNING, target=State.STARTING)
    def begin_restart(self) -> None:
        """A restart is a stop and a start that nobody can come between."""

    @transition(state, source=State.RUNNING)
    def begin_pause(self) -> None:
        """Only a running guest can be suspended."""

    @transition(state, source=State.RUNNING, target=State.PAUSED)
    def finish_pause(self) -> None:
        """Suspended, its memory kept."""

    @transition(state, source=State.PAUSED)
    def begin_resume(self) -> None:
        """Only a paused guest can go on."""

    @transition(state, source=State.PAUSED, target=State.RUNNING)
    def finish_resume(self) -> None:
        """It goes on where it was."""

    # -- standing machines -------------------------------------------------------------------------------------
    @transition(state, source=[State.CREATED, State.STOPPED, State.RUNNING, State.PAUSED])
    def begin_snapshot(self) -> None:
        """Disks can be frozen whenever the VM exists and is at rest."""

    @transition(state, source=[State.CREATED, State.STOPPED])
    def begin_offline(self) -> None:
        """What hypervisors allow on a stopped machine only: revert, rewrite of run parameters."""

    @transition(state, source="*")
    def finish_unchanged(self) -> None:
        """The verb is done and the life cycle did not move."""

    @transition(state, source=[State.CREATED, State.STOPPED, State.FAILED])
    def begin_destroy(self) -> None:
        """A VM is destroyed when it is off or broken, never under somebody's hands."""

    @transition(state, source=[State.CREATED, State.STOPPED, State.FAILED, State.RUNNING, State.PAUSED])
    def begin_destroy_by_force(self) -> None:
        """… unless whoever may cut its power says so."""

    @transition(
        state,
        source=[State.CREATED, State.STOPPED, State.FAILED, State.RUNNING, State.PAUSED],
        target=State.PROVISIONED,
    )
    def finish_destroy(self) -> None:
        """Back to a definition."""

    # -- trouble -----------------------------------------------------------------------------------------------
    @transition(state, source="*", target=State.FAILED)
    def fail(self) -> None:
        """Any state may fail."""

    @transition(state, source=State.FAILED)
    def begin_recover(self) -> None:
        """After a failure the hypervisor is asked what is really there."""

    @transition(
        state,
        source=[State.CREATED, State.STOPPED, State.FAILED, State.RUNNING, State.PAUSED],
        target=State.STARTING,
    )
    def begin_recover_by_force(self) -> None:
        """… or another one is made in the place of whatever is there."""

    @transition(
        state, source=State.FAILED, target=RETURN_VALUE(State.PROVISIONED, State.STOPPED, State.RUNNING, State.PAUSED)
    )
    def finish_recover(self, landed: State) -> State:
        """It lands in what the hypervisor said."""
        return landed

    @transition(
        state,
        source=[State.STARTING, State.STOPPING],
        target=RETURN_VALUE(State.CREATED, State.STOPPED, State.RUNNING, State.PAUSED),
    )
    def abandon(self, previous: State) -> State:
        """A cancelled operation that never reached the hypervisor leaves things as they were."""
        return previous


class Nic(models.Model):
    """A network card's identity: its MAC and address are given once and stay with the descriptor."""

    descriptor = models.ForeignKey(Descriptor, models.CASCADE, related_name="cards")
    position = models.PositiveSmallIntegerField()
    network = models.CharField(max_length=128, blank=True)
    #: Where addresses must not repeat: the folder that defines the network, or the hypervisor that offers it.
    scope = ExactCharField(max_length=640, blank=True)
    mac = models.CharField(max_length=17, unique=True)
    ip = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        verbose_name = _("network card")
        verbose_name_plural = _("network cards")
        constraints = [
            models.UniqueConstraint(fields=["descriptor", "position"], name="unique_card_position"),
            models.UniqueConstraint(fields=["scope", "ip"], name="unique_address_in_network"),
        ]

    def __str__(self) -> str:
        return f"{self.mac} {self.ip or ''}".strip()


class Status(models.TextChoices):
    """Where an operation is."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    PARTIAL = "partial", _("partly succeeded")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


OPEN = (Status.QUEUED, Status.RUNNING)


class Operation(models.Model):
    """A long action. It lives here; the queue only carries its id.

    A verb on one VM is one operation. A verb on a folder is a parent (`total` > 0, no `open_for`) with one child per VM.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    node = models.ForeignKey(Node, models.SET_NULL, null=True, blank=True, related_name="operations")
    path = ExactCharField(_("path"), max_length=PATH_LENGTH)
    verb = models.CharField(_("verb"), max_length=32)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="operations",
        verbose_name=_("who"),
    )
    arguments = models.JSONField(default=dict, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    #: The lock: a descriptor has at most one open operation, by this unique column.
    open_for = models.OneToOneField(
        Descriptor, models.SET_NULL, null=True, blank=True, related_name="open_operation", editable=False
    )
    from_state = models.CharField(max_length=12, blank=True)
    hypervisor = models.ForeignKey(
        Hypervisor, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("hypervisor")
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    #: A queued operation is (re-)sent to the workers when this time has passed.
    wake_at = models.DateTimeField(default=timezone.now)
    deadline = models.DateTimeField(null=True, blank=True)
    #: Who works on it, and until when we believe that; a worker renews it while it lives.
    worker = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)
    error = models.JSONField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(_("asked for at"), default=timezone.now, db_index=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["status", "wake_at"], name="operation_wake"),
            models.Index(fields=["status", "lease_until"], name="operation_lease"),
            models.Index(fields=["parent", "status"], name="operation_family"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"

    @property
    def is_open(self) -> bool:
        """Whether it still has something to do."""
        return self.status in OPEN


class Unowned(models.Model):
    """A VM that a hypervisor has and no descriptor owns, as reconcile last saw it."""

    hypervisor = models.ForeignKey(Hypervisor, models.CASCADE, related_name="unowned", verbose_name=_("hypervisor"))
    ref = models.CharField(_("reference there"), max_length=255)
    name = models.CharField(_("name"), max_length=255, blank=True)
    info = models.JSONField(default=dict)
    seen_at = models.DateTimeField(_("last seen"), default=timezone.now)

    class Meta:
        verbose_name = _("unowned machine")
        verbose_name_plural = _("unowned machines")
        constraints = [models.UniqueConstraint(fields=["hypervisor", "ref"], name="unique_unowned_vm")]

    def __str__(self) -> str:
        return f"{self.hypervisor_id}:{self.ref} {self.name}"


class ConsoleSession(models.Model):
    """One viewer of a machine's console: first a ticket, then an open socket. The row goes when the socket closes.

    It counts until `valid_until`: a ticket soon runs out, an open socket's process renews it while it lives.
    """

    #: The digest of the ticket; "" once it was used. What opens the console is not kept.
    ticket = models.CharField(max_length=64, blank=True, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("who"))
    node = models.ForeignKey(Descriptor, models.CASCADE, related_name="consoles")
    kind = models.CharField(max_length=16)
    watch_only = models.BooleanField(default=False)
    #: Through which door and from where it was asked for, for the journal.
    via = models.CharField(max_length=16, blank=True)
    source = models.CharField(max_length=64, blank=True)
    valid_until = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("open console")
        verbose_name_plural = _("open consoles")

    def __str__(self) -> str:
        return f"{self.user_id} {self.kind} {self.node_id}"

    @property
    def mode(self) -> str:
        """`watch` or `drive`."""
        return "watch" if self.watch_only else "drive"
