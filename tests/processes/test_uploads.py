"""A large file through the real web process: it arrives whole, and costs hardly any memory."""

from __future__ import annotations

from pathlib import Path

import psutil

from tests.processes.installation import Installation

MIB = 1 << 20
SIZE, MOST = 200 * MIB, 48 * MIB
FAR = 150 * MIB


def disk(path: Path, kind: bytes) -> Path:
    """A VMDK whose descriptor, far inside, says this kind; the rest is a hole."""
    head = b"KDMV" + bytes(24) + (FAR // 512).to_bytes(8, "little") + (1).to_bytes(8, "little")
    with path.open("wb") as file:
        file.write(head)
        file.seek(FAR)
        file.write(b'createType="%s"' % kind)
        file.truncate(SIZE)
    return path


def test_a_large_image_is_read_piece_by_piece(installation: Installation, tmp_path: Path) -> None:
    installation.load()
    installation.run(
        "hypervisor_actions.create({'name': 'campus', 'driver': 'openstack', 'settings': {'auth_url': "
        "'http://127.0.0.1:9/v3', 'username': 'x', 'password': 'x', 'project_name': 'x'}}, actor=admin)"
    )
    web = psutil.Process(installation.web().pid)
    with installation.api() as api:
        api.get("/openstack/flavors")
        before = web.memory_info().rss
        answers = {}
        for kind in (b"monolithicFlat", b"monolithicSparse"):
            with disk(tmp_path / kind.decode(), kind).open("rb") as file:
                told = api.post("/openstack/images", data={"name": "large"}, files={"file": file}, timeout=300)
            answers[kind] = (told.status_code, told.json()["type"])
        # Only the second gets as far as the cloud, which is not there.
        assert answers[b"monolithicFlat"] == (400, "input:invalid")
        assert answers[b"monolithicSparse"] == (502, "hypervisor:unreachable")
        assert web.memory_info().rss - before < MOST
