"""Answers of the real OpenStack of the lab, kept in files: recorded once, played to the tests that run without it.

`OPENSTACK_RECORD=1 pytest tests/hypervisors/openstack` runs these tests against the lab and writes the files anew. What we
send is not kept, and neither are tokens.
"""

from __future__ import annotations

import json
import os
import threading
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from ruamel.yaml import YAML

from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.settings import SETTINGS
from hypervisors.drivers.openstack.transport import requests_session

ANSWERS = Path(__file__).parent / "answers"
RECORDING = bool(os.environ.get("OPENSTACK_RECORD"))
LAB = Path(os.environ.get("OPENSTACK_LAB_DIR", "/var/tmp/openstack-lab")) / "clouds.yaml"
KEPT_HEADERS = ("Content-Type", "Retry-After", "OpenStack-API-Version", "Date")
ACCOUNT = {"auth_url": "http://127.0.0.1:5000/v3", "username": "x", "password": "x", "project_name": "x"}


def session(name: str, home: Path, who: str = "lab") -> Session:
    """A session whose answers come from the file of this name, or go there."""
    made = Session("lab", {setting.name: setting.default for setting in SETTINGS} | account(who), home)
    made._http = requests.Session() if not RECORDING else requests_session()
    adapter = Recorder(ANSWERS / f"{name}.json") if RECORDING else Player(ANSWERS / f"{name}.json")
    made._http.mount("http://", adapter)
    return made


def account(who: str) -> dict[str, Any]:
    return dict(YAML(typ="safe").load(LAB)["clouds"][who]["auth"]) if RECORDING else ACCOUNT


class Recorder(BaseAdapter):
    """Asks the lab and writes down what it answers."""

    def __init__(self, file: Path):
        super().__init__()
        self._file = file
        self._kept: list[dict[str, Any]] = []
        self._writing = threading.Lock()
        self._real = requests_session().get_adapter("http://")

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        response = self._real.send(request, **options)
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        said = {"status": response.status_code, "headers": headers, "body": response.text}
        with self._writing:
            self._kept.append({"asked": _key(request), **said})
            self._file.parent.mkdir(exist_ok=True)
            self._file.write_text(json.dumps(self._kept, indent=1, ensure_ascii=False) + "\n")
        return response

    def close(self) -> None:
        self._real.close()


class Player(BaseAdapter):
    """Says what the lab said: the answers to one question in their order, the last one again and again."""

    def __init__(self, file: Path):
        super().__init__()
        self._answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for answer in json.loads(file.read_text()):
            self._answers[answer["asked"]].append(answer)

    def send(self, request: requests.PreparedRequest, **_options: Any) -> requests.Response:  # type: ignore[override]
        known = self._answers.get(_key(request))
        assert known, f"not recorded: {_key(request)}"
        said = known.pop(0) if len(known) > 1 else known[0]
        response = requests.Response()
        response.status_code = said["status"]
        response.headers.update(said["headers"])
        response._content = _fresh(said["body"]).encode()
        response.encoding = "utf-8"
        response.url = str(request.url)
        response.request = request
        if "/auth/tokens" in str(request.url):
            response.headers["X-Subject-Token"] = "played"
        return response

    def close(self) -> None:
        pass


def _key(request: requests.PreparedRequest) -> str:
    parts = urlsplit(str(request.url))
    query = "&".join(part for part in parts.query.split("&") if not part.startswith("changes-since="))
    return f"{request.method} {parts.port}{parts.path}?{query}"


def _fresh(body: str) -> str:
    """A token that was good when it was recorded is good again."""
    if not body.startswith('{"token"'):
        return body
    said = json.loads(body)
    said["token"]["expires_at"] = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return json.dumps(said)
