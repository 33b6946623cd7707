"""What a worker knows of an instance: fetched once, forgotten when it grows too large, and never what may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from tests.integration.driver import Driver
from tests.integration.hot_path.situations import claim, done, start
from workflows_app.engine import expressions
from workflows_app.models import Instance
from workflows_app.services import known_values, steps
from workflows_app.services.claims import Claim, Onward
from workflows_app.services.known_values import KnownValues

DOCUMENT = "steps:\n  - {id: s0, activity: core.echo}\n" + "\n".join(
    f'  - {{id: s{n}, activity: core.echo, with: {{in: "${{ input.x }}", of: "${{ instance.id }}", '
    f'first: "${{ steps.s0.output }}"}}}}'
    for n in range(1, 6)
)


@contextmanager
def fetches() -> Iterator[list[Any]]:
    """The parameters of every look at stored values."""
    seen: list[Any] = []

    def look(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "wf_values" in sql:
            seen.append((sorted(params[1]), params[2]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield seen


def run_on(held: Claim, outputs: dict[str, Any]) -> list[Any]:
    """Report this step and, as the same worker, each that follows; return the parameters that they got."""
    parameters: list[Any] = []
    following: Claim | None = held
    while following is not None:
        onward = Onward(goes_on=lambda: True)
        assert steps.succeeded(claim=following, output=outputs.get(following.path), onward=onward)
        following = onward.next
        parameters += [] if following is None else [following.parameters]
    return parameters


def known(instance: Instance) -> KnownValues:
    return KnownValues(instance.pk, instance.workflow, instance.version)


def evaluate(values: KnownValues, template: Any) -> Any:
    return values.evaluate(expressions.compile_value(template))


def test_the_input_is_fetched_once_and_own_outputs_never(driver: Driver) -> None:
    instance = start(driver, DOCUMENT, {"x": {"n": 1}})

    with fetches() as seen:
        parameters = run_on(claim(instance, "s0"), {"s0": {"first": True}})

    assert parameters == [{"in": {"n": 1}, "of": str(instance.pk), "first": {"first": True}}] * 5
    assert seen == [([], True)]


def test_outputs_of_others_are_fetched_once(driver: Driver) -> None:
    instance = start(driver, DOCUMENT, {"x": 1})
    done(instance, "s0")

    with fetches() as seen:
        parameters = run_on(claim(instance, "s1"), {})

    assert [given["first"] for given in parameters] == ["s0"] * 4
    assert seen == [(["s0"], True)]


def test_a_row_that_reads_nothing_fetches_nothing(driver: Driver) -> None:
    instance = start(driver, 'steps: [{id: a, activity: core.echo}, {id: b, activity: core.echo, with: {x: "${ 1 }"}}]')

    with fetches() as seen:
        run_on(claim(instance, "a"), {})

    assert seen == []


def test_names_of_the_instance_are_those_that_the_engine_gives(driver: Driver) -> None:
    reads = {name: f"${{ instance.{name} }}" for name in ("id", "workflow", "version", "correlation_id", "started_by")}
    instance = driver.start("workflow: w\nversion: 1.2.3\nsteps: [{id: a, activity: core.echo}]", correlation_id="c-1")

    found = evaluate(known(instance), {**reads, "at": "${ instance.started_at }"})

    assert found == {
        "id": str(instance.pk),
        "workflow": "w",
        "version": "1.2.3",
        "correlation_id": "c-1",
        "started_by": "ada",
        "at": "2026-01-01T00:00:00+00:00",
    }


def test_a_step_that_was_skipped_or_failed_has_its_state_and_error(driver: Driver) -> None:
    instance = start(
        driver,
        """
steps:
  - {id: skipped, activity: core.echo, disabled: true}
  - {id: failed, activity: core.echo, on_error: continue}
  - {id: last, activity: core.echo}
""",
    )
    error = {"code": "NO", "message": "no", "details": {}, "recoverable": False}
    steps.failed(claim=claim(instance, "failed"), error=error)

    found = evaluate(known(instance), ["${ steps.skipped }", "${ steps.failed }"])

    assert found == [
        {"output": None, "state": "skipped", "error": None, "attempts": 0, "failures": []},
        {"output": None, "state": "failed", "error": error, "attempts": 1, "failures": []},
    ]


@pytest.mark.parametrize("path", ["running", "later"])
def test_what_has_not_settled_is_refused_rather_than_kept(driver: Driver, path: str) -> None:
    instance = start(driver, "steps: [{id: running, activity: core.echo}, {id: later, activity: core.echo}]")
    held = claim(instance, "running")
    values = known(instance)

    with pytest.raises(known_values.Unsettled):
        evaluate(values, f"${{ steps.{path}.state }}")

    steps.succeeded(claim=held, output=None)
    done(instance, "later")
    assert evaluate(values, f"${{ steps.{path}.state }}") == "completed"


def test_own_outputs_beyond_the_limit_are_forgotten_the_oldest_first(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_values, "KEPT_BYTES", 2500)
    instance = start(driver, DOCUMENT, {"x": 1})
    large = {f"s{n}": f"{n}" * 1000 for n in range(6)}

    with fetches() as seen:
        parameters = run_on(claim(instance, "s0"), large)

    assert [given["first"] for given in parameters] == ["0" * 1000] * 5
    assert seen[0] == ([], True)
    assert (["s0"], False) in seen[1:]


def test_what_is_kept_stays_within_the_limit(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_values, "KEPT_BYTES", 5000)
    reads = "\n".join(
        f'  - {{id: r{n}, activity: core.echo, with: {{x: "${{ steps.s{n}.output }}"}}}}' for n in range(6)
    )
    document = DOCUMENT + "\n" + reads
    instance = start(driver, document, {"x": 1})
    held: Claim | None = claim(instance, "s0")

    while held is not None:
        onward = Onward(goes_on=lambda: True)
        steps.succeeded(claim=held, output="x" * 1000, onward=onward)
        # Outputs seen and values fetched, each within the limit and the one value that is in use.
        assert kept(held.known) <= 2 * 5000 + 2 * 1500
        held = onward.next


def kept(values: KnownValues) -> int:
    """Bytes of text inside everything that it holds."""
    return sum(len(text) for text in texts(vars(values)))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)
