"""What `manage.py import_course` prints and how it ends."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from rich.console import Console

from accounts.models import Entry, User
from courses import console
from descriptors.models import Node, Operation
from hypervisors import actions as hypervisors


def run(*args, **options) -> str:
    out = io.StringIO()
    call_command("import_course", *map(str, args), stdout=out, **options)
    return out.getvalue()


def failure(*args, **options) -> CommandError:
    with pytest.raises(CommandError) as caught:
        run(*args, **options)
    return caught.value


def test_a_plan_changes_nothing(files, admin):
    text = run(files[0], roster=files[1])
    assert "TEL141 · Redes → /courses/TEL141" in text
    assert "/courses/TEL141/u1/web" in text
    assert "--apply" in text
    assert Node.objects.count() == 1


def test_apply_and_again(files, admin):
    assert "Done" in run(files[0], roster=files[1], apply=True)
    assert Node.objects.count() == 12
    assert Entry.objects.get(verb="course.import").via == "command"
    assert "Nothing to do" in run(files[0], roster=files[1], apply=True)


def test_json(files, admin):
    report = json.loads(run(files[0], roster=files[1], json=True))
    assert report["applied"] is False
    assert report["counts"]["machines"] == 6
    assert json.loads(run(files[0], roster=files[1], json=True, apply=True))["applied"] is True


def test_effects_and_missing_are_shown(files, admin):
    run(files[0], roster=files[1], apply=True)
    files[0].write_text(files[0].read_text().replace("flavor: small", "flavor: medium"))
    files[1].write_text("usuario\nu1\nu2\n")
    text = run(files[0], roster=files[1])
    assert "/courses/TEL141: flavor" in text
    assert "6 machines change at once" in text
    assert "/courses/TEL141/u3" in text


def test_bad_files_are_told_with_their_lines_and_code_2(files, admin):
    files[0].write_text("course: X\nmachines: {web: {imagen: a}}\ncommon: {cpus: 0}\n")
    error = failure(files[0], roster=files[1], apply=True)
    assert error.returncode == 2
    assert "course.yaml:2:18: machines.web: imagen" in str(error)
    assert "course.yaml:3:10: common: cpus" in str(error)
    files[1].write_text("usuario\nu1\n;\nU1\n")
    assert "Nothing was changed" in str(failure(files[0], roster=files[1]))
    assert Node.objects.count() == 1


def test_a_file_that_is_not_there(files, admin, tmp_path):
    error = failure(tmp_path / "none.yaml")
    assert (error.returncode, "none.yaml" in str(error)) == (2, True)


def test_refusals_end_with_code_1(files, admin):
    User.objects.create_user("eva")
    assert failure(files[0], roster=files[1], apply=True, actor="eva").returncode == 1
    assert failure(files[0], roster=files[1], apply=True, actor="nobody").returncode == 1
    assert Node.objects.count() == 1


def test_without_a_superuser(files, db):
    error = failure(files[0], roster=files[1])
    assert "manage.py setup" in str(error)


@pytest.mark.parametrize(
    "options",
    [
        {"create": True},
        {"invite": True},
        {"apply": True, "dry_run": True},
        {"apply": True, "create": True, "start": True, "wait": False},
    ],
)
def test_options_that_make_no_sense(files, admin, options):
    assert failure(files[0], roster=files[1], **options).returncode == 2
    assert Node.objects.count() == 1


def test_create_asks_for_one_operation_on_the_folder(files, admin, settings, tmp_path):
    settings.OLIMPUS_HOME = tmp_path
    hypervisors.create({"name": "rack", "driver": "mock", "settings": {"latency": 0}}, actor=admin)
    report = json.loads(run(files[0], roster=files[1], apply=True, create=True, wait=False, json=True))
    operation = Operation.objects.get(parent=None)
    assert report["operations"] == [{"id": str(operation.pk), "verb": "create", "status": "running"}]
    assert (operation.path, operation.total) == ("/courses/TEL141", 6)


def test_create_without_a_hypervisor_says_why(files, admin):
    error = failure(files[0], roster=files[1], apply=True, create=True)
    assert error.returncode == 1
    assert Node.objects.count() == 12


def test_following_an_operation(admin):
    operation = Operation.objects.create(path="/x", verb="create", status="running", total=3)
    steps = iter([{"succeeded": 1}, {"succeeded": 2, "failed": 1, "status": "partial"}])

    def work(seconds: float) -> None:
        Operation.objects.filter(pk=operation.pk).update(**next(steps))

    out = io.StringIO()
    done = console.follow(Console(file=out, width=120), operation, sleep=work)
    assert done.status == "partial"
    assert "3/3" in out.getvalue()
    assert "1 failed" in out.getvalue()


def test_who_stops_watching_stops_nothing(files, admin, settings, tmp_path, monkeypatch):
    settings.OLIMPUS_HOME = tmp_path
    hypervisors.create({"name": "rack", "driver": "mock", "settings": {"latency": 0}}, actor=admin)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(console, "follow", interrupted)
    error = failure(files[0], roster=files[1], apply=True, create=True)
    assert "goes on" in str(error)
    assert Operation.objects.get(parent=None).status == "running"
