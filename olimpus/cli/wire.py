"""WebSockets to the server, opened with the token."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.words import gettext as _

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection


class Lost(Exception):
    """The connection was not made, or broke."""


@contextlib.contextmanager
def connected(here: Context, path: str) -> Iterator[ClientConnection]:
    """A socket at this path of the server. Raises Failure when the server refuses it, `Lost` when there is no connection."""
    from websockets.exceptions import InvalidHandshake, InvalidStatus  # loaded by few commands
    from websockets.sync.client import connect

    address = f"ws{here.settings.address.removeprefix('http')}{path}"
    headers = {"Authorization": f"Bearer {here.settings.token}"}
    try:
        socket = connect(address, additional_headers=headers, open_timeout=10, close_timeout=1, max_size=None)
    except InvalidStatus as error:
        if error.response.status_code >= 500:
            raise Lost(f"HTTP {error.response.status_code}") from error
        why = _("The live connection is refused (HTTP %(status)d).") % {"status": error.response.status_code}
        raise Failure(why, Exit.SERVER, where=address.partition("?")[0]) from error
    except (OSError, InvalidHandshake, TimeoutError, EOFError) as error:
        raise Lost(str(error)) from error
    with socket:
        yield socket
