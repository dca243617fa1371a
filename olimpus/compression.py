"""Static files of an embedded installation are sent compressed too, although nobody ran `collectstatic`."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

SUFFIXES: Final = frozenset({".js", ".css", ".svg", ".json", ".map"})
#: Smaller files gain nothing.
LEAST_BYTES: Final = 1024


class CompressedStaticMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise whose files have a compressed copy in the data folder, made when the server first finds them."""

    def get_static_file(self, path: str, url: str, stat_cache: Any = None) -> Any:
        """The file with its compressed copy, where there is one."""
        found = super().get_static_file(path, url, stat_cache)
        copy = compressed(Path(path), Path(settings.OLIMPUS_HOME) / "compressed")
        if copy is None:
            return found
        own = {"Vary", "Last-Modified", "ETag", "Content-Length", "Content-Encoding"}
        headers = [(name, value) for name, value in found.alternatives[-1][2] if name not in own]
        return StaticFile(path, headers, encodings={"gzip": str(copy)})


def compressed(path: Path, folder: Path) -> Path | None:
    """The compressed copy of a file in `folder`, made when it is missing; None for files that gain nothing. Repeatable."""
    if path.suffix not in SUFFIXES:
        return None
    stat = path.stat()
    if stat.st_size < LEAST_BYTES:
        return None
    name = hashlib.sha256(f"{path}:{stat.st_mtime_ns}:{stat.st_size}".encode()).hexdigest()[:32]
    copy = folder / f"{name}.gz"
    if not copy.exists():
        folder.mkdir(exist_ok=True)
        part = copy.with_suffix(".part")
        part.write_bytes(gzip.compress(path.read_bytes(), 7, mtime=0))
        part.replace(copy)
    return copy
