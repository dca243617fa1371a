"""Bodies that the tree's API takes, and answers as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any, NoReturn

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.utils import html

from descriptors.api.parts import CardSerializer, DriftSerializer, WaySerializer
from descriptors.models import NAME_LENGTH, PATH_LENGTH, Kind, Status
from descriptors.permissions import ROLES
from descriptors.states import CHOICES
from descriptors.verbs import VERBS

Form = serializers.Serializer[Any]
BIGGEST = 2**63 - 1
ID = {"min_value": 1, "max_value": BIGGEST}


class PathField(serializers.CharField):
    """A path such as /courses/TEL141; `<folder>/common` addresses the folder."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=PATH_LENGTH + NAME_LENGTH, **kwargs)


class CommaList(serializers.ListField):
    """Repeated or separated by commas: `?state=running&state=paused`, `?state=running,paused`."""

    def to_internal_value(self, data: Any) -> list[Any]:
        """The single values."""
        parts = [part.strip() for text in data for part in str(text).split(",")]
        return super().to_internal_value([part for part in parts if part])


class StateChoice(serializers.ChoiceField):
    """A state; who gets it wrong reads which there are."""

    default_error_messages = {"invalid_choice": _("“{input}” is no state. There are: {states}.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=CHOICES, **kwargs)

    def fail(self, key: str, **told: Any) -> NoReturn:
        """Refuse, naming the states."""
        super().fail(key, states=", ".join(self.choices), **told)


# -- answers -----------------------------------------------------------------------------------------------------------


class OpenOperation(Form):
    """The operation that holds a machine."""

    id = serializers.UUIDField()
    verb = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)


class NodeSerializer(Form):
    """A folder or a machine. What only machines have is null for folders."""

    id = serializers.IntegerField()
    path = serializers.CharField()
    name = serializers.CharField(help_text="Empty for the root.")
    kind = serializers.ChoiceField(Kind.choices)
    parent = serializers.IntegerField(allow_null=True)
    version = serializers.IntegerField()
    state = serializers.ChoiceField(CHOICES, allow_null=True)
    state_since = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_null=True, help_text="Why it failed; empty otherwise.")
    hypervisor = serializers.CharField(allow_null=True, help_text="Where the VM is.")
    vm_ref = serializers.CharField(allow_null=True, help_text="The hypervisor's own id of the VM.")
    drifted = serializers.BooleanField(allow_null=True, help_text="The hypervisor differs from what was last applied.")
    unheard = serializers.BooleanField(
        allow_null=True,
        help_text="The part of the hypervisor that it is on does not answer: nothing is known of it now.",
    )
    host = serializers.CharField(allow_null=True, help_text="The host of the hypervisor that it was last seen on.")
    addresses = serializers.ListField(child=serializers.CharField(), help_text="Given and seen.")
    operation = OpenOperation(allow_null=True)


class NodeDetailSerializer(NodeSerializer):
    """A node alone: more than in lists."""

    pending = serializers.BooleanField(allow_null=True, help_text="The definition has changed since it was applied.")
    drift = DriftSerializer(many=True)
    cards = CardSerializer(many=True)
    ways = WaySerializer(many=True)
    observed_at = serializers.DateTimeField(allow_null=True)
    host_reason = serializers.CharField(allow_null=True, help_text="Why it was put on its host.")
    inherit_grants = serializers.BooleanField(allow_null=True, help_text="False: grants from above stop here.")
    counts = serializers.DictField(
        child=serializers.IntegerField(), allow_null=True, help_text="Folders: machines below, by state."
    )


class PendingChange(Form):
    """A parameter that the hypervisor has not been given yet."""

    applied = serializers.JSONField(allow_null=True)
    wanted = serializers.JSONField(allow_null=True)
    kind = serializers.ChoiceField(["creation", "run"])


class EffectRow(Form):
    """What happens to one machine."""

    path = serializers.CharField()
    state = serializers.ChoiceField(CHOICES)
    effect = serializers.CharField()
    parameters = serializers.ListField(child=serializers.CharField())


