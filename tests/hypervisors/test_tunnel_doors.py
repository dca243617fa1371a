"""The tunnels through bastions in the API, on the console and as a command: who may, what is told, what is journaled."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import threading
import time
from dataclasses import asdict, replace

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from accounts.models import Entry
from hypervisors import bastions
from hypervisors.models import Hypervisor
from hypervisors.tunnels import Hop, Service, Status, Tunnels, board
from olimpus.errors import Forbidden, Invalid, NotFound
from tests.hypervisors.ssh_peer import Peer, echoing, new_key

STATUS, RECONNECT, PAGE = (
    "/api/ssh-tunnel/status",
    "/api/ssh-tunnel/reconnect",
    "/admin/hypervisors/hypervisor/tunnels/",
)
BASTION = {"bastion_host": "bastion.example", "bastion_port": 5821, "bastion_user": "u", "headnode_host": "head"}


@pytest.fixture
def cloud(db) -> Hypervisor:
    return Hypervisor.objects.create(name="cloud", driver="openstack", settings=BASTION)


@pytest.fixture
def console(client, root):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    return client


def told(own_home, number: int = 1, name: str = "cloud", **more) -> Status:
    """A process that says so."""
    service = Service("compute", "10.0.0.1", 8774, 0, "up", 1000.0, 0, 1, 3, 1.5, 10, 20, "", None)
    status = Tunnels(name, [Hop("bastion.example", 5821)], own_home).status()
    status = replace(status, state="up", since=1000.0, services=(service,), bytes_in=10, bytes_out=20, latency_ms=2.5)
    status = replace(status, **more)
    board.Notice(own_home, name, number).publish(status)
    return status


# -- joined ------------------------------------------------------------------------------------------------------------


def test_processes_are_told_together_the_worst_first(cloud, root, own_home):
    (idle,) = bastions.reports(root)
    assert (idle.flow.state, idle.hops, idle.services) == ("idle", ("bastion.example:5821", "head:22"), ())
    told(own_home, 1, reconnects=2)
    late = time.time()
    told(own_home, 2, state="down", since=2000.0, reconnects=1, last_error="lost", last_error_at=late)
    told(own_home, 3, name="another")
    (report,) = bastions.reports(root)
    assert (report.flow.state, report.flow.since.timestamp()) == ("down", 2000.0)
    assert (report.flow.reconnects, report.flow.bytes_in, report.flow.last_error) == (3, 20, "lost")
    (service,) = report.services
    assert (service.service, service.port, service.flow.bytes_out) == ("compute", 8774, 40)
    assert len(report.processes) == 2


def test_one_is_chosen_by_name_or_because_it_is_the_only_one(cloud, root, teacher, hypervisor):
    assert bastions.chosen("", actor=root) == cloud == bastions.chosen("cloud", actor=root)
    with pytest.raises(NotFound, match="cloud"):
        bastions.chosen("clud", actor=root)
    with pytest.raises(NotFound):
        bastions.chosen("rack-1", actor=root)  # it has no bastion
    with pytest.raises(Forbidden):
        bastions.chosen("cloud", actor=teacher)
    Hypervisor.objects.create(name="cloud-2", driver="openstack", settings=BASTION)
    with pytest.raises(Invalid, match="cloud, cloud-2"):
        bastions.chosen("", actor=root)


# -- API ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_api_tells_and_reconnects(api, cloud, own_home, slash):
    told(own_home, last_error="The SSH connection was lost.", last_error_at=1500.0)
    answer = api.get(STATUS + slash)
    assert answer.status_code == 200
    (tunnel,) = answer.json()["tunnels"]
    assert (tunnel["hypervisor"], tunnel["state"], tunnel["latency_ms"]) == ("cloud", "up", 2.5)
    assert tunnel["since"] == "1970-01-01T00:16:40Z"
    assert tunnel["services"][0]["service"] == "compute"
    assert tunnel["processes"][0]["pid"] == os.getpid()
    answer = api.post(RECONNECT + slash, {}, format="json")
    assert (answer.status_code, answer.json()["hypervisor"]) == (202, "cloud")
    assert board.reconnect_asked(own_home, "cloud") > 0
    entry = Entry.objects.get(verb="tunnel.reconnect")
    assert (entry.actor_name, entry.data["hypervisor"], entry.via) == ("root", "cloud", "api")


def test_managers_see_their_own_and_others_nothing(teacher_api, teacher, cloud, own_home):
    Hypervisor.objects.create(name="other", driver="openstack", settings=BASTION)
    for answer in (teacher_api.get(STATUS), teacher_api.post(RECONNECT, {"hypervisor": "cloud"}, format="json")):
        assert answer.status_code == 403
    teachers = Group.objects.create(name="teachers")
    teacher.groups.add(teachers)
    cloud.manager_groups.add(teachers)
    cloud.managers.add(teacher)
    assert [tunnel["hypervisor"] for tunnel in teacher_api.get(STATUS).json()["tunnels"]] == ["cloud"]
    assert teacher_api.post(RECONNECT, {"hypervisor": "other"}, format="json").status_code == 404
    assert teacher_api.post(RECONNECT, {"hypervisor": "cloud"}, format="json").status_code == 202
    assert board.reconnect_asked(own_home, "other") == 0
    assert Entry.objects.filter(verb="tunnel.reconnect").count() == 1


def test_bad_bodies_are_refused(api, cloud, client):
    assert client.get(STATUS).status_code == 401
    assert api.post(RECONNECT, {"name": "cloud"}, format="json").status_code == 400
    assert api.post(RECONNECT, {"hypervisor": 7 * ["x"]}, format="json").status_code == 400
    assert not Entry.objects.filter(verb="tunnel.reconnect").exists()


def test_the_questions_do_not_grow(api, own_home, root, django_assert_max_num_queries):
    for number in range(12):
        Hypervisor.objects.create(name=f"cloud-{number}", driver="openstack", settings=BASTION)
        told(own_home, number, name=f"cloud-{number}")
    with django_assert_max_num_queries(5):
        assert len(api.get(STATUS).json()["tunnels"]) == 12


# -- console -----------------------------------------------------------------------------------------------------------


def test_the_page_tells_and_its_button_reconnects(console, cloud, own_home, django_assert_max_num_queries):
    told(own_home, 1, state="down", since=1000.0, last_error="The host name <b> is not known.", last_error_at=1500.0)
    with django_assert_max_num_queries(15):
        text = console.get(PAGE).content.decode()
    assert 'data-tunnel="cloud"' in text
    assert 'data-state="down"' in text
    assert "The host name &lt;b&gt; is not known." in text
    assert "bastion.example:5821" in text
    assert 'data-tunnel="cloud"' in console.get(f"{PAGE}now/").content.decode()
    answer = console.post(f"/admin/hypervisors/hypervisor/{cloud.pk}/reconnect/", follow=True)
    assert "is connected anew" in answer.content.decode()
    assert Entry.objects.get(verb="tunnel.reconnect").via == "admin"
    assert console.get(f"/admin/hypervisors/hypervisor/{cloud.pk}/reconnect/").status_code == 405
    assert PAGE in console.get(f"/admin/hypervisors/hypervisor/{cloud.pk}/").content.decode()


def test_the_page_without_any_bastion(console, hypervisor):
    assert "No hypervisor is behind a bastion" in console.get(PAGE).content.decode()
    answer = console.post(f"/admin/hypervisors/hypervisor/{hypervisor.pk}/reconnect/", follow=True)
    assert "is not behind a bastion" in answer.content.decode()
    assert not Entry.objects.filter(verb="tunnel.reconnect").exists()


def test_only_those_in_charge_open_the_page(client, teacher, cloud):
    client.force_login(teacher, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(PAGE).status_code == 403
    assert client.post(f"/admin/hypervisors/hypervisor/{cloud.pk}/reconnect/").status_code == 403
    cloud.managers.add(teacher)
    assert 'data-tunnel="cloud"' in client.get(PAGE).content.decode()
    assert client.post(f"/admin/hypervisors/hypervisor/{cloud.pk}/reconnect/").status_code == 302
    assert client.post(f"/admin/hypervisors/hypervisor/{cloud.pk + 1}/reconnect/").status_code == 404


# -- command -----------------------------------------------------------------------------------------------------------


def test_the_command_tells_the_status(cloud, own_home):
    def status() -> str:
        out = io.StringIO()
        call_command("tunnels", "status", stdout=out)
        return out.getvalue()

    assert "No running process" in status()
    told(own_home)
    assert "compute  10.0.0.1:8774  up" in status()


def test_the_command_says_which_step_fails(cloud):
    out = io.StringIO()
    cloud.set_settings({"bastion_host": "nobody.invalid", "bastion_user": "u", "bastion_key": "SECRET"})
    cloud.save()
    with pytest.raises(CommandError, match="Not reached: cloud"):
        call_command("tunnels", "check", stdout=out)
    assert "failed Find the name of the bastion" in out.getvalue()
    assert "SECRET" not in out.getvalue()
    with pytest.raises(CommandError, match="no such hypervisor"):
        call_command("tunnels", "check", "rack", stdout=out)
    with pytest.raises(CommandError, match="nobody.invalid"):
        call_command("tunnels", "up", "--to", "10.0.0.1:80", stdout=out)


def test_the_command_holds_a_tunnel_up_until_it_is_told_to_end(cloud, own_home):
    text, key = new_key()
    peer, out, heard = Peer(key), io.StringIO(), []
    settings = {"bastion_host": "127.0.0.1", "bastion_port": peer.port, "bastion_user": "u"}
    cloud.set_settings(settings | {"bastion_key": text, "bastion_accept_new_host_key": True})
    cloud.save()

    def use(port: int) -> None:
        while "reconnects" not in out.getvalue():
            time.sleep(0.02)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"hello")
            heard.append(sock.recv(9))
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with echoing() as echo, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        user = threading.Thread(target=use, args=(port,), daemon=True)
        user.start()
        call_command("tunnels", "up", "cloud", "--to", f"127.0.0.1:{echo}={port}", stdout=out)
        user.join(10)
    peer.close()
    assert heard == [b"hello"]
    assert f"127.0.0.1:{echo}  127.0.0.1:{port}" in out.getvalue()
    assert signal.getsignal(signal.SIGINT) is before
    assert board.statuses(own_home) == []
    for wrong in ("10.0.0.1", "10.0.0.1:http", "10.0.0.1:80=x"):
        with pytest.raises(CommandError, match="is not HOST:PORT"):
            call_command("tunnels", "up", "--to", wrong, stdout=out)


def test_the_news_fit_into_the_file_and_back(own_home):
    status = told(own_home)
    assert board.statuses(own_home) == [status]
    (file,) = (own_home / "tunnels" / "status").iterdir()
    assert json.loads(file.read_text())["services"] == [asdict(service) for service in status.services]
