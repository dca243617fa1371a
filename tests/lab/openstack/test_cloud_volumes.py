"""Volumes through their life, against the real Cinder and Nova."""

from __future__ import annotations

import uuid

import pytest

from hypervisors.drivers.openstack.cloud import OpenStackCloud
from olimpus.errors import CapacityExceeded, Missing, Rejected, VMNotFound
from tests.lab.cloud import Cloud


def test_a_volume_through_its_life(cloud: OpenStackCloud, server: str, name: str) -> None:
    volume = cloud.create_volume(name, 1, type="files")
    try:
        assert (volume.status, volume.size_gib, volume.type, volume.bootable) == ("available", 1, "files", False)
        assert cloud.create_volume(name, 1).id == volume.id
        with pytest.raises(Rejected, match="already, of 1 GiB"):
            cloud.create_volume(name, 2)
        attached = cloud.attach_volume(volume.id, server)
        assert [one.vm_ref for one in attached.attachments] == [server]
        assert attached.attachments[0].device.startswith("/dev/")
        assert cloud.attach_volume(volume.id, server) == attached
        with pytest.raises(Rejected, match=f"attached to “{name}”"):
            cloud.delete_volume(volume.id)
        assert cloud.detach_volume(volume.id, str(uuid.uuid4())).attachments == attached.attachments
        assert cloud.detach_volume(volume.id).attachments == ()
        assert cloud.detach_volume(volume.id, server).status == "available"
        assert cloud.extend_volume(volume.id, 3).size_gib == 3
        assert cloud.extend_volume(volume.id, 3).size_gib == 3
        with pytest.raises(Rejected, match="has 3 GiB and cannot shrink to 2"):
            cloud.extend_volume(volume.id, 2)
    finally:
        cloud.delete_volume(volume.id)
    cloud.delete_volume(volume.id)
    assert volume.id not in {item.id for item in cloud.volumes()}


def test_snapshots_of_a_volume(cloud: OpenStackCloud, name: str) -> None:
    volume = cloud.create_volume(name, 1)
    snapshot = cloud.snapshot_volume(volume.id, name)
    try:
        assert (snapshot.status, snapshot.size_gib, snapshot.volume_id) == ("available", 1, volume.id)
        assert cloud.snapshot_volume(volume.id, name).id == snapshot.id
        assert snapshot.id in {item.id for item in cloud.volume_snapshots()}
        with pytest.raises(Rejected, match=f"has snapshots: {name}"):
            cloud.delete_volume(volume.id)
        copy = cloud.create_volume(f"{name}-copy", 0, snapshot=snapshot.id)
        assert copy.size_gib == 1
        cloud.delete_volume(copy.id)
    finally:
        cloud.delete_volume_snapshot(snapshot.id)
        cloud.delete_volume_snapshot(snapshot.id)
        cloud.delete_volume(volume.id)


def test_a_volume_from_an_image_can_be_booted(cloud: OpenStackCloud, name: str) -> None:
    image = next(image for image in cloud.images() if image.name == "cirros")
    volume = cloud.create_volume(name, 1, image=image.id)
    try:
        assert volume.bootable
    finally:
        cloud.delete_volume(volume.id)


def test_volumes_that_cannot_be_are_refused_before_anything_is_made(cloud: OpenStackCloud, name: str) -> None:
    with pytest.raises(Missing) as unknown:
        cloud.create_volume(name, 1, type="fils")
    assert "“files”" in unknown.value.hint
    with pytest.raises(Missing, match="There is no image"):
        cloud.create_volume(name, 1, image="cirros")
    with pytest.raises(Missing, match="There is no snapshot"):
        cloud.create_volume(name, 1, snapshot="nope")
    with pytest.raises(Rejected, match="0 GiB are too few: it takes 1"):
        cloud.create_volume(name, 0)
    assert name not in {volume.name for volume in cloud.volumes()}


def test_a_volume_needs_a_machine_that_exists(cloud: OpenStackCloud, name: str) -> None:
    volume = cloud.create_volume(name, 1)
    try:
        with pytest.raises(VMNotFound):
            cloud.attach_volume(volume.id, str(uuid.uuid4()))
        assert cloud.detach_volume(volume.id).status == "available"
    finally:
        cloud.delete_volume(volume.id)


def test_a_volume_that_fails_says_why_and_is_gone(cloud: OpenStackCloud, lab: Cloud, name: str) -> None:
    api = lab.sdk().block_storage
    kind = api.create_type(name=name, extra_specs={"volume_backend_name": "nowhere"})
    try:
        with pytest.raises(CapacityExceeded, match="ended as “error”: .*weighted backend"):
            cloud.create_volume(name, 1, type=name)
        assert name not in {volume.name for volume in cloud.volumes()}
    finally:
        api.delete_type(kind)
