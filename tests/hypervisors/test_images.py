"""What an image is, told by its content, and which ones are refused."""

from __future__ import annotations

import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisors.images import FORMATS, inspect
from olimpus.errors import Invalid


def qcow2(version: int = 3, backing: int = 0, features: int = 0) -> bytes:
    head = b"QFI\xfb" + version.to_bytes(4, "big") + backing.to_bytes(8, "big") + bytes(56)
    return head + features.to_bytes(8, "big") + bytes(424)


def vmdk(kind: str = "monolithicSparse", at: int = 1, sectors: int = 20) -> bytes:
    head = b"KDMV" + bytes(24) + at.to_bytes(8, "little") + sectors.to_bytes(8, "little")
    return head.ljust(512, b"\0") + f'# Disk DescriptorFile\ncreateType="{kind}"\n'.encode()


def at(offset: int, magic: bytes) -> bytes:
    return bytes(offset) + magic + bytes(64)


WHOLE = {
    "qcow2": qcow2(),
    "raw": b"\xeb\x63\x90" + bytes(600),
    "iso": at(32769, b"CD001"),
    "vmdk": vmdk(),
    "vdi": at(64, b"\x7f\x10\xda\xbe")[:76] + (1).to_bytes(4, "little"),
    "vhd": b"conectix" + bytes(52) + (3).to_bytes(4, "big"),
}
UNSAFE = {
    "backing file": qcow2(backing=512),
    "backing file of version 2": qcow2(2, backing=512),
    "external data": qcow2(features=4),
    "cut off": qcow2()[:30],
    "descriptor only": b'# Disk DescriptorFile\ncreateType="monolithicFlat"',
    "flat extents": vmdk("monolithicFlat"),
    "no descriptor": vmdk(sectors=0),
    "descriptor far away": vmdk(at=2**60),
    "differencing VHD": b"conectix" + bytes(52) + (4).to_bytes(4, "big"),
    "differencing VDI": at(64, b"\x7f\x10\xda\xbe")[:76] + (4).to_bytes(4, "little"),
    "VHDX": b"vhdxfile" + bytes(600),
}


def test_every_format_is_known_by_its_content():
    assert set(WHOLE) == set(FORMATS)
    for name, content in WHOLE.items():
        file = io.BytesIO(content)
        file.seek(7)
        assert inspect(file) == inspect(file, name) == name
        assert file.tell() == 0


@pytest.mark.parametrize("name", UNSAFE)
def test_what_points_at_other_files_is_refused(name):
    with pytest.raises(Invalid) as caught:
        inspect(io.BytesIO(UNSAFE[name]))
    assert (caught.value.where, "qemu-img" in caught.value.hint) == ("file", True)


def test_another_format_than_told_is_refused():
    for wanted in ("raw", "iso"):
        with pytest.raises(Invalid, match="qcow2"):
            inspect(io.BytesIO(qcow2()), wanted)


@given(st.sampled_from([b"QFI\xfb", b"KDMV", b"COWD", b"conectix", b""]), st.binary(max_size=700))
def test_nothing_is_believed_blindly(magic, content):
    with suppress(Invalid):
        assert inspect(io.BytesIO(magic + content)) in FORMATS
