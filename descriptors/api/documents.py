"""Bodies and answers that are documents: JSON or YAML, every fault with its line and column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from descriptors.documents import Positions, dump_yaml, load_with_lines, locate
from olimpus.errors import Invalid
from olimpus.parsers import Context, require_bounded
from olimpus.renderers import BrowsableAPIRenderer

YAML = "application/yaml"


@dataclass(frozen=True)
class Document:
    """A body that was read, and where each value stands in it."""

    data: Any
    positions: Positions


class DocumentParser(BaseParser):
    """Reads JSON and YAML by the same bounded reader."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Context | None = None) -> Document:
        """The document of the body. TooLarge, Invalid with line and column."""
        require_bounded(parser_context)
        return Document(*load_with_lines(stream.read(), name="body"))


class YamlDocumentParser(DocumentParser):
    """The same, announced as YAML."""

    media_type = YAML


class YamlRenderer(BaseRenderer):
    """Answers as YAML; problems stay JSON."""

    media_type = YAML
    format = "yaml"
    charset = "utf-8"

    def render(
        self, data: Any, media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The text of the answer."""
        response = (renderer_context or {}).get("response")
        if response is not None and response.exception:
            return JSONRenderer().render(data, renderer_context=renderer_context)
        return dump_yaml(data)


PARSERS = [DocumentParser, YamlDocumentParser]
RENDERERS = [JSONRenderer, YamlRenderer, BrowsableAPIRenderer]


def wants_yaml(request: Request) -> bool:
    """Whether the answer goes out as YAML."""
    return getattr(request.accepted_renderer, "format", "") == "yaml"


def body_of(request: Request) -> Document:
    """The document that was sent. Invalid when nothing was."""
    document = request.data
    if not isinstance(document, Document) or document.data is None:
        raise Invalid(_("The body is empty."), where="body")
    return document


@contextmanager
def located(document: Document) -> Iterator[None]:
    """Faults raised inside that know their path in the document get line and column, too."""
    try:
        yield
    except Invalid as error:
        if any("path" in fault for fault in error.errors):
            raise locate(error, document.positions) from error
        raise
