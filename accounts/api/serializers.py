"""What the accounts API takes and gives."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from rest_framework import serializers

from accounts import roles
from accounts.models import ApiToken, Entry, User, username_validator
from accounts.roles import Kind
from olimpus.strict import Strict

ROLES = [roles.SUPERUSER, *Kind.values]


class PersonSerializer(serializers.ModelSerializer[User]):
    """A name to grant something to."""

    name = serializers.SerializerMethodField()
    role = serializers.ChoiceField(choices=ROLES, read_only=True)

    class Meta:
        model = User
        fields = ["id", "username", "name", "role", "is_active"]
        read_only_fields = fields

    def get_name(self, user: User) -> str:
        """First and last name."""
        return user.get_full_name()


class GroupNameSerializer(serializers.ModelSerializer[Group]):
    """A group inside a user."""

    class Meta:
        model = Group
        fields = ["id", "name"]
        read_only_fields = fields


class MeSerializer(Strict, serializers.ModelSerializer[User]):
    """One's own account."""

    role = serializers.ChoiceField(choices=ROLES, read_only=True)
    groups = GroupNameSerializer(many=True, read_only=True)
    language = serializers.ChoiceField(choices=[*dict(settings.LANGUAGES), ""], required=False)

    class Meta:
        model = User
        fields = [
            "id", "username", "email", "first_name", "last_name", "language", "role", "kind", "is_superuser",
            "is_active", "groups", "last_login", "date_joined",
        ]  # fmt: skip
        read_only_fields = ["id", "username", "kind", "is_superuser", "is_active", "last_login", "date_joined"]


class UserSerializer(MeSerializer):
    """An account as superusers see and change it."""

    class Meta(MeSerializer.Meta):
        read_only_fields = ["id", "last_login", "date_joined"]
        extra_kwargs = {"username": {"validators": [username_validator]}}


class NewUserSerializer(UserSerializer):
    """A new account; without a password it needs an invitation."""

    password = serializers.CharField(write_only=True, required=False, trim_whitespace=False, max_length=4096)
    invite = serializers.BooleanField(write_only=True, default=False, help_text="Mail an invitation at once.")

    class Meta(UserSerializer.Meta):
        fields = [*UserSerializer.Meta.fields, "password", "invite"]


class GroupSerializer(Strict, serializers.ModelSerializer[Group]):
    """A group and how many belong to it."""

    member_count = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = Group
        fields = ["id", "name", "member_count"]
        extra_kwargs = {"name": {"validators": []}}


class MembersSerializer(Strict):
    """Users to put into a group."""

    users = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        allow_empty=False,
        max_length=1000,
        help_text="Ids of users.",
    )


class ImportSerializer(Strict):
    """A file of users and groups, and how to take it."""

    file = serializers.FileField(
        help_text="CSV, at most 2 MiB and 10,000 rows; columns username, email, first name, last name, kind, groups.",
        allow_empty_file=True,
    )
    dry_run = serializers.BooleanField(default=False, help_text="Only tell what it would do.")
    make_groups = serializers.BooleanField(default=True, help_text="Make groups that are not there; else a fault.")


class ImportedSerializer(serializers.Serializer[Any]):
    """What an import did or, as a dry run, would do. With faults nothing is done."""

    applied = serializers.BooleanField()
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="new, changed, unchanged, superusers, groups, faults."
    )
    new = serializers.ListField(child=serializers.DictField())
    changed = serializers.ListField(
        child=serializers.DictField(), help_text="`username`, `line`, `fields` with before and after, `groups` joined."
    )
    superusers = serializers.ListField(child=serializers.CharField(), help_text="In the file, and left alone.")
    new_groups = serializers.ListField(child=serializers.CharField())
    ignored = serializers.ListField(child=serializers.CharField(), help_text="Columns without a meaning here.")
    faults = serializers.ListField(child=serializers.DictField(), help_text="`where` is file:line: column.")


class CredentialsSerializer(serializers.Serializer[Any]):
    """Name and password."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=4096, trim_whitespace=False, style={"input_type": "password"})


class RefreshSerializer(serializers.Serializer[Any]):
    """A refresh token."""

    refresh = serializers.CharField(max_length=4096)


class LogoutSerializer(serializers.Serializer[Any]):
    """A refresh token to revoke beside the token in use."""

    refresh = serializers.CharField(max_length=4096, required=False)


class PairSerializer(serializers.Serializer[Any]):
    """What a sign-in gives."""

    token = serializers.CharField(source="access", help_text="Send it as `Authorization: Bearer <token>`.")
    refresh = serializers.CharField(help_text="Buys one new pair at `auth/refresh`.")
    expires_in = serializers.IntegerField(help_text="Seconds the token is good for.")
    user = MeSerializer()


class GrantRequestSerializer(serializers.Serializer[Any]):
    """The form of the OAuth2 password flow (RFC 6749, 4.3 and 6)."""

    grant_type = serializers.CharField(max_length=50, help_text="`password` or `refresh_token`.")
    username = serializers.CharField(max_length=150, required=False)
    password = serializers.CharField(max_length=4096, required=False, trim_whitespace=False)
    refresh_token = serializers.CharField(max_length=4096, required=False)
    scope = serializers.CharField(max_length=1000, required=False, allow_blank=True, help_text="Ignored.")
    client_id = serializers.CharField(max_length=1000, required=False, allow_blank=True, help_text="Ignored.")
    client_secret = serializers.CharField(max_length=1000, required=False, allow_blank=True, help_text="Ignored.")


class GrantSerializer(serializers.Serializer[Any]):
    """The answer of the OAuth2 flow."""

    access_token = serializers.CharField(source="access")
    token_type = serializers.SerializerMethodField()
    expires_in = serializers.IntegerField()
    refresh_token = serializers.CharField(source="refresh")

    def get_token_type(self, pair: Any) -> str:
        """Always `bearer`."""
        return "bearer"


class GrantErrorSerializer(serializers.Serializer[Any]):
    """An error of the OAuth2 flow."""

    error = serializers.ChoiceField(choices=["invalid_request", "invalid_grant", "unsupported_grant_type"])
    error_description = serializers.CharField()


class PasswordSerializer(Strict):
    """A change of one's own password."""

    old_password = serializers.CharField(max_length=4096, trim_whitespace=False)
    new_password = serializers.CharField(max_length=4096, trim_whitespace=False)


class TokenSerializer(Strict, serializers.ModelSerializer[ApiToken]):
    """A personal token, without its secret."""

    class Meta:
        model = ApiToken
        fields = ["id", "name", "prefix", "read_only", "expires_at", "last_used_at", "created_at", "revoked_at"]
        read_only_fields = ["id", "prefix", "last_used_at", "created_at", "revoked_at"]


class NewTokenSerializer(TokenSerializer):
    """A personal token just made: the only time that `token` is shown."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """A line of the journal."""

    actor = serializers.CharField(source="actor_name")
    node = serializers.IntegerField(source="node_id", allow_null=True)
    operation = serializers.UUIDField(source="operation_id", allow_null=True)
    data = serializers.DictField()

    class Meta:
        model = Entry
        fields = ["id", "at", "actor", "verb", "path", "node", "operation", "source", "via", "data"]
