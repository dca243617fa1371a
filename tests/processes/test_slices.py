"""kill -9 at each stage of a deployment, on the mock; on the labs the same story is told beside their other tests."""

from __future__ import annotations

from collections import Counter

from hypervisors.drivers.mock import MockDriver
from tests.processes.installation import until
from tests.processes.sliced import SIZE, Ground, Story, through_all_stages


def test_a_slice_survives_kills_at_every_stage(installation):
    installation.load(latency=0.4)
    driver = MockDriver("mock", {"latency": 0.0}, installation.home)
    through_all_stages(Ground(installation, "mock", driver, {"image": "debian-12"}))
    assert installation.each("create") == {1: SIZE + 1}
    assert installation.each("destroy") == {1: SIZE + 1}
    audit = installation.audit()
    assert (audit["open"], audit["locks"], audit["crooked"]) == (0, 0, [])
    assert set(audit["statuses"]) == {"succeeded"}


class Mocks(Ground):
    """Machines of all of them count."""

    def there(self) -> Counter[str]:
        others = (MockDriver(name, {"latency": 0.0}, self.installation.home) for name in ("far", "third"))
        return super().there() + Counter(info.uid for other in others for info in other.list() if info.uid)


def test_gateways_between_hypervisors_survive_kills(installation):
    """They are made, and made anew, with each other's addresses whoever dies meanwhile, and go with the rest."""
    installation.load(latency=0.4)
    for name in ("far", "third"):
        fields = {"name": name, "driver": "mock", "settings": {"latency": 0.4}}
        installation.run(f"hypervisor_actions.create({fields!r}, actor=admin)")
    story = Story(Mocks(installation, "mock", MockDriver("mock", {"latency": 0.0}, installation.home)))
    body = {
        "name": "hybrid",
        "hypervisor": "mock",
        "defaults": {"image": "debian-12"},
        "nodes": [{"name": "a"}, {"name": "b", "hypervisor": "far"}],
        "links": [["a", "b"]],
        "deploy": True,
    }
    told = story.good("POST", json=body)
    assert told["deployment"], told["plan"]["refusals"]
    story.key = told["slice"]["id"]
    story.work()
    story.kill_when(lambda: len(story.ground.there()) > 0, "creating")
    story.kill_when(lambda: story.status()["progress"]["running"] > 1, "starting")
    story.ends("running", 4, "created")
    told = story.good("GET")
    told["document"]["nodes"].append({"name": "c", "hypervisor": "third"})
    told["document"]["links"].append(["b", "c"])
    story.good("PATCH", json={"document": told["document"], "version": told["version"]})
    plan = story.good("POST", "/plan", json={})
    assert [row["change"] for row in plan["rows"]] == ["keep", "change", "anew", "keep", "add", "add"], plan["rows"]
    story.good("POST", "/deploy", json={"digest": plan["digest"]})
    before = story.ground.there()
    story.kill_when(lambda: not before <= story.ground.there(), "making anew")
    story.ends("running", 6, "joined by a third one")
    story.good("DELETE")
    story.kill_when(lambda: len(story.ground.there()) < 6, "tearing down")
    assert until(lambda: story.ask("GET").status_code == 404, 60, 0.2), story.status()
    assert story.ground.there() == Counter()
    audit = installation.audit()
    assert (audit["open"], set(audit["statuses"])) == (0, {"succeeded"})
