"""The SSH transport that tunnels use: paramiko's, which keeps the order of what it says about a channel."""

from __future__ import annotations

import threading
from typing import Any, Final

import paramiko
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_REQUEST, MSG_CHANNEL_WINDOW_ADJUST


class Transport(paramiko.Transport):
    """Says nothing more about a channel once it has said that the channel is closed.

    Threads that send leave the channel's lock before they do; the thread that reads may meanwhile have answered the other
    side's CLOSE. Data or EOF after that is about a channel that does not exist any more, for which sshd ends the whole
    connection.
    """

    #: Messages about one channel, whose number (of the other side) follows the type.
    ABOUT: Final = range(MSG_CHANNEL_WINDOW_ADJUST, MSG_CHANNEL_REQUEST + 1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._in_order = threading.Lock()
        self._closed_numbers: set[int] = set()
        super().__init__(*args, **kwargs)

    def _send_user_message(self, data: paramiko.Message) -> None:
        with self._in_order:
            said = data.asbytes()
            number = int.from_bytes(said[1:5], "big") if said[0] in self.ABOUT else None
            if number in self._closed_numbers:
                return
            if said[0] == MSG_CHANNEL_CLOSE and number is not None:
                self._closed_numbers.add(number)
            super()._send_user_message(data)

    def _parse_channel_open_success(self, m: paramiko.Message) -> None:
        """The other side has given the number to a new channel."""
        self._closed_numbers.discard(int.from_bytes(m.asbytes()[4:8], "big"))
        super()._parse_channel_open_success(m)
