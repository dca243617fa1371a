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


class TwoMocks(Ground):
    """Machines of both count."""

    def there(self) -> Counter[str]:
        far = MockDriver("far", {"latency": 0.0}, self.installation.home)
        return super().there() + Counter(info.uid for info in far.list() if info.uid)


def test_gateways_between_hypervisors_survive_kills(installation):
    """They are made with each other's addresses whoever dies meanwhile, and go with the rest."""
    installation.load(latency=0.4)
    fields = {"name": "far", "driver": "mock", "settings": {"latency": 0.4}}
    installation.run(f"hypervisor_actions.create({fields!r}, actor=admin)")
    story = Story(TwoMocks(installation, "mock", MockDriver("mock", {"latency": 0.0}, installation.home)))
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
    story.good("DELETE")
    story.kill_when(lambda: len(story.ground.there()) < 4, "tearing down")
    assert until(lambda: story.ask("GET").status_code == 404, 60, 0.2), story.status()
    assert story.ground.there() == Counter()
    audit = installation.audit()
    assert (audit["open"], set(audit["statuses"])) == (0, {"succeeded"})
