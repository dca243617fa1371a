"""Bounded parsers. Apart from `olimpus.api`: DRF reads this setting while it is still being imported itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from olimpus.errors import TooLarge

Context = Mapping[str, Any]


def require_bounded(context: Context | None) -> None:
    """Raise TooLarge before a body above `OLIMPUS_UPLOAD_LIMIT` is read."""
    request = (context or {}).get("request")
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0) if request else 0
    except ValueError:
        length = 0
    if length > settings.OLIMPUS_UPLOAD_LIMIT:
        mib = settings.OLIMPUS_UPLOAD_LIMIT / 1024 / 1024
        raise TooLarge(_("The request is larger than %(limit)g MiB.") % {"limit": mib}, where="body")


class JSONParser(parsers.JSONParser):
    """JSON of bounded size. Bad input: nesting deeper than the interpreter allows, and halves of characters (`"\\ud800"`),
    which Python takes and nobody can store or send.
    """

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Context | None = None) -> Any:
        """The data of the body. ParseError, TooLarge."""
        require_bounded(parser_context)
        try:
            data = super().parse(stream, media_type, parser_context)
            json.dumps(data, ensure_ascii=False, check_circular=False).encode()
        except RecursionError as error:
            raise ParseError(_("JSON parse error: nested too deeply.")) from error
        except UnicodeEncodeError as error:
            raise ParseError(_("JSON parse error: a text holds half of a character.")) from error
        return data


class FormParser(parsers.FormParser):
    """Forms of bounded size."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Context | None = None) -> Any:
        """The data of the body. TooLarge."""
        require_bounded(parser_context)
        return super().parse(stream, media_type, parser_context)


class MultiPartParser(parsers.MultiPartParser):
    """Multi-part forms of bounded size."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Context | None = None) -> Any:
        """The data of the body. ParseError, TooLarge."""
        require_bounded(parser_context)
        return super().parse(stream, media_type, parser_context)
