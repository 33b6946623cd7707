"""Runs: what one message makes a worker do, how far it goes by itself, and what it leaves to others."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Signature
from django.conf import settings as configured

from tasks import execution, runs
from tests.integration.hot_path.workbench import Workbench, history
from workflows_app.activities import ActivityContext
from workflows_app.engine.errors import ActivityError, NotFound
from workflows_app.models import Attempt, Dispatch, Instance, Step
from workflows_app.services import claims, instances

ROW = "  - {id: a, activity: core.echo}\n  - {id: b, activity: core.echo}\n  - {id: c, activity: core.echo}"
WIDE = "\n".join(f"  - {{id: s{n}, activity: core.echo, needs: []}}" for n in range(5))
LATE = runs.BUDGET_SECONDS * 2


def fails(*numbers: int, code: str = "BOOM", recoverable: bool = True) -> Any:
    """An activity that fails in these attempts (none named: in all)."""

    def perform(parameters: Any, context: ActivityContext) -> Any:
        if not numbers or context.attempt in numbers:
            raise ActivityError("it broke", code=code, recoverable=recoverable)
        return parameters

    return perform


def states(instance: Instance) -> dict[str, str]:
    return dict(Step.objects.filter(instance=instance).values_list("path", "state"))


def waiting(instance: Instance) -> list[str]:
    """The steps that a message may still claim."""
    return sorted(Dispatch.objects.filter(instance=instance).values_list("path", flat=True))


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
    assert bench.sent == [["s2", "s3", "s4"]]
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
    assert bench.sent == handed_back[0]
    assert bench.performed == ["s0"]
    assert states(instance)["s0"] == "completed"


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


@pytest.mark.parametrize(("steps", "left"), [(ROW, {}), (WIDE, {f"s{n}": "cancelled" for n in range(1, 5)})])
def test_nothing_begins_any_more_once_the_instance_is_cancelled(
    bench: Workbench, steps: str, left: dict[str, str]
) -> None:
    instance = bench.start(steps)
    first = "a" if steps is ROW else "s0"

    def cancelled(parameters: Any, context: ActivityContext) -> str:
        instances.cancel(instance_id=instance.pk, actor="ada")
        return "done"

    bench.perform[first] = cancelled

    bench.message(instance)

    assert (bench.performed, bench.sent, waiting(instance)) == ([first], [], [])
    instance.refresh_from_db()
    assert instance.state == "cancelled"
    assert states(instance)[first] == "completed"
    assert {path: state for path, state in states(instance).items() if path in left} == left


TROUBLES = {
    "retry": ("b", "retry: {max_attempts: 3, initial_interval: 1s, jitter: 0}", fails(1, 2)),
    "retries are used up": ("b", "retry: {max_attempts: 2, initial_interval: 1s, jitter: 0}", fails()),
    "continue": ("b", "on_error: continue", fails()),
    "substitute": ("b", "on_error: {output: {instead: 1}}", fails()),
    "not recoverable": ("b", "retry: {max_attempts: 3, jitter: 0}", fails(recoverable=False)),
    "fail": ("b", "", fails()),
    "undone": ("c", "", fails()),
    "a result that cannot be stored": ("b", "", lambda parameters, context: {1, 2}),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_in_the_middle_means_the_same_as_without_fusion(bench: Workbench, settings: Any, trouble: str) -> None:
    path, keys, performs = TROUBLES[trouble]
    steps = "\n".join(
        f"  - {{id: {name}, activity: core.echo, with: {{n: {n}}}, compensate: {{activity: core.echo}}"
        f"{', ' + keys if keys and name == path else ''}}}"
        for n, name in enumerate("abcd")
    )
    bench.perform[path] = performs

    fused = bench.finish(bench.start(steps, name="fused"))
    together, bench.performed = bench.performed, []
    settings.ORCHESTRATOR_FUSION = False
    apart = bench.finish(bench.start(steps, name="apart"))

    assert fused.ended_at is not None
    assert together == bench.performed
    assert (fused.state, fused.output, fused.error) == (apart.state, apart.output, apart.error)
    assert history(fused)[1:] == history(apart)[1:]


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


def test_steps_are_undone_in_one_message_one_after_the_other(bench: Workbench) -> None:
    undo = "compensate: {activity: core.echo, with: {of: '${ output }'}}"
    steps = "\n".join(f"  - {{id: {name}, activity: core.echo, with: {{n: {name}}}, {undo}}}" for name in "abc")
    instance = bench.start(steps + "\n  - {id: d, activity: core.echo}")
    bench.perform["d"] = fails()
    given: dict[str, Any] = {}

    def keep(parameters: Any, context: ActivityContext) -> None:
        given[context.step] = parameters

    bench.perform |= {f"undo_{name}": keep for name in "abc"}

    bench.message(instance)

    assert bench.performed == ["a", "b", "c", "d", "undo_c", "undo_b", "undo_a"]
    assert bench.sent == []
    assert given == {name: {"of": {"n": name}} for name in "abc"}
    instance.refresh_from_db()
    assert instance.state == "compensated"


def test_an_undo_that_fails_leaves_the_others_to_be_undone(bench: Workbench) -> None:
    steps = "\n".join(f"  - {{id: {name}, activity: core.echo, compensate: {{activity: core.echo}}}}" for name in "abc")
    instance = bench.start(steps + "\n  - {id: d, activity: core.echo}")
    bench.perform |= {"d": fails(), "undo_b": fails()}

    bench.message(instance)

    assert bench.performed == ["a", "b", "c", "d", "undo_c", "undo_b", "undo_a"]
    instance.refresh_from_db()
    assert instance.state == "compensation_failed"


LARGE = "x" * 5000


def test_what_an_activity_does_to_its_values_afterwards_is_its_own_business(bench: Workbench) -> None:
    instance = bench.start(
        """
  - {id: a, activity: core.echo, with: {list: "${ input.list }", large: "${ input.large }"}}
  - {id: b, activity: core.echo, with: {all: "${ steps.a.output }", again: "${ steps.a.output }"}}
  - {id: c, activity: core.echo, with: {list: "${ input.list }", a: "${ steps.a.output }", b: "${ steps.b.output }"}}
