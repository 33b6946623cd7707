"""Runs in which something goes wrong: it means the same as where every step has a message of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tasks import execution
from tests.integration.hot_path.workbench import ROW, WIDE, Workbench, history, states, waiting
from workflows_app.activities import ActivityContext
from workflows_app.engine.errors import ActivityError, NotFound
from workflows_app.services import instances


def fails(*numbers: int, code: str = "BOOM", recoverable: bool = True) -> Any:
    """An activity that fails in these attempts (none named: in all)."""

    def perform(parameters: Any, context: ActivityContext) -> Any:
        if not numbers or context.attempt in numbers:
            raise ActivityError("it broke", code=code, recoverable=recoverable)
        return parameters

    return perform


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


def test_of_undos_side_by_side_the_worker_goes_on_with_one_and_sends_the_others(bench: Workbench) -> None:
    undo = "needs: [], compensate: {activity: core.echo}"
    names = [f"s{n}" for n in range(20)]
    steps = "\n".join(f"  - {{id: {name}, activity: core.echo, {undo}}}" for name in names)
    instance = bench.start(f"{steps}\n  - {{id: last, activity: core.echo, needs: [{', '.join(names)}]}}")
    bench.perform["last"] = fails()

    bench.message(instance)

    assert [path for path in bench.performed if path.startswith("undo_")] == ["undo_s19"]
    assert sorted(bench.sent[-1]) == waiting(instance) == sorted(set(names) - {"s19"})
    bench.message(instance)
    assert sorted(bench.performed[-20:]) == sorted(f"undo_{name}" for name in names)
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
