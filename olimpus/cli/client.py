"""Talks HTTP to one Olimpus: answers as data, everything else as one `Failure` that says what to do.

Tokens are sent to this server only: redirects are not followed, and pages are asked for by number, not by the links in
answers.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from olimpus.cli.errors import Exit, Failure
from olimpus.cli.faults import not_olimpus, of_connection, of_response
from olimpus.cli.loading import load_httpx, trusted
from olimpus.cli.words import gettext as _
from olimpus.cli.words import language

if TYPE_CHECKING:
    import httpx

SAFE: Final = frozenset({"GET", "HEAD"})
#: Seconds before each further attempt.
PAUSES: Final = (0.2, 0.6)
#: Seconds a server may ask us to wait before we try again; after a longer wait we say so instead.
PATIENCE: Final = 5
PAGE: Final = 500
#: Seconds in which a server may do something with what was sent, after all of it has arrived.
UPLOAD_SECONDS: Final = 3600
#: The server keeps no answers of these addresses, so a repetition would be done again.
NEVER_REPEATED: Final = "/auth/"


class Client:
    """One server, one token. Paths are those below `/api`: `get("/nodes")`.

    Parameters of the query that are None are left out, True and False are `true` and `false`, lists are repeated.
    Connections that fail are tried again where that cannot do anything twice: reads, and a POST outside `/auth`, which
    carries an Idempotency-Key.
    """

    def __init__(self, address: str, token: str = "", *, seconds: float = 120, attempts: int = 3):
        self.address = address
        self.has_token = bool(token)
        self._pauses = PAUSES[: attempts - 1]
        headers = {"Accept": "application/json", "Accept-Language": language(), "User-Agent": "olimpus-cli"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._library: ModuleType = load_httpx()
        timeout = self._library.Timeout(seconds, connect=min(seconds, 10))
        try:
            self._http: httpx.Client = self._library.Client(
                headers=headers, timeout=timeout, base_url=address, verify=trusted(address)
            )
        except self._library.InvalidURL as error:
            raise Failure(_("This is no address of a server."), Exit.USAGE, where=address) from error

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    # -- data ----------------------------------------------------------------------------------------------------------
    def get(self, path: str, /, **params: Any) -> Any:
        """The data at an address. Raises Failure."""
        return data_of(self.request("GET", path, params=params))

    def rows(self, path: str, /, **params: Any) -> list[dict[str, Any]]:
        """The rows of an unpaged list. Raises Failure, also when what answers is no Olimpus."""
        return self._rows_of(self.get(path, **params))

    def listed(self, path: str, /, **params: Any) -> dict[str, Any]:
        """An unpaged list with what else is told about it. Raises Failure as `rows`."""
        answer = self.get(path, **params)
        self._rows_of(answer)
        return dict(answer)

    def post(self, path: str, /, body: Any = None, **params: Any) -> Any:
        """Ask for something to be done; None when the answer is empty. Raises Failure."""
        return data_of(self.request("POST", path, params=params, body=body))

    def patch(self, path: str, /, body: Any, **headers: str) -> Any:
        """Change some of it. Headers by name with `_` for `-`: `if_match='"3"'`. Raises Failure."""
        return data_of(self.request("PATCH", path, body=body, headers=_headers(headers)))

    def put(self, path: str, /, body: Any, **headers: str) -> Any:
        """Replace it. Headers as for `patch`. Raises Failure."""
        return data_of(self.request("PUT", path, body=body, headers=_headers(headers)))

    def delete(self, path: str) -> Any:
        """Delete it; None when the answer is empty. Raises Failure."""
        return data_of(self.request("DELETE", path))

    def paged(self, path: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """The rows of a list, page after page, as they are wanted. Raises Failure."""
        page: int | None = 1
        while page is not None:
            answer = self.get(path, **{"page_size": PAGE} | params | {"page": page})
            yield from self._rows_of(answer)
            page = page + 1 if answer.get("next") else None

    def _rows_of(self, answer: Any) -> list[dict[str, Any]]:
        rows = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise not_olimpus(self.address)
        return rows

    @contextlib.contextmanager
    def stream(self, path: str, /, **params: Any) -> Iterator[Iterator[bytes]]:
        """The bytes of a long answer as they arrive. Raises Failure."""
        headers = {"Accept": "*/*"}
        request = self._http.build_request("GET", self._url(path), params=_query(params), headers=headers)
        try:
            response = self._http.send(request, stream=True)
            with contextlib.closing(response):
                if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
                    response.read()
                    raise of_response(response, self)
                yield response.iter_bytes()
        except self._library.TransportError as error:
            raise of_connection(error, self.address) from error
        except self._library.DecodingError as error:
            raise not_olimpus(self.address) from error

    # -- requests ------------------------------------------------------------------------------------------------------
    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        content: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> httpx.Response:
        """One checked answer. `body` is sent as JSON; `content` as it is, with a Content-Type among the headers.

        `seconds`: how long to wait for it where that is not as long as usual.

        Raises Failure for whatever is no success.
        """
        given = dict(headers or {})
        if body is not None:
            content, given["Content-Type"] = json.dumps(body), "application/json"
        if method == "POST" and not path.startswith(NEVER_REPEATED):
            given.setdefault("Idempotency-Key", str(uuid.uuid4()))
        more = {"timeout": self._library.Timeout(seconds, connect=10)} if seconds else {}
        request = self._http.build_request(
            method, self._url(path), params=_query(params or {}), content=content, headers=given, **more
        )
        response = self._send(request)
        if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            raise of_response(response, self)
        return response

    def upload(self, path: str, /, content: Iterable[bytes], *, length: int, media_type: str, **params: Any) -> Any:
        """Send so many bytes as they come, and wait for the answer. Done once: what broke is not repeated. Raises Failure."""
        headers = {"Content-Type": media_type, "Content-Length": str(length)}
        timeout = self._library.Timeout(UPLOAD_SECONDS, connect=10)
        request = self._http.build_request(
            "POST", self._url(path), params=_query(params), content=content, headers=headers, timeout=timeout
        )
        try:
            response = self._http.send(request)
        except self._library.TransportError as error:
            raise of_connection(error, self.address) from error
        except self._library.DecodingError as error:
            raise not_olimpus(self.address) from error
        if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            raise of_response(response, self)
        return data_of(response)

    def _url(self, path: str) -> str:
        return f"{self.address}/api{path}"

    def _send(self, request: httpx.Request) -> httpx.Response:
        for pause in (*self._pauses, None):
            try:
                response = self._http.send(request)
            except self._library.TransportError as error:
                if pause is None or not self._may_repeat(request, error):
                    raise of_connection(error, self.address) from error
            except self._library.DecodingError as error:
                raise not_olimpus(self.address) from error
            else:
                wait = _asked_to_wait(response)
                if pause is None or wait is None or not _harmless_twice(request):
                    return response
                pause = max(pause, wait)
            time.sleep(pause)
        raise AssertionError  # the last attempt has returned or raised

    def _may_repeat(self, request: httpx.Request, error: Exception) -> bool:
        """A connection that was never made did nothing; one that broke may have."""
        broken = (self._library.ReadError, self._library.WriteError, self._library.RemoteProtocolError)
        if isinstance(error, self._library.ConnectError):
            return of_connection(error, self.address).passing
        return isinstance(error, broken) and _harmless_twice(request)


def _harmless_twice(request: httpx.Request) -> bool:
    return request.method in SAFE or "Idempotency-Key" in request.headers


def _asked_to_wait(response: httpx.Response) -> float | None:
    """Seconds, when the server says that the same request may soon succeed."""
    busy = response.status_code in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.CONFLICT)
    text = response.headers.get("Retry-After", "")
    return float(text) if busy and text.isdigit() and int(text) <= PATIENCE else None


def _query(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _written(value) for name, value in params.items() if value is not None}


def _written(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in given.items()}


def data_of(response: httpx.Response) -> Any:
    """The data of an answer, None when it is empty. Raises Failure when it is no data at all."""
    if not response.content:
        return None
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        address = str(response.url).partition("/api/")[0]
        raise not_olimpus(address, _("What answers there is a page for people.")) from None
