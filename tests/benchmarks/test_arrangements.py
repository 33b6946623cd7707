"""What a call of the benchmark runs: sound definitions, every side in its turn, each measure where it belongs."""

import json
from importlib import import_module
from uuid import UUID

import pytest

from tests.benchmarks import documents, fill, flatness, measuring, servers
from tests.benchmarks.__main__ import arrangements, measurable, options
from tests.benchmarks.session import ACTIVITIES
from tests.benchmarks.workloads import KEYS, WORKLOADS, Fusion, Measure, Shape, Workload
from workflows_app.activities.catalogue import registry
from workflows_app.services import definitions


class Counting:
    """A side that does nothing but note what it was asked for, into a list that both sides share."""

    def __init__(self, name, asked):
        self.name = name
        self.asked = asked

    def prepare(self, shape, size):
        self.asked.append((self.name, "prepare"))

    def start(self, shape, size):
        self.asked.append((self.name, "start"))
        return UUID(int=len(self.asked))

    def wait(self, started, deadline):
        self.asked.append((self.name, f"wait for {len(started)}"))

    def verify(self, shape, size, started):
        self.asked.append((self.name, f"verify {len(started)}"))

    def purge(self):
        self.asked.append((self.name, "purge"))


def measured(workload, repeat=2):
    asked, cleaned = [], []
    values, busy = measuring.measure(
        [Counting("plain", asked), Counting("ours", asked)],
        workload,
        repeat=repeat,
        patience=0,
        clean=lambda: cleaned.append(True),
        told=lambda sentence: None,
    )
    return values, busy, asked, cleaned


@pytest.fixture
def activities():
    """What the benchmark's workers know beside the activities that ship."""
    registry.discover()
    import_module(ACTIVITIES)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.key)
def test_the_definition_of_a_workload_is_sound(workload, activities):
    text = json.dumps(documents.document(workload.shape, workload.size))

    assert [str(problem) for problem in definitions.validate(text=text)] == []


def test_a_definition_has_as_many_steps_as_are_counted():
    steps = {shape: len(documents.document(shape, 7)["steps"]) for shape in (Shape.CHAIN, Shape.RELAY, Shape.FAN)}

    for shape, found in steps.items():
        assert found == Workload(key="W", label="", shape=shape, size=7, instances=1, small=1).steps


def test_the_sides_take_turns_and_the_first_turn_of_each_is_not_counted():
    workload = Workload(key="W", label="", shape=Shape.CHAIN, size=10, instances=10, small=1)

    values, busy, asked, _ = measured(workload)

    waits = [entry for entry in asked if entry[1].startswith("wait")]
    warm = [("plain", "wait for 2"), ("ours", "wait for 2")]
    assert waits == [*warm, *[("plain", "wait for 10"), ("ours", "wait for 10")] * 2]
    assert [len(found) for found in values[""].values()] == [2, 2]
    assert len(busy) == 4


def test_every_counted_run_is_verified():
    workload = Workload(key="W", label="", shape=Shape.CHAIN, size=10, instances=10, small=1)

    _, _, asked, _ = measured(workload)

    assert asked.count(("ours", "verify 10")) == 2
    assert asked.count(("plain", "verify 10")) == 2


def test_latencies_are_taken_one_after_the_other():
    workload = Workload(key="W", label="", shape=Shape.SINGLE, size=1, instances=5, measure=Measure.LATENCY, small=1)

    values, _, asked, _ = measured(workload, repeat=1)

    assert set(values) == {"p50", "p99"}
    assert [entry for entry in asked if entry[0] == "ours"][-11:-1] == [("ours", "start"), ("ours", "wait for 1")] * 5


def test_what_was_only_started_is_thrown_away_after_every_run():
    workload = Workload(key="W", label="", shape=Shape.CHAIN, size=10, instances=5, measure=Measure.STARTS, small=1)

    _, _, asked, cleaned = measured(workload)

    assert asked.count(("ours", "purge")) == 3
    assert asked.count(("plain", "purge")) == 3
    assert len(cleaned) == 6


def test_a_whole_run_measures_both_pools_with_and_without_fusion_and_the_rest_once():
    chosen = options([])

    first = arrangements(chosen, "redis", first=True)
    second = arrangements(chosen, "rabbitmq", first=False)

    assert [(pool, fusion) for pool, fusion, _ in first] == [
        ("prefork", Fusion.ON),
        ("prefork", Fusion.OFF),
        ("solo", Fusion.ON),
        ("solo", Fusion.OFF),
    ]
    assert first[0][2] == [*KEYS, "RSS", "length", "items", "width"]
    assert first[1][2] == ["W1", "W2", "W2p", "W4"]
    assert first[2][2] == list(KEYS)
    assert second[0][2] == list(KEYS)


def test_the_full_database_is_measured_only_when_asked_for():
    assert "history" not in options([]).only
    assert "history" in options(["--flatness"]).only


def test_a_small_run_uses_one_pool_and_only_the_workloads():
    chosen = options(["--small"])

    found = arrangements(chosen, "redis", first=True)

    assert [(pool, fusion) for pool, fusion, _ in found] == [("prefork", Fusion.ON), ("prefork", Fusion.OFF)]
    assert not set(flatness.MEASURES) & set(found[0][2])


def test_a_workload_that_is_not_there_is_refused_with_the_ones_that_are(capsys):
    with pytest.raises(SystemExit):
        options(["--only", "W1,W9"])

    assert "W9 is none of W1, W2, W2p" in capsys.readouterr().err


def test_what_is_measured_fused_only_can_be_measured_step_by_step_on_request():
    chosen = options(["--only", "W5", "--fusion", "off", "--pool", "solo"])

    assert arrangements(chosen, "redis", first=True) == [("solo", Fusion.OFF, ["W5"])]


def test_chords_are_left_out_where_results_are_messages():
    assert measurable(KEYS, results="rpc") == ["W1", "W3", "W4", "W5", "W5c", "W7"]
    assert measurable(KEYS, results="redis") == list(KEYS)


def test_a_missing_broker_is_missing_unless_one_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(servers, "installed", lambda binary: False)
    monkeypatch.delenv(servers.REDIS_VARIABLE, raising=False)

    with pytest.raises(servers.Missing, match="redis-server is not installed"), servers.redis_url(tmp_path / "a"):
        pass

    monkeypatch.setenv(servers.REDIS_VARIABLE, "redis://named:1/0")
    with servers.redis_url(tmp_path / "b") as url:
        assert url == "redis://named:1/0"


def test_only_keys_and_the_age_of_an_instance_differ_in_a_copy():
    columns = ("id", "instance_id", "created_at", "state", "path")

    assert [name for name in columns if fill.is_new(fill.INSTANCES, name)] == ["id", "instance_id", "created_at"]
    assert [name for name in columns if fill.is_new("workflows_app_step", name)] == ["instance_id"]
