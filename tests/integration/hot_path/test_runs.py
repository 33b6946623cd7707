"""Runs: what one message makes a worker do, how far it goes by itself, and what it leaves to others."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Signature

from tasks import runs
from tests.integration.hot_path.workbench import ROW, WIDE, Workbench, history, states, waiting
from workflows_app.activities import ActivityContext
from workflows_app.models import Attempt, Dispatch
from workflows_app.services import claims

LATE = runs.BUDGET_SECONDS * 2


def test_one_message_goes_through_a_row_of_steps(bench: Workbench) -> None:
    instance = bench.start(ROW)

    bench.message(instance)

    assert bench.performed == ["a", "b", "c"]
    assert bench.sent == []
    instance.refresh_from_db()
    assert instance.state == "completed"
    assert set(Attempt.objects.values_list("worker", flat=True)) == {"w:1"}


def test_when_the_time_is_up_the_next_step_is_sent_instead(bench: Workbench) -> None:
    instance = bench.start(ROW)

    def takes_long(parameters: Any, context: ActivityContext) -> None:
        bench.seconds += LATE

    bench.perform["b"] = takes_long

    bench.message(instance)

    assert (bench.performed, bench.sent, waiting(instance)) == (["a", "b"], [["c"]], ["c"])
    assert Dispatch.objects.get().published_at is not None
    bench.message(instance, "c")
    instance.refresh_from_db()
    assert instance.state == "completed"


def test_steps_that_come_together_run_one_after_the_other(bench: Workbench) -> None:
    instance = bench.start(WIDE)

    bench.message(instance)

    assert bench.performed == ["s0", "s1", "s2", "s3", "s4"]
    assert (bench.sent, waiting(instance)) == ([], [])


def test_what_follows_comes_before_what_came_along(bench: Workbench) -> None:
    instance = bench.start("  - {id: a, activity: core.echo}\n  - {id: b, activity: core.echo}\n" + WIDE)

    bench.message(instance)

    assert bench.performed == ["a", "b", "s0", "s1", "s2", "s3", "s4"]


def test_when_the_time_is_up_what_came_along_is_handed_back(bench: Workbench) -> None:
    instance = bench.start(WIDE)

    def takes_long(parameters: Any, context: ActivityContext) -> None:
        bench.seconds += LATE

    bench.perform["s1"] = takes_long

    bench.message(instance)

    assert bench.performed == ["s0", "s1"]
    assert (bench.sent, bench.chunks) == ([["s2", "s3", "s4"]], [1])
    assert waiting(instance) == ["s2", "s3", "s4"]
    bench.message(instance)
    instance.refresh_from_db()
    assert instance.state == "completed"
    assert sorted(bench.performed) == ["s0", "s1", "s2", "s3", "s4"]


def test_what_came_along_is_handed_back_while_a_slow_step_still_runs(bench: Workbench) -> None:
    instance = bench.start(WIDE)
    handed_back: list[list[list[str]]] = []

    def slow(parameters: Any, context: ActivityContext) -> None:
        assert bench.slow is not None
        bench.slow()
        handed_back.append(list(bench.sent))

    bench.perform["s0"] = slow

    bench.message(instance)

    assert handed_back == [[["s1", "s2", "s3", "s4"]]]
    assert (bench.sent, bench.chunks) == (handed_back[0], [1])
    assert bench.performed == ["s0"]
    assert states(instance)["s0"] == "completed"


@pytest.mark.parametrize(
    ("milliseconds", "done", "chunk"),
    [(1, 40, None), (8, 12, 12), (15, 6, 6), (35, 2, 2)],
    ids=["all in time", "some are left over", "few", "each is slow"],
)
def test_a_worker_keeps_what_it_has_time_for_and_shares_the_rest_by_its_own_pace(
    bench: Workbench, milliseconds: int, done: int, chunk: int | None
) -> None:
    members = [f"s{n:02}" for n in range(40)]
    instance = bench.start("\n".join(f"  - {{id: {name}, activity: core.echo, needs: []}}" for name in members))

    def takes(parameters: Any, context: ActivityContext) -> None:
        bench.seconds += milliseconds / 1000

    bench.perform = dict.fromkeys(members, takes)

    bench.message(instance)

    assert bench.performed == members[:done]
    assert sorted(path for sent in bench.sent for path in sent) == waiting(instance) == members[done:]
    assert {*bench.chunks} == ({chunk} if chunk else set())


def test_what_others_have_claimed_is_passed_over(bench: Workbench) -> None:
    instance = bench.start(WIDE)
    for path in ("s0", "s2", "s3"):
        assert claims.claim(instance_id=instance.pk, path=path, generation=1, worker="other")

    bench.message(instance, "s0", "s1", "s2", "s3", "s4")

    assert bench.performed == ["s1", "s4"]
    assert Attempt.objects.filter(worker="other", state="running").count() == 3


def test_a_message_whose_steps_are_all_taken_does_nothing(bench: Workbench) -> None:
    instance = bench.start(WIDE)
    bench.message(instance)
    before = history(instance)

    bench.message(instance, "s0", "s1", "nobody")

    assert history(instance) == before
    assert len(bench.performed) == 5


def test_without_fusion_a_message_is_one_step(bench: Workbench, settings: Any) -> None:
    settings.ORCHESTRATOR_FUSION = False
    row, wide = bench.start(ROW, name="row"), bench.start(WIDE, name="wide")

    bench.message(row)
    bench.message(wide)

    assert bench.performed == ["a", "s0"]
    assert bench.sent == [["b"], ["s1", "s2", "s3", "s4"]]
    assert (waiting(row), waiting(wide)) == (["b"], ["s1", "s2", "s3", "s4"])


@pytest.mark.parametrize("keys", ["batch: false", "queue: other", "timeout: 2m"])
@pytest.mark.parametrize("where", ["a", "b"])
def test_a_heavy_step_or_one_of_another_queue_has_a_message_of_its_own(bench: Workbench, where: str, keys: str) -> None:
    steps = "\n".join(f"  - {{id: {name}, activity: core.echo{', ' + keys if name == where else ''}}}" for name in "ab")
    instance = bench.start(steps)

    bench.message(instance, "a")

    assert (bench.performed, bench.sent, waiting(instance)) == (["a"], [["b"]], ["b"])


def test_a_message_that_carries_what_follows_sends_nothing_of_its_own(bench: Workbench, settings: Any) -> None:
    settings.ORCHESTRATOR_FUSION = False
    instance = bench.start(ROW)
    next_link = Signature(
        "orchestrator.step", kwargs={"instance": str(instance.pk), "step": "b", "generation": 1}, immutable=True
    )

    assert bench.message(instance, "a", chain=[next_link]) is True
    assert bench.message(instance, "b", chain=[next_link]) is False

    assert bench.sent == [["c"]]
    assert bench.performed == ["a", "b"]
