"""Steps with ``cache``: a fresh result of the same activity and key is reused, and history says whose it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.driver import Driver
from workflows_app.engine.errors import ActivityError, DefinitionInvalid
from workflows_app.models import Attempt, CachedResult, Event, Instance
from workflows_app.selectors import results
from workflows_app.services import cached_results, definitions, sweep
from workflows_app.services.steps import Claim

HEAD = "workflow: w\nversion: 1.0.0\n"


def flow(cache: str = "{ttl: 1h}", with_: str = '{n: "${ input.n }"}', rest: str = "") -> str:
    return (
        f"{HEAD}steps:\n  - {{id: a, activity: core.echo, with: {with_}, cache: {cache}}}\n"
        f'  - {{id: b, activity: core.echo, with: {{got: "${{ steps.a.output }}"}}}}\n{rest}'
        'output: "${ steps.b.output.got }"\n'
    )


def run(driver: Driver, document: str, input: Any) -> dict[str, Any]:
    return driver.run(driver.start(document, input))


def performed(driver: Driver, path: str = "a") -> int:
    return driver.calls.count((path, "action"))


def test_the_second_instance_takes_the_first_one_s_result(driver: Driver) -> None:
    driver.perform = {"a": lambda claim: {"made": driver.calls.count(("a", "action"))}}
    first = run(driver, flow(), {"n": 1})

    second = run(driver, flow(), {"n": 1})

    assert first["output"] == second["output"] == {"made": 1}
    assert performed(driver) == 1
    assert second["steps"] == {"a": "completed", "b": "completed"}
    assert not Attempt.objects.filter(instance_id=second["id"], path="a").exists()
    event = Event.objects.get(instance_id=second["id"], step="a")
    assert event.type == "step.completed"
    assert event.data["cached"] == {"instance": first["id"], "step": "a"}


def test_other_parameters_are_another_result(driver: Driver) -> None:
    for n in (1, 2, 1.0, 2):
        run(driver, flow(), {"n": n})

    assert performed(driver) == 3, "1 and 1.0 are not the same parameter; the second 2 is the first"


def test_a_key_says_what_counts(driver: Driver) -> None:
    document = flow('{ttl: 1h, key: "${ with.n }"}', '{n: "${ input.n }", at: "${ input.at }"}')

    outputs = [run(driver, document, {"n": 1, "at": at})["output"] for at in (10, 20)]

    assert outputs == [{"n": 1, "at": 10}] * 2


def test_after_its_ttl_it_runs_again(driver: Driver) -> None:
    run(driver, flow("{ttl: 1m}"), {"n": 1})
    driver.advance(59)
    run(driver, flow("{ttl: 1m}"), {"n": 1})
    assert performed(driver) == 1

    driver.advance(1)
    run(driver, flow("{ttl: 1m}"), {"n": 1})

    assert performed(driver) == 2
    driver.advance(59)
    run(driver, flow("{ttl: 1m}"), {"n": 1})
    assert performed(driver) == 2, "the later result has its own time"


def test_two_that_miss_at_once_both_run(driver: Driver) -> None:
    first, second = driver.start(flow(), {"n": 1}), driver.start(flow(), {"n": 1})

    views = [driver.run(first), driver.run(second)]

    assert performed(driver) == 2
    assert [view["state"] for view in views] == ["completed", "completed"]
    assert CachedResult.objects.count() == 1


def boom(claim: Claim) -> Any:
    raise ActivityError("no")


def test_failures_and_what_stands_in_for_them_are_not_kept(driver: Driver) -> None:
    driver.perform = {"a": boom}
    for on_error in ("continue", "{output: 1}", "{fallback: {activity: core.echo}}"):
        text = f"{HEAD}steps:\n  - {{id: a, activity: core.echo, cache: {{ttl: 1h}}, on_error: {on_error}}}\n"
        definitions.publish(text=text.replace("workflow: w", f"workflow: w{len(on_error)}"), actor="ada")
        driver.run(driver.start(text.replace("workflow: w", f"workflow: w{len(on_error)}")))

    assert not CachedResult.objects.exists()


def test_a_null_is_a_result_too(driver: Driver) -> None:
    driver.perform = {"a": lambda claim: None}

    for _ in range(2):
        assert run(driver, flow(), {"n": 1})["output"] is None

    assert performed(driver) == 1


def test_an_instance_may_consist_of_cached_results(driver: Driver) -> None:
    steps = [{"id": f"s{n}", "activity": "core.echo", "with": {"n": n}, "cache": {"ttl": "1h"}} for n in range(30)]
    branches = {f"b{n}": [step] for n, step in enumerate(steps)}
    document = json.dumps(
        {"workflow": "w", "version": "1.0.0", "steps": [{"id": "p", "parallel": {"branches": branches}}]}
    )
    first = run(driver, document, {})

    second = driver.start(document, {})

    assert (first["state"], second.state) == ("completed", "completed")
    assert len(driver.calls) == 30
    assert set(results.instance_view(second.pk)["steps"].values()) == {"completed"}


def test_expired_results_are_swept_in_batches(driver: Driver) -> None:
    for n in range(5):
        run(driver, flow("{ttl: 1m}"), {"n": n})
    assert cached_results.forget(10) == 0
    driver.advance(60)

    assert cached_results.forget(2) == 2
    assert sweep.run().forgotten == 3

    assert not CachedResult.objects.exists()


def test_the_result_goes_with_the_transaction_that_completed_the_step(driver: Driver) -> None:
    document = flow(rest='  - {id: z, fail: {code: "NO"}}\n')
    view = run(driver, document, {"n": 1})

    assert view["state"] == "failed"
    kept = CachedResult.objects.get()
    assert (str(kept.instance_id), kept.path, kept.output) == (view["id"], "a", {"n": 1})
    assert Instance.objects.count() == 1


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("cache: {ttl: 1h}, compensate: {activity: core.echo}", ("CACHE_WITH_COMPENSATE", "steps[0].cache")),
        ('cache: {ttl: 1h, key: "${ vars.v }"}', ("UNKNOWN_NAME", "steps[0].cache.key")),
        ('cache: {ttl: 1h, key: "${ now }"}', ("UNKNOWN_NAME", "steps[0].cache.key")),
        ("cache: {key: a}", ("SCHEMA", "steps[0].cache.ttl")),
    ],
)
def test_what_makes_no_sense_is_refused_at_publish(driver: Driver, step: str, problem: tuple[str, str]) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        definitions.publish(text=f"{HEAD}steps:\n  - {{id: a, activity: core.echo, {step}}}\n", actor="ada")

    assert problem in {(p.code, p.path) for p in refused.value.problems}
