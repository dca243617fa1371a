"""What the API says about hypervisors. Secrets come in and never go out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings as project
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from hypervisors.breaker import Circuit, seen
from hypervisors.drivers.base import Capability, Driver, Setting
from hypervisors.models import NAME_LENGTH, Health, Hypervisor, name_validator
from hypervisors.registry import DRIVERS, driver_class
from olimpus.strict import Strict

#: What every signed-in user may know.
PUBLIC = ("id", "name", "driver", "health", "maintenance")


@extend_schema_field(serializers.ListField(child=serializers.ChoiceField([c.value for c in Capability])))
class CapabilitiesField(serializers.Field):  # type: ignore[type-arg]
    """What a driver, given by its name, can do."""

    def to_representation(self, value: str) -> list[str]:
        """Sorted names."""
        return capabilities_of(value)


@extend_schema_field(serializers.ListField(child=serializers.CharField()))
class NamesField(serializers.Field):  # type: ignore[type-arg]
    """The names of related rows."""

    def __init__(self, column: str, **kwargs: Any):
        self.column = column
        super().__init__(required=False, **kwargs)

    def to_representation(self, value: Any) -> list[str]:
        """In their order; prefetched rows cost no query."""
        return [getattr(row, self.column) for row in value.all()]


CIRCUIT_STATES = [(state.value, state.value) for state in Circuit]
CIRCUIT = inline_serializer(
    "Circuit",
    {
        "state": serializers.ChoiceField(CIRCUIT_STATES),
        "since": serializers.DateTimeField(allow_null=True),
        "next_try_at": serializers.DateTimeField(allow_null=True),
        "failures": serializers.IntegerField(help_text="In a row."),
        "error": serializers.CharField(help_text="What the last one said."),
    },
)


@extend_schema_field(CIRCUIT)
class CircuitField(serializers.Field):  # type: ignore[type-arg]
    """The circuit breaker of a hypervisor, given by its name: the worst of our processes."""

    def to_representation(self, value: str) -> dict[str, Any]:
        """Its state; times are null while it is closed."""
        return asdict(seen(Path(project.OLIMPUS_HOME), value))


class HypervisorSerializer(serializers.Serializer[Hypervisor]):
    """A hypervisor as superusers see it; others get `id`, `name`, `driver`, `health` and `maintenance` only."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    driver = serializers.CharField()
    health = serializers.ChoiceField(Health.choices)
    maintenance = serializers.BooleanField()
    settings = serializers.DictField(required=False, help_text="Without secrets.")
    aliases = serializers.DictField(
        required=False,
        help_text="What it calls the images, flavors and networks of definitions: `{kind: {our name: its name there}}`.",
    )
    secrets_set = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Names of the secrets that have a value."
    )
    capabilities = CapabilitiesField(source="driver", required=False)
    description = serializers.CharField(required=False)
    concurrency = serializers.IntegerField(required=False)
    queue = serializers.CharField(required=False)
    reconcile_interval = serializers.IntegerField(required=False, help_text="Seconds.")
    managers = NamesField("username", help_text="User names of those in charge.")
    manager_groups = NamesField("name", help_text="Groups whose members are in charge.")
    circuit = CircuitField(source="name", required=False)
    maintenance_reason = serializers.CharField(required=False)
    health_detail = serializers.CharField(required=False)
    health_at = serializers.DateTimeField(required=False, allow_null=True)
    last_ok_at = serializers.DateTimeField(required=False, allow_null=True)
    capacity = serializers.DictField(required=False, help_text="Last known totals and use.")
    version = serializers.IntegerField(required=False)
    created_at = serializers.DateTimeField(required=False)
    updated_at = serializers.DateTimeField(required=False)

    def get_fields(self) -> dict[str, serializers.Field]:
        """All fields in the documentation and for superusers, the public ones for everybody else."""
        fields = super().get_fields()
        request = self.context.get("request")
        if (
            request is None
            or request.user.is_superuser
            or getattr(self.context.get("view"), "swagger_fake_view", False)
        ):
            return fields
        return {name: fields[name] for name in PUBLIC}


