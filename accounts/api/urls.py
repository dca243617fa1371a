"""Addresses below `/api/`, each with and without trailing slash."""

from __future__ import annotations

from django.urls import include, path, re_path

from accounts.api import schema as schema
from accounts.api.journal import JournalViewSet
from accounts.api.me import MeView, PasswordView, TokenViewSet
from accounts.api.people import GroupViewSet, UserViewSet
from accounts.api.sign_in import GrantView, LoginView, LogoutView, RefreshView
from olimpus.api import Router

router = Router()
router.include_root_view = False
router.register("auth/tokens", TokenViewSet, basename="auth-token")
router.register("users", UserViewSet, basename="user")
router.register("groups", GroupViewSet, basename="group")
router.register("journal", JournalViewSet, basename="journal")

urlpatterns = [
    re_path(r"^auth/login/?$", LoginView.as_view(), name="auth-login"),
    re_path(r"^auth/token/?$", GrantView.as_view(), name="auth-grant"),
    re_path(r"^auth/refresh/?$", RefreshView.as_view(), name="auth-refresh"),
    re_path(r"^auth/logout/?$", LogoutView.as_view(), name="auth-logout"),
    re_path(r"^auth/me/?$", MeView.as_view(), name="auth-me"),
    re_path(r"^auth/password/?$", PasswordView.as_view(), name="auth-password"),
    path("", include(router.urls)),
]
