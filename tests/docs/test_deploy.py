"""What `deploy/` ships works."""

from __future__ import annotations

import gzip
import importlib.util
import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.docs.generated import ROOT
from tests.docs.test_docs import _variables_read

DEPLOY = ROOT / "deploy"
spec = importlib.util.spec_from_file_location("backup", DEPLOY / "backup.py")
backup = importlib.util.module_from_spec(spec)
spec.loader.exec_module(backup)


def database(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "data base.sqlite3")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE things (name TEXT)")
        connection.execute("INSERT INTO things VALUES ('web')")
        connection.commit()
    return f"sqlite:///{folder / 'data base.sqlite3'}"


def test_a_backup_can_be_restored(tmp_path: Path) -> None:
    copy = backup.backup(database(tmp_path), tmp_path / "copies")
    assert copy.stat().st_mode & 0o777 == 0o600
    restored = tmp_path / "restored.sqlite3"
    restored.write_bytes(gzip.decompress(copy.read_bytes()))
    with closing(sqlite3.connect(restored)) as connection:
        assert connection.execute("SELECT name FROM things").fetchall() == [("web",)]


def test_a_backup_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error):
        backup.backup(f"sqlite:///{tmp_path / 'missing.sqlite3'}", tmp_path / "copies")
    assert list((tmp_path / "copies").iterdir()) == []


def test_the_newest_backups_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    for day in (1, 2, 3):
        (folder / f"olimpus-2026010{day}T000000Z.sqlite3.gz").touch()
    (folder / "notes.txt").touch()
    copy = backup.backup(database(tmp_path), folder, keep=2)
    assert {path.name for path in folder.iterdir()} == {copy.name, "olimpus-20260103T000000Z.sqlite3.gz", "notes.txt"}


def test_other_databases_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="postgres"):
        backup.backup("postgres://localhost/olimpus", tmp_path)


def test_the_environment_example_names_only_variables_that_are_read() -> None:
    named = set(re.findall(r"^#?([A-Z_]+)=", (DEPLOY / "olimpus.env.example").read_text(), re.MULTILINE))
    assert named - _variables_read() == {"DJANGO_SETTINGS_MODULE"}


def test_manage_runs_with_the_environment_of_the_site(tmp_path: Path) -> None:
    file = tmp_path / "olimpus.env"
    lines = [(DEPLOY / "olimpus.env.example").read_text(), f"OLIMPUS_HOME={tmp_path / 'home'}", "OLIMPUS_SECRET_KEY=x"]
    file.write_text("\n".join([*lines, f"OLIMPUS_SECRET_KEYS={Fernet.generate_key().decode()}", ""]))
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("OLIMPUS", "DJANGO", "DATABASE"))
    }
    environment = clean | {"OLIMPUS_ENV": str(file), "OLIMPUS_USER": ""}
    command = [DEPLOY / "manage", "diffsettings", "--output", "unified"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "+ ALLOWED_HOSTS = ['olimpus.example.edu']" in told
    assert f"+ OLIMPUS_HOME = PosixPath('{tmp_path / 'home'}')" in told
    assert "+ SECURE_SSL_REDIRECT = True" in told


@pytest.mark.parametrize("unit", sorted(path.name for path in (DEPLOY / "systemd").iterdir()))
def test_units_name_files_that_exist(unit: str) -> None:
    text = (DEPLOY / "systemd" / unit).read_text()
    installed = set(re.findall(r"/opt/olimpus/([\w./]+)", text)) - {".venv/bin/python"}
    assert all((ROOT / path).exists() for path in installed)
    assert all((DEPLOY / "systemd" / re.sub(r"@\w+\.", "@.", name)).exists() for name in _ours(text))


def _ours(text: str) -> set[str]:
    return set(re.findall(r"olimpus[\w-]*(?:@\w+)?\.(?:service|target|timer)", text))
