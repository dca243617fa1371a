"""Serializers that refuse what they do not know: a misspelt field is told, not dropped."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import serializers

#: What forms of the browsable API send along.
FORM_KEYS = frozenset({"csrfmiddlewaretoken", "_method", "_content", "_content_type"})


class Strict(serializers.Serializer[Any]):
    """A body with an unknown field is a ValidationError that names it. Fields of the answer may be sent back."""

    def to_internal_value(self, data: Any) -> Any:
        """The values, as by the serializer beside this one."""
        known = {*self.fields, *(FORM_KEYS if isinstance(data, QueryDict) else ())}
        unknown = [str(key)[:64] for key in data if key not in known] if hasattr(data, "keys") else []
        if unknown:
            hint = _("There is no such field. Known: %s.") % ", ".join(
                name for name, field in self.fields.items() if not field.read_only
            )
            raise serializers.ValidationError({key: [hint] for key in unknown[:20]})
        return super().to_internal_value(data)