class Broken(Form):
    """A machine whose definition could no longer be computed."""

    where = serializers.CharField()
    message = serializers.CharField()


class EditPlanSerializer(Form):
    """What an edit does to the machines at and below a node."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Machines for each effect.")
    unchanged = serializers.IntegerField()
    machines = EffectRow(many=True, help_text="The first thousand.")
    broken = Broken(many=True)


class DefinitionSerializer(Form):
    """A definition: what the node itself says, and what results from the folders above."""

    path = serializers.CharField()
    kind = serializers.ChoiceField(Kind.choices)
    version = serializers.IntegerField()
    local = serializers.DictField()
    computed = serializers.DictField(allow_null=True, help_text="null when it cannot be computed: see `fault`.")
    origins = serializers.DictField(child=serializers.CharField(), help_text="Who set each value.")
    pending = serializers.DictField(child=PendingChange())
    fault = serializers.CharField(allow_blank=True)


class EditedSerializer(DefinitionSerializer):
    """A definition that was saved, and what that does."""

    plan = EditPlanSerializer()


class ApplyPlanSerializer(Form):
    """What applying a document does, or did."""

    dry_run = serializers.BooleanField()
    create = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    update = serializers.ListField(child=serializers.CharField())
    unchanged = serializers.IntegerField()
    effects = EditPlanSerializer()


class CountsSerializer(Form):
    """How the machines of a verb on a folder or selection fare."""

    total = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text="Could not take part: see `result`.")


class OperationSerializer(Form):
    """A long action. `counts` is null for a verb on one machine."""

    id = serializers.UUIDField()
    parent = serializers.UUIDField(allow_null=True)
    node = serializers.IntegerField(allow_null=True)
    path = serializers.CharField()
    verb = serializers.CharField()
    arguments = serializers.DictField()
    actor = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(Status.choices)
    hypervisor = serializers.CharField(allow_null=True)
    attempts = serializers.IntegerField()
    cancel_requested = serializers.BooleanField()
    error = serializers.DictField(allow_null=True)
    result = serializers.DictField(allow_null=True)
    counts = CountsSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    deadline = serializers.DateTimeField(allow_null=True)


class RoleGrantSerializer(Form):
    """A role given here or above. Either `user` or `group` is null."""

    id = serializers.CharField()
    role = serializers.ChoiceField(ROLES)
    user = serializers.CharField(allow_null=True)
    group = serializers.CharField(allow_null=True)
    granted_at = serializers.CharField(help_text="Path of the node that carries it.")
    inherited = serializers.BooleanField()


class RightSerializer(Form):
    """Whether somebody may do one operation here, and why."""

    operation = serializers.CharField()
    label = serializers.CharField()
    allowed = serializers.BooleanField()
    role = serializers.CharField(allow_blank=True)
    granted_at = serializers.CharField(allow_blank=True)
    set_at = serializers.CharField(allow_blank=True, help_text="Path whose `rights` say so; empty: the role's default.")


class OfferedVerb(Form):
    """A verb that this person may use on a machine."""

    verb = serializers.CharField()
    label = serializers.CharField()
    enabled = serializers.BooleanField()
    why = serializers.CharField(allow_blank=True, help_text="Why not now.")
    warns = serializers.CharField(allow_blank=True, help_text="What is lost.")
    arguments = serializers.ListField(child=serializers.CharField())
    tone = serializers.CharField()


class VerbSerializer(Form):
    """One row of the table of verbs."""

    name = serializers.CharField()
    label = serializers.CharField()
    permission = serializers.CharField()
    warns = serializers.CharField(allow_blank=True)
    arguments = serializers.ListField(child=serializers.CharField())
    options = serializers.ListField(child=serializers.CharField(), help_text="Switches that may be given.")
    states = serializers.ListField(child=serializers.ChoiceField(CHOICES), help_text="From which it may begin.")
    tone = serializers.CharField()
    icon = serializers.CharField()


class StateSerializer(Form):
    """One of the eight states."""

    name = serializers.ChoiceField(CHOICES)
    label = serializers.CharField()
    on_the_way = serializers.BooleanField(help_text="It will not stay so: an operation is open.")


class SnapshotSerializer(Form):
    """A named snapshot of a VM."""

    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    description = serializers.CharField(allow_blank=True)


class UnownedSerializer(Form):
    """A VM on a hypervisor that no descriptor owns."""

    ref = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    info = serializers.DictField()
    seen_at = serializers.DateTimeField()


class AskedSerializer(Form):
    """A worker was asked to compare this hypervisor."""

    hypervisor = serializers.CharField()


class DeletedSerializer(Form):
    """How many nodes are gone."""

    deleted = serializers.IntegerField()


class ConsoleSerializer(Form):
    """What the guest wrote to its text console last."""

    text = serializers.CharField(allow_blank=True)


class ConsoleWishSerializer(Form):
    """Which console, and whether to type or only to watch."""

    kind = serializers.CharField(
        max_length=16, default="", allow_blank=True, help_text="`vnc` or `serial`; without it the first that there is."
    )
    mode = serializers.ChoiceField(["drive", "watch"], default="drive")


class ConsoleTicketSerializer(Form):
    """What opens one console once."""

    url = serializers.CharField(help_text="The WebSocket, with the ticket.")
    page = serializers.CharField(help_text="The page of the portal with this console.")
    ticket = serializers.CharField()
    expires_at = serializers.DateTimeField()
    kind = serializers.CharField()
    mode = serializers.ChoiceField(["drive", "watch"])


class MetricsSerializer(Form):
    """Measurements of one VM by name."""

    metrics = serializers.DictField(child=serializers.FloatField())


# -- bodies ------------------------------------------------------------------------------------------------------------


class ParentField(serializers.Serializer[Any]):
    """A folder by id (`parent`) or by path (`parent_path`)."""

    parent = serializers.IntegerField(required=False, **ID)
    parent_path = PathField(required=False)


@extend_schema_field({"type": "object", "additionalProperties": True})
class DefinitionField(serializers.JSONField):
    """A local definition; judged by the action, which names every fault."""

    def get_value(self, dictionary: Any) -> Any:
        """A form's empty box says nothing."""
        if html.is_html_input(dictionary) and not dictionary.get(self.field_name):
            return empty
        return super().get_value(dictionary)


