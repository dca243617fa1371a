"""Pages of the browsable API. Apart from `olimpus.api`: DRF reads this setting while it is still being imported itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from csp.constants import UNSAFE_INLINE
from rest_framework import renderers


class PngRenderer(renderers.BaseRenderer):
    """For views that answer pictures to whoever asks for one; what else they say (problems) is JSON."""

    media_type = "image/png"
    format = "png"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """Of a problem; a picture does not come by here."""
        told: bytes = renderers.JSONRenderer().render(data, renderer_context=renderer_context)
        return told


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """DRF's pages under our content security policy: its templates carry style attributes, and no inline script."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> str:
        """The page; its answer alone allows style attributes, and says that it is HTML also when it tells a problem."""
        page: str = super().render(data, accepted_media_type, renderer_context)
        if response := (renderer_context or {}).get("response"):
            response._csp_update = {"style-src-attr": [UNSAFE_INLINE]}
            response["Content-Type"] = f"{self.media_type}; charset={self.charset}"
        return page

    def get_context(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Without the inline style sheet that DRF adds for coloured code."""
        return {**super().get_context(*args, **kwargs), "code_style": ""}
