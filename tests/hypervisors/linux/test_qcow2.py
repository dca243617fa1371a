"""Whether a qcow2 file is all there: asked of images that QEMU itself has made."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hypervisors.drivers.linux.qcow2 import HEAD, is_complete

MIB = 1024**2
KINDS = {
    "version 2": ["compat=0.10"],
    "version 3": ["compat=1.1"],
    "small clusters": ["cluster_size=512"],
    "large clusters": ["cluster_size=2M"],
    "extended": ["extended_l2=on,cluster_size=64k"],
}


@pytest.fixture(params=[(kind, packed) for kind in KINDS for packed in (False, True)], ids=str)
def image(request: pytest.FixtureRequest, tmp_path: Path) -> bytes:
    """A disk of 8 MiB, a quarter of it written."""
    tool = shutil.which("qemu-img")
    if not tool:
        pytest.skip("qemu-img (Debian's qemu-utils) makes the images")
    kind, packed = request.param
    raw, made = tmp_path / "raw", tmp_path / "made.qcow2"
    raw.write_bytes(bytes(MIB) + os.urandom(2 * MIB) + bytes(5 * MIB))
    options = ["-c"] if packed else []
    command = [tool, "convert", "-f", "raw", "-O", "qcow2", *options, "-o", KINDS[kind][0], str(raw), str(made)]
    subprocess.run(command, check=True)
    return made.read_bytes()


def whole(data: bytes) -> bool:
    return is_complete(data[:HEAD], io.BytesIO(data))


def test_what_qemu_makes_is_whole_and_what_is_cut_off_is_not(image):
    assert whole(image)
    assert not any(whole(image[: len(image) * share // 10]) for share in range(1, 6))


def test_a_header_that_makes_no_sense(image):
    damaged = {"cluster size": (20, 255), "size of the disk": (24, 2**31), "place of the table": (40, 2**30)}
    for what, (at, value) in damaged.items():
        assert not whole(image[:at] + value.to_bytes(4, "big") + image[at + 4 :]), what
