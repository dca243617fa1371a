"""Under which titles the help lists the commands."""

from __future__ import annotations

from typing import Final

from olimpus.cli.words import gettext as _

ACCOUNT: Final = _("Account")
LOOKING: Final = _("Look")
SHAPING: Final = _("Change the tree and definitions")
MACHINES: Final = _("Machines")
SLICES: Final = _("Slices")
CLOUDS: Final = _("Clouds")
RECORDS: Final = _("Operations and records")
ADMINISTRATION: Final = _("Administration")
