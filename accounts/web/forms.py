"""Forms of the account pages: Django's, with Bootstrap classes and our actions behind them."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import forms as auth_forms
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import actions, personal
from accounts.models import User
from accounts.zones import zones

#: Life of a new personal token in days; 0 means for ever.
LIVES = [(30, _("30 days")), (90, _("90 days")), (365, _("1 year")), (0, _("no end"))]


class Bootstrap(forms.Form):
    """Gives every widget its Bootstrap class, and `is-invalid` with the link to its message where it is wrong."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for bound in self:
            self._dress(bound)

    def _dress(self, bound: forms.BoundField) -> None:
        widget = bound.field.widget
        kinds = {forms.CheckboxInput: "form-check-input", forms.Select: "form-select"}
        css = next((css for kind, css in kinds.items() if isinstance(widget, kind)), "form-control")
        wrong = self.is_bound and bound.errors
        widget.attrs["class"] = f"{css} is-invalid" if wrong else css


def _folded(address: str) -> str:
    return unicodedata.normalize("NFKC", address).casefold()


class SignInForm(Bootstrap, auth_forms.AuthenticationForm):
    """Name and password."""


class PasswordResetForm(Bootstrap, auth_forms.PasswordResetForm):
    """The address to send a link to. Whether it is known stays our secret."""

    def get_users(self, email: str) -> list[User]:
        """Active accounts of this address; those that never set a password too, as if invited again.

        Compared once more after the database: what it takes for equal may be another mailbox.
        """
        # Not iexact: under MariaDB's binary collation that minds upper and lower case.
        found = User.objects.annotate(mailbox=Lower("email")).filter(mailbox=email.lower(), is_active=True)
        return [user for user in found if _folded(user.email) == _folded(email)]


class SetPasswordForm(Bootstrap, auth_forms.SetPasswordForm):
    """A new password, twice."""

    def save(self, commit: bool = True) -> User:
        """Set it by the action: journal, and every token ends."""
        actions.set_password(self.user, self.cleaned_data["new_password1"], actor=self.user)
        return self.user


class PasswordChangeForm(Bootstrap, auth_forms.PasswordChangeForm):
    """The old password, and a new one twice."""

    def save(self, commit: bool = True) -> User:
        """Set it by the action: journal, and every token ends."""
        actions.set_password(self.user, self.cleaned_data["new_password1"], actor=self.user)
        return self.user


class ProfileForm(Bootstrap, forms.ModelForm):
    """One's own name, e-mail and language."""

    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=[("", _("as the browser says")), *settings.LANGUAGES]
    )

    time_zone = forms.ChoiceField(
        label=_("Time zone"), required=False, choices=lambda: [("", settings.TIME_ZONE), *((z, z) for z in zones())]
    )
    theme = forms.ChoiceField(
        label=_("Theme"),
        required=False,
        choices=[("system", _("as the device")), ("light", _("light")), ("dark", _("dark"))],
    )

    class Meta:
        model = User
        fields = ["first_name", "last_name", "email", "language"]

    def __init__(self, *args: Any, instance: User, **kwargs: Any) -> None:
        kept = {"time_zone": personal.zone_name(instance), "theme": personal.theme_of(instance) or "system"}
        super().__init__(*args, instance=instance, initial=kept, **kwargs)

    def save(self, commit: bool = True) -> User:
        """Save by the actions."""
        given = dict(self.cleaned_data)
        personal.choose_zone(self.instance, given.pop("time_zone"))
        if theme := given.pop("theme"):
            personal.choose_theme(self.instance, theme)
        return actions.update_user(self.instance, actor=self.instance, **given)


class TokenForm(Bootstrap):
    """A new personal token."""

    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("What it is for, such as “backup script”."))
    days = forms.TypedChoiceField(label=_("Good for"), choices=LIVES, coerce=int, initial=90)
    read_only = forms.BooleanField(label=_("Read only"), required=False, initial=True)

    def expires_at(self) -> datetime | None:
        """When the token ends; None for never."""
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None