class NewNodeSerializer(ParentField):
    """Where and what: `parent` or `parent_path` with `name`, or the whole `path`."""

    path = PathField(required=False)
    name = serializers.CharField(required=False, max_length=NAME_LENGTH, trim_whitespace=False)
    definition = DefinitionField(required=False)


class RenameSerializer(Form):
    """The new name."""

    name = serializers.CharField(max_length=NAME_LENGTH, trim_whitespace=False)


class MoveSerializer(ParentField):
    """The new folder, and a new name if wanted."""

    name = serializers.CharField(required=False, max_length=NAME_LENGTH, trim_whitespace=False)


class CopySerializer(MoveSerializer):
    """`new_addresses` false: the copy keeps MACs and fixed addresses, and only one of both can be created."""

    new_addresses = serializers.BooleanField(required=False, default=True)


class InheritSerializer(Form):
    """Whether grants from above hold here."""

    on = serializers.BooleanField()


class NewGrantSerializer(Form):
    """A role for one user or one group, by name."""

    role = serializers.ChoiceField(ROLES)
    user = serializers.CharField(required=False, max_length=150)
    group = serializers.CharField(required=False, max_length=150)


class ArgumentsSerializer(Form):
    """What a verb needs: `name` for snapshot, revert and delete_snapshot; `name` and `folder` for publish."""

    name = serializers.CharField(required=False, max_length=128, help_text="Of the snapshot, of the image.")
    folder = PathField(required=False, help_text="That gets the prototype of a published image.")
    description = serializers.CharField(required=False, allow_blank=True, max_length=1000)
    start = serializers.BooleanField(required=False, help_text="create: and switch on.")
    force = serializers.BooleanField(required=False, help_text="destroy: also what is running or paused.")
    remove = serializers.BooleanField(required=False, help_text="destroy: then also delete it from the tree.")
    rollback = serializers.BooleanField(
        required=False, help_text="create on a folder: destroy all of it when one machine fails."
    )


