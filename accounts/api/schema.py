"""How the OpenAPI document describes the ways in. Importing this module registers them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Personal tokens."""

    target_class = "accounts.api.authentication.ApiTokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Bearer, with our prefix."""
        return {"type": "http", "scheme": "bearer", "description": "A personal token: `oli_…`."}


class JWTScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """JSON web tokens."""

    target_class = "accounts.api.authentication.JWTAuthentication"
    name = "jwt"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """The OAuth2 password flow and `auth/login` give the same tokens."""
        return {"type": "oauth2", "flows": {"password": {"tokenUrl": "/api/auth/token", "scopes": {}}}}


class BasicScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """HTTP Basic."""

    target_class = "accounts.api.authentication.BasicAuthentication"
    name = "basic"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Name and password with every request."""
        return {"type": "http", "scheme": "basic"}
