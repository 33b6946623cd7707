"""Failures of one kind have a number of attempts of their own; what they count against is in the history."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.engine.errors import ActivityError
from workflows_app.models import Event, Step
from workflows_app.services import interventions

POLICY = (
    "max_attempts: 2, initial_interval: 0, limits: [{code: SLOW, max_attempts: 2}, "
    "{when: error.details.status == 429, max_attempts: 4}]"
)
ONE = flow(f"  - {{id: a, activity: core.echo, retry: {{{POLICY}}}}}")
UNDONE = flow(
    f"""
  - id: a
    activity: core.echo
    compensate: {{activity: core.echo, retry: {{{POLICY}}}}}
  - {{id: b, fail: {{code: B}}}}
"""
)


def fail_like(*kinds: str) -> Any:
    """Fail with one kind after the other, then succeed; a number is the status of an answer."""
    left = list(kinds)

    def perform(claim: Any) -> Any:
        if not left:
            return "done"
        kind = left.pop(0)
        status = int(kind) if kind.isdigit() else 0
        raise ActivityError("it broke", code="ANSWER" if status else kind, details={"status": status})

    return perform


def recorded(instance: Any, name: str) -> list[Any]:
    events = Event.objects.filter(instance=instance, step="a").order_by("sequence")
    return [event.data.get(name) for event in events if event.data.get("attempt_state") == "failed"]


@pytest.mark.parametrize(
    ("failing", "state", "number"),
    [
        ("429 429 429 OTHER", "completed", 5),
        ("429 429 429 429", "failed", 4),
        ("SLOW 429 429 OTHER 429", "completed", 6),
        ("SLOW 429 SLOW", "failed", 3),
        ("429 OTHER 429 OTHER", "failed", 4),
    ],
)
def test_each_kind_runs_out_by_itself(driver: Driver, failing: str, state: str, number: int) -> None:
    driver.perform = {"a": fail_like(*failing.split())}

    instance = driver.start(ONE)
    view = driver.run(instance)

    assert (view["state"], len(view["attempts"])) == (state, number)
    kinds = {"SLOW": 0, "429": 1, "OTHER": None}
    assert recorded(instance, "retry_limit") == [kinds[kind] for kind in failing.split()]


def test_what_forbids_another_attempt_beats_every_limit(driver: Driver) -> None:
    driver.perform = {"a": fail("SLOW"), "b": fail("SLOW"), "c": fail("SLOW", recoverable=False)}
    limits = "initial_interval: 0, limits: [{code: SLOW, max_attempts: 9}]"
    document = flow(f"""
  - {{id: a, activity: core.echo, on_error: continue, retry: {{non_retryable: [SLOW], {limits}}}}}
  - {{id: b, activity: core.echo, on_error: continue, retry: {{when: "error.code != 'SLOW'", {limits}}}}}
  - {{id: c, activity: core.echo, on_error: continue, retry: {{{limits}}}}}
""")

    view = driver.run(driver.start(document))

    assert [attempt["step"] for attempt in view["attempts"]] == ["a", "b", "c"]


def test_a_condition_that_breaks_is_not_met_and_recorded(driver: Driver) -> None:
    driver.perform = {"a": fail("OTHER")}

    instance = driver.start(ONE)
    view = driver.run(instance)

    assert (view["state"], len(view["attempts"])) == ("failed", 2)
    broken = recorded(instance, "retry_when")
    assert [(each["limit"], each["code"]) for each in broken] == [(1, "EXPRESSION_ERROR")] * 2


def test_an_undo_has_limits_of_its_own(driver: Driver) -> None:
    driver.perform = {"undo_a": fail_like("429", "429", "SLOW", "429")}

    instance = driver.start(UNDONE)
    view = driver.run(instance)

    assert (view["state"], len(view["attempts"])) == ("compensated", 6)
    assert Step.objects.get(instance=instance, path="a").limited == {"0": 1, "1": 3}


def test_an_operator_s_retry_counts_anew(driver: Driver) -> None:
    driver.perform = {"a": fail_like(*["SLOW"] * 4)}
    instance = driver.start(ONE)
    assert len(driver.run(instance)["attempts"]) == 2

    interventions.retry(instance_id=instance.pk, actor="ada", reason="faster now")
    assert len(driver.run(instance)["attempts"]) == 4
    interventions.retry(instance_id=instance.pk, actor="ada", reason="faster still")

    assert driver.run(instance)["state"] == "completed"
