"""The parts of the cloud are one class: none may hide what another one calls."""

from __future__ import annotations

import io
from collections import Counter

import pytest

from hypervisors.drivers.openstack.cloud import OpenStackCloud
from hypervisors.drivers.openstack.images import CHUNK, Upload
from hypervisors.drivers.openstack.rest import at, nearest
from olimpus.errors import Missing


def test_no_part_hides_another() -> None:
    parts = [part for part in OpenStackCloud.__mro__ if "openstack" in part.__module__]
    names = Counter(name for part in parts for name in vars(part) if not name.startswith("__"))
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("key", ["../x", "a/b", "a?b=c", "a#b", "ü", "%2f"])
def test_an_id_is_one_step_of_a_path(key: str) -> None:
    path = at("/volumes", key)
    assert path.startswith("/volumes/")
    assert not set("/?#") & set(path.removeprefix("/volumes/"))


@pytest.mark.parametrize("key", [".", ".."])
def test_dots_are_the_name_of_nothing(key: str) -> None:
    with pytest.raises(Missing):
        at("/volumes", key)


def test_the_nearest_name_comes_with_its_id() -> None:
    known = [{"id": "1", "name": "campus"}, {"id": "2", "name": "library"}]
    assert nearest("campos", known) == "The nearest is “campus” (1)."
    assert nearest("2", known) == "The nearest is “library” (2)."
    assert nearest("qcow", [{"id": "qcow2"}, {"id": "raw"}]) == "The nearest is “qcow2”."
    assert nearest("x", []) == ""


def test_a_file_is_sent_once_and_its_length_told() -> None:
    data = io.BytesIO(b"head" + bytes(3 * CHUNK))
    sent = Upload(data.read(4), data)
    assert len(sent) == 4 + 3 * CHUNK
    assert max(map(len, sent)) <= CHUNK
    assert sent.sent == len(sent)
    with pytest.raises(OSError, match="second time"):
        list(sent)