@extend_schema_field(
    {"oneOf": [{"type": "integer", "minimum": 1, "maximum": BIGGEST}, {"type": "string", "minLength": 1}]}
)
class NodeRefField(serializers.Field):  # type: ignore[type-arg]
    """A node by id or by path."""

    def to_internal_value(self, data: Any) -> int | str:
        """An id that fits, or a path."""
        if isinstance(data, str):
            return PathField().run_validation(data)
        return serializers.IntegerField(**ID).run_validation(None if isinstance(data, bool) else data)

    def to_representation(self, value: Any) -> Any:
        """As it is."""
        return value


class SelectionSerializer(ArgumentsSerializer):
    """Machines, or folders that stand for what is below."""

    nodes = serializers.ListField(child=NodeRefField(), min_length=1, max_length=5000)


class AdoptSerializer(Form):
    """Which VM, into which folder, under which name (default: the VM's)."""

    ref = serializers.CharField(max_length=255)
    folder = NodeRefField()
    name = serializers.CharField(required=False, max_length=NAME_LENGTH, trim_whitespace=False)


# -- query strings -----------------------------------------------------------------------------------------------------

NODE_ORDER = {
    "path": "path",
    "name": "name",
    "kind": "kind",
    "state": "descriptor__state",
    "since": "descriptor__state_since",
    "hypervisor": "descriptor__hypervisor__name",
}


class NodeQuery(Form):
    """Filters of `nodes`."""

    path = PathField(required=False, help_text="Below this folder. Left out: everything that you may see.")
    recursive = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="At any depth. Default: only without `path`."
    )
    kind = serializers.ChoiceField(Kind.choices, required=False)
    state = CommaList(child=StateChoice(), required=False)
    hypervisor = serializers.CharField(required=False, max_length=64, help_text="Where it is, or would be created.")
    q = serializers.CharField(required=False, max_length=200, help_text="Part of the name.")
    label = CommaList(child=serializers.CharField(max_length=1200), required=False, help_text="`key=value` or `key`.")
    custom = CommaList(child=serializers.CharField(max_length=1200), required=False, help_text="`key=value` or `key`.")
    ordering = serializers.ChoiceField([f"{sign}{name}" for name in NODE_ORDER for sign in ("", "-")], required=False)


class PathQuery(Form):
    """One path."""

    path = PathField()


class OperationQuery(Form):
    """Filters of `operations`."""

    status = CommaList(child=serializers.ChoiceField(Status.choices), required=False)
    verb = serializers.ChoiceField(list(VERBS), required=False)
    path = PathField(required=False, help_text="At this path or below it.")
    parent = serializers.UUIDField(required=False, help_text="The machines of this operation on a folder.")
    actor = serializers.CharField(required=False, max_length=150, help_text="User name.")
    children = serializers.BooleanField(
        required=False, default=False, help_text="Also the single machines of operations on folders."
    )
    ordering = serializers.ChoiceField(["created_at", "-created_at", "path", "-path"], required=False)


class ResultQuery(Form):
    """Filters of an operation's results."""

    status = CommaList(child=serializers.ChoiceField(Status.choices), required=False)


class RightsQuery(Form):
    """Whose rights."""

    user = serializers.CharField(required=False, max_length=150, help_text="User name; for those who may grant.")


class PartQuery(Form):
    """Which definition goes out as YAML."""

    part = serializers.ChoiceField(["local", "computed"], required=False, default="local")


class DryRunQuery(Form):
    """Plan or do."""

    dry_run = serializers.BooleanField(required=False, default=False, help_text="Only tell what would be done.")