""",
        {"list": [1], "large": LARGE},
        head='output: "${ steps.c.output }"',
    )
    kept: list[Any] = []

    def mutates(parameters: Any, context: ActivityContext) -> Any:
        for earlier in kept:
            earlier.clear()
        result = {"list": [1], "large": LARGE} if context.step == "a" else {"of": context.step}
        kept.extend([result, parameters])
        for each in parameters.values():
            if isinstance(each, list):
                each.append("changed")
            if isinstance(each, dict):
                each["list"] = "changed"
        return result

    bench.perform |= {"a": mutates, "b": mutates, "c": lambda parameters, context: parameters}

    bench.message(instance)

    instance.refresh_from_db()
    assert instance.output == {"list": [1], "a": {"list": [1], "large": LARGE}, "b": {"of": "b"}}


def test_two_parameters_with_the_same_value_are_two_values(bench: Workbench) -> None:
    instance = bench.start(
        """
  - {id: a, activity: core.echo, with: {x: "${ input }"}}
  - {id: b, activity: core.echo, with: {one: "${ steps.a.output.x }", two: "${ steps.a.output.x }"}}
""",
        {"large": LARGE},
    )
    seen: list[Any] = []

    def changes_one(parameters: Any, context: ActivityContext) -> None:
        parameters["one"]["large"] = "changed"
        seen.append(parameters["two"]["large"])

    bench.perform["b"] = changes_one

    bench.message(instance)

    assert seen == [LARGE]


def test_a_step_whose_activity_is_not_installed_waits_and_the_others_go_on(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = bench.start(WIDE)
    get, asked = execution.registry.get, []

    def missing_once(name: str) -> Any:
        asked.append(name)
        if len(asked) == 1:
            raise NotFound("not here", code="EXECUTOR_NOT_FOUND")
        return get(name)

    monkeypatch.setattr(execution.registry, "get", missing_once)

    bench.message(instance)

    assert bench.performed == ["s1", "s2", "s3", "s4"]
    assert states(instance)["s0"] == "retrying"


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


def test_the_settings_of_the_tests_fuse() -> None:
    assert configured.ORCHESTRATOR_FUSION
