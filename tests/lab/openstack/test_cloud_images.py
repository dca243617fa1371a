"""Images that are sent and images of machines, against the real Glance, Nova and Cinder."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from hypervisors.drivers.base import Driver
from hypervisors.drivers.openstack.cloud import OpenStackCloud
from olimpus.errors import Rejected, VMNotFound
from tests.contract.contract import make_spec
from tests.lab.cloud import Cloud

QCOW2 = b"QFI\xfb\x00\x00\x00\x03"


def stop(lab: Cloud, ref: str) -> None:
    api = lab.sdk().compute
    api.stop_server(ref)
    api.wait_for_server(api.get_server(ref), status="SHUTOFF", interval=0.5)


class Pipe(io.RawIOBase):
    """A stream that cannot be rewound, as from a socket; it tells the largest piece that was asked for."""

    def __init__(self, content: bytes):
        self._left = content
        self.largest = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "read in pieces"
        self.largest = max(self.largest, size)
        piece, self._left = self._left[:size], self._left[size:]
        return piece


@pytest.mark.parametrize("kind", [Pipe, io.BytesIO], ids=["pipe", "file"])
def test_an_image_is_sent_in_pieces(cloud: OpenStackCloud, name: str, kind: Callable[[bytes], Any]) -> None:
    content = QCOW2 + bytes(3 << 20)
    data = kind(content)
    image = cloud.upload_image(name, data, "qcow2")
    try:
        assert (image.status, image.size_bytes, image.format, image.visibility) == (
            "active", len(content), "qcow2", "private",
        )  # fmt: skip
        assert getattr(data, "largest", 0) <= 1 << 20
        with pytest.raises(Rejected, match=f"There is an image “{name}” already"):
            cloud.upload_image(name, io.BytesIO(content), "qcow2")
    finally:
        cloud.delete_image(image.id)
    cloud.delete_image(image.id)
    assert name not in {image.name for image in cloud.images()}


def test_what_another_project_keeps_to_itself_is_not_offered(
    cloud: OpenStackCloud, reach: Callable[..., OpenStackCloud], driver: Callable[..., Driver], name: str
) -> None:
    """Though Glance tells an administrator of it."""
    demo = reach("lab-demo")
    image = demo.upload_image(name, io.BytesIO(QCOW2 + bytes(1 << 20)), "qcow2")
    try:
        assert name in {image.name for image in demo.images()}
        assert name not in {image.name for image in cloud.images()}
        for wanted in (name, image.id):
            with pytest.raises(Rejected, match="There is no image"):
                driver().create(make_spec(image=wanted, nics=()))
    finally:
        demo.delete_image(image.id)


@pytest.mark.parametrize(
    ("content", "format", "where"),
    [(b"", "raw", "file"), (b"no image", "qcow2", "file"), (QCOW2, "raw", "file"), (QCOW2, "qcow3", "format")],
)
def test_a_wrong_file_leaves_no_image(
    cloud: OpenStackCloud, name: str, content: bytes, format: str, where: str
) -> None:
    with pytest.raises(Rejected) as refused:
        cloud.upload_image(name, io.BytesIO(content), format)
    assert refused.value.where == where
    assert name not in {image.name for image in cloud.images()}
    if where == "format":
        assert "qcow2" in refused.value.hint


class Broken(Pipe):
    def read(self, size: int = -1) -> bytes:
        if len(self._left) < 1 << 20:
            raise OSError("the sender is gone")
        return super().read(size)


def test_an_upload_that_breaks_leaves_no_image(cloud: OpenStackCloud, name: str) -> None:
    with pytest.raises(Exception, match=".") as broken:
        cloud.upload_image(name, Broken(QCOW2 + bytes(4 << 20)), "qcow2")
    assert hasattr(broken.value, "hint")
    assert name not in {image.name for image in cloud.images()}


def test_a_machine_that_is_off_becomes_an_image_once(cloud: OpenStackCloud, lab: Cloud, server: str, name: str) -> None:
    with pytest.raises(Rejected, match="ACTIVE"):
        cloud.publish(server, name)
    stop(lab, server)
    image = cloud.publish(server, name)
    try:
        assert (image.status, image.name) == ("active", name)
        ours = {key for key in lab.sdk().image.get_image(image.id).properties if key.startswith("olimpus_")}
        assert ours == {"olimpus_published_from"}  # no mark of a snapshot
        assert cloud.publish(server, name).id == image.id
        with pytest.raises(Rejected, match="cirros"):
            cloud.publish(server, "cirros")
    finally:
        cloud.delete_image(image.id)


def test_a_machine_on_a_volume_becomes_an_image_of_its_own(cloud: OpenStackCloud, lab: Cloud, name: str) -> None:
    api = lab.sdk().compute
    image = lab.sdk().image.find_image("cirros").id
    disk = {"boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "volume", "volume_size": 1}
    disk["delete_on_termination"] = True
    flavor = api.find_flavor("nano").id
    made = api.create_server(name=name, flavor_id=flavor, networks="none", block_device_mapping=[disk])
    try:
        api.wait_for_server(made, interval=0.5)
        stop(lab, made.id)
        published = cloud.publish(made.id, name)
        try:
            assert published.status == "active"
            assert published.size_bytes > 0
            assert cloud.publish(made.id, name).id == published.id
            assert [volume.name for volume in cloud.volumes() if made.id in volume.name] == []
        finally:
            cloud.delete_image(published.id)
    finally:
        api.delete_server(made.id)
        api.wait_for_delete(made, interval=0.5)


def test_an_unknown_machine_is_not_published(cloud: OpenStackCloud, name: str) -> None:
    with pytest.raises(VMNotFound):
        cloud.publish(str(uuid.uuid4()), name)