class HypervisorWriteSerializer(Strict):
    """What superusers send. `settings` are those that `GET /api/drivers` declares; an empty secret keeps its value."""

    name = serializers.CharField(max_length=NAME_LENGTH, validators=[name_validator])
    driver = serializers.ChoiceField(sorted(DRIVERS))
    settings = serializers.DictField(required=False)
    aliases = serializers.DictField(
        required=False,
        help_text="`{kind: {our name: its name there}}`; kinds: images, flavors, networks. Replaces those that were.",
    )
    forget_secrets = serializers.ListField(
        child=serializers.CharField(max_length=NAME_LENGTH),
        required=False,
        max_length=100,
        help_text="Names of secrets to remove, for a change.",
    )
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    concurrency = serializers.IntegerField(required=False, min_value=1, max_value=1000)
    queue = serializers.CharField(required=False, max_length=NAME_LENGTH, validators=[name_validator])
    reconcile_interval = serializers.IntegerField(
        required=False, validators=[MinValueValidator(5), MaxValueValidator(86_400)]
    )
    managers = serializers.ListField(
        child=serializers.CharField(max_length=150), required=False, max_length=500, help_text="User names."
    )
    manager_groups = serializers.ListField(
        child=serializers.CharField(max_length=150), required=False, max_length=500, help_text="Names of groups."
    )


class TrySerializer(Strict):
    """Settings to test before they are saved; secrets left empty are those of `hypervisor`, a name."""

    driver = serializers.ChoiceField(sorted(DRIVERS))
    settings = serializers.DictField(required=False)
    hypervisor = serializers.CharField(required=False, max_length=NAME_LENGTH)


class MaintenanceSerializer(Strict):
    """Begin (`on`) or end maintenance."""

    on = serializers.BooleanField()
    reason = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")


class CheckSerializer(serializers.Serializer[Any]):
    """One step of a connection test."""

    step = serializers.CharField()
    label = serializers.SerializerMethodField()
    ok = serializers.BooleanField()
    detail = serializers.CharField()
    seconds = serializers.FloatField()

    def get_label(self, check: Any) -> str:
        return gettext(check.label)


class ConnectionTestSerializer(serializers.Serializer[Any]):
    """The steps of a connection test; `ok` when all went well."""

    ok = serializers.BooleanField()
    checks = CheckSerializer(many=True)


class SettingSerializer(serializers.Serializer[Setting]):
    """One declared setting of a driver."""

    name = serializers.CharField()
    label = serializers.SerializerMethodField()
    type = serializers.ChoiceField(["text", "lines", "int", "float", "bool", "choice"])
    default = serializers.JSONField(help_text="null: none.")
    required = serializers.BooleanField()
    secret = serializers.BooleanField()
    help = serializers.SerializerMethodField()
    choices = serializers.ListField(child=serializers.CharField())
    minimum = serializers.FloatField(allow_null=True)
    maximum = serializers.FloatField(allow_null=True)
    example = serializers.CharField()

    def get_label(self, setting: Setting) -> str:
        return gettext(setting.label)

    def get_help(self, setting: Setting) -> str:
        return gettext(setting.help) if setting.help else ""


class DriverSerializer(serializers.Serializer[type[Driver]]):
    """A driver: what it is, what it needs and what it can do."""

    name = serializers.CharField()
    label = serializers.SerializerMethodField()
    capabilities = serializers.SerializerMethodField()
    settings = SettingSerializer(many=True)

    def get_label(self, driver: type[Driver]) -> str:
        return gettext(driver.label)

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField([c.value for c in Capability])))
    def get_capabilities(self, driver: type[Driver]) -> list[str]:
        return sorted(capability.value for capability in driver.capabilities)


def capabilities_of(driver: str) -> list[str]:
    """Sorted names; none for a driver that is not installed here."""
    return sorted(c.value for c in driver_class(driver).capabilities) if driver in DRIVERS else []
