"""Sign-in pages and the profile. Django's views with our forms."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, views
from django.contrib.auth.decorators import login_required
from django.contrib.messages.views import SuccessMessageMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import actions, personal, tokens
from accounts.models import ApiToken, Entry, SignIn, User
from accounts.roles import may_open_console
from accounts.web import forms
from olimpus.errors import OlimpusError

#: Sign-ins told in the profile.
LAST_SIGN_INS = 8


class LoginView(views.LoginView):
    """Sign in; the page then speaks the language of the profile."""

    form_class = forms.SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: forms.SignInForm) -> HttpResponse:
        """Enter, and remember the language chosen in the profile."""
        return speak(super().form_valid(form), form.get_user().language)


class ConsoleLoginView(LoginView):
    """The same sign-in page at the console's address; whoever is signed in and may not enter is told so."""

    next_page = reverse_lazy("admin:index")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Sending somebody without the right back to the console would send him round in a circle."""
        if request.user.is_authenticated and not may_open_console(request.user):
            raise PermissionDenied(_("The operator console is for managers. Ask an administrator to make you one."))
        return super().dispatch(request, *args, **kwargs)


def speak(response: HttpResponse, language: str) -> HttpResponse:
    """Remember a language in the browser; an empty one forgets it."""
    if translation.check_for_language(language) and language:
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, samesite="Lax", max_age=31536000)
    return response


class PasswordChangeView(views.PasswordChangeView):
    """Change the password; other sessions and every JWT end."""

    form_class = forms.PasswordChangeForm


class PasswordResetView(views.PasswordResetView):
    """Ask for a link by e-mail."""

    form_class = forms.PasswordResetForm
    email_template_name = "registration/password_reset_email.txt"
    subject_template_name = "registration/password_reset_subject.txt"


class PasswordResetConfirmView(views.PasswordResetConfirmView):
    """Set a new password with the link."""

    form_class = forms.SetPasswordForm

    def get_user(self, uidb64: str) -> User | None:
        """The owner of the link; closed accounts have none."""
        user = super().get_user(uidb64)
        return user if user is not None and user.is_active else None


class InvitationView(SuccessMessageMixin, PasswordResetConfirmView):
    """Set the first password with the link of the invitation, and be signed in."""

    form_class = forms.SetPasswordForm
    template_name = "registration/invitation.html"
    reset_url_token = "first-password"  # noqa: S105 - a word in the address, not a secret
    success_url = settings.LOGIN_REDIRECT_URL
    success_message = gettext_lazy("Welcome. Your password is set.")

    def form_valid(self, form: forms.SetPasswordForm) -> HttpResponse:
        """Set the password and enter."""
        response = super().form_valid(form)
        # Two backends are configured; the one that checks passwords is meant.
        login(self.request, form.user, backend="django.contrib.auth.backends.ModelBackend")
        return response


@never_cache
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """One's own name, e-mail, language and tokens."""
    form = forms.ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        user = form.save()
        messages.success(request, _("Saved."))
        return speak(redirect("profile"), user.language)
    return _profile_page(request, form=form)


@never_cache
@login_required
@require_POST
def create_token(request: HttpRequest) -> HttpResponse:
    """Make a personal token and show it: this once, on this page."""
    form = forms.TokenForm(request.POST)
    if not form.is_valid():
        return _profile_page(request, token_form=form)
    data = form.cleaned_data
    try:
        _row, clear = actions.issue_token(
            request.user, data["name"], read_only=data["read_only"], expires_at=form.expires_at()
        )
    except OlimpusError as error:
        form.add_error(None, str(error))
        return _profile_page(request, token_form=form)
    return _profile_page(request, new_token=clear)


@login_required
@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one of one's own tokens."""
    token = get_object_or_404(ApiToken, pk=pk, user_id=request.user.pk)
    actions.revoke_token(token, actor=request.user)
    messages.success(request, _("The token “%(name)s” is revoked.") % {"name": token.name})
    return redirect("profile")


@login_required
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the theme that was switched to on some page; nothing to answer."""
    try:
        personal.choose_theme(request.user, request.POST.get("theme", ""))
    except OlimpusError as error:
        return HttpResponse(str(error), status=error.status, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204)


@login_required
@require_POST
def end_sign_in(request: HttpRequest, pk: str) -> HttpResponse:
    """End one of one's own sign-ins through the API: a program that was left signed in somewhere."""
    found = get_object_or_404(SignIn, pk=pk, user_id=request.user.pk)
    tokens.revoke(found.pk)
    messages.success(request, _("This sign-in has ended."))
    return redirect("profile")


def _profile_page(request: HttpRequest, **context: Any) -> HttpResponse:
    mine = request.user.pk
    context.setdefault("form", forms.ProfileForm(instance=request.user))
    context.setdefault("token_form", forms.TokenForm())
    context |= {
        "guide_closed": personal.guide_closed(request.user),
        "tokens": ApiToken.objects.filter(user_id=mine, revoked_at=None).order_by("-created_at"),
        "programs": SignIn.objects.filter(user_id=mine, revoked_at=None, expires_at__gt=timezone.now()),
        "sign_ins": Entry.objects.filter(actor_id=mine, verb="user.sign_in").order_by("-id")[:LAST_SIGN_INS],
        "feed_cursor": "",
    }
    return render(request, "registration/profile.html", context)


class LogoutView(views.LogoutView):
    """Sign out (POST only)."""

    next_page = reverse_lazy("login")
