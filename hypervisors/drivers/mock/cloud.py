"""What the mock hypervisor has beside machines: images, of which only names are kept."""

from __future__ import annotations

import difflib
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import BinaryIO, ClassVar

from hypervisors.drivers.cloud import Cloud, Image, Images
from hypervisors.drivers.mock import store
from olimpus.errors import Rejected
from olimpus.words import gettext as _
from olimpus.words import gettext_noop

Opened = Callable[[], AbstractContextManager[sqlite3.Connection]]


class MockCloud(Cloud):
    """Images that the settings name, that were uploaded, and that were made of machines."""

    kinds: ClassVar[frozenset[str]] = frozenset({"images"})
    label: ClassVar[str] = gettext_noop("Mock hypervisor")

    def __init__(self, hypervisor: str, named: str, memory: Opened, read: Opened, effect: Opened):
        self.where = hypervisor
        self._named = [name.strip() for name in named.split(",") if name.strip()]
        self._memory = memory
        self._read = read
        self._effect = effect

    def require(self, image: str) -> None:
        """`Rejected` with the nearest name when there is no such image, and the settings name some."""
        known = list(self._named)
        if known and image not in known:
            with self._memory() as db:
                known += store.images(db)
        if known and image not in known:
            nearest = difflib.get_close_matches(image, known, n=1, cutoff=0.0)
            hint = _("The nearest is “%(name)s”.") % {"name": nearest[0]}
            raise Rejected(_("There is no image “%(name)s”.") % {"name": image}, where=self.where, hint=hint)

    def images(self) -> Images:
        with self._read() as db:
            made = [replace(image, id=name) for name, image in store.images(db).items()]
        named = [Image(name, name, "active") for name in self._named]
        return sorted(named + made, key=lambda image: image.name)

    def upload_image(self, name: str, data: BinaryIO, format: str, *, public: bool = False) -> Image:
        with self._effect() as db:
            if name in self._named or name in store.images(db):
                message = _("There is an image “%(name)s” already.") % {"name": name}
                raise Rejected(message, where="name", hint=_("Choose another name."))
            store.insert_image(db, name, "", time.time())
            return replace(store.images(db)[name], id=name, format=format)

    def delete_image(self, image: str) -> None:
        if image in self._named:
            hint = _("Take it out of them.")
            raise Rejected(_("The settings name this image."), where=self.where, hint=hint)
        with self._effect() as db:
            store.delete_image(db, image)
