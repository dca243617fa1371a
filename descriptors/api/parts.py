"""Parts of a machine's details."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

Form = serializers.Serializer[Any]


class CardSerializer(Form):
    """A network card that was given to a machine."""

    position = serializers.IntegerField()
    network = serializers.CharField()
    mac = serializers.CharField()
    ip = serializers.CharField(allow_null=True)


class WaySerializer(Form):
    """A way into a machine from outside."""

    kind = serializers.ChoiceField(
        ["forward", "floating", "jump"],
        help_text="A port that leads to it, an address of its own, or SSH through its gateway.",
    )
    address = serializers.CharField()
    port = serializers.IntegerField(help_text="0: all of them.")
    target = serializers.CharField(help_text="Where it leads: the machine's own address.")
    command = serializers.CharField(help_text="What its owner types; empty when it is no SSH.")


class DriftSerializer(Form):
    """One field in which the hypervisor differs."""

    field = serializers.CharField()
    expected = serializers.JSONField()
    observed = serializers.JSONField()
