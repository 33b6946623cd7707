"""Random error policies: what follows from a failure is what the first case that fits says, told from the history."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.effort import many
from tests.unit.engine.transitions.simulator import Simulator
from workflows_app.engine.definition import parse
from workflows_app.engine.durations import parse_duration
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.replay import differences, replay
from workflows_app.engine.states import StepState

Case = dict[str, Any]

THEN = (
    "fail",
    "continue",
    {"output": "instead"},
    {"goto": "last"},
    {"fallback": {"activity": "core.echo", "with": {"a": 1}}},
    {"fallback": {"activity": "core.echo", "with": {"b": 2}}},
)
CODES = st.sampled_from([{}, {}, {"codes": ["BOOM"]}, {"codes": ["TIMEOUT", "CANCELLED"]}])
WHENS = {"error.recoverable": True, "error.code == 'BOOM'": True, "error.nothing.more > 1": True}
CONDITIONS = st.sampled_from([{}, {}, *({"when": text} for text in WHENS)])
ATTEMPTS = st.sampled_from(
    [{}, {}, {"at_least": 1, "within": "1ms"}, {"at_least": 2}, {"at_least": 2, "within": "2s"}, {"at_least": 3}]
).map(lambda counted: {"attempts": counted} if counted else {})
CASE = st.builds(
    lambda codes, when, attempts, then: {**codes, **when, **attempts, "then": then},
    CODES,
    CONDITIONS,
    ATTEMPTS,
    st.sampled_from(THEN),
)
ELSE = st.sampled_from([[], [], *([{"then": then}] for then in THEN)])
CASES = st.lists(CASE, min_size=1, max_size=4)


def fits(case: Case, error: dict[str, Any], failures: list[datetime]) -> bool:
    """Whether a case fits; ``failures`` are the times of the failed attempts, the last one now."""
    if "codes" in case and error["code"] not in case["codes"]:
        return False
    if "attempts" in case:
        within = case["attempts"].get("within")
        since = failures[-1] - timedelta(seconds=parse_duration(within)) if within else failures[0]
        if sum(at >= since for at in failures) < case["attempts"]["at_least"]:
            return False
    wanted = {
        "error.recoverable": error["recoverable"],
        "error.code == 'BOOM'": error["code"] == "BOOM",
        "error.nothing.more > 1": False,
    }
    return "when" not in case or wanted[case["when"]]


def follows(event: Event, then: Any) -> bool:
    """Whether an event says what a reaction asks for."""
    if then == "fail":
        return event.type in (EventType.STEP_FAILED, EventType.STEP_TIMED_OUT) and not event.data["tolerated"]
    if then == "continue" or "goto" in then:
        return event.type in (EventType.STEP_FAILED, EventType.STEP_TIMED_OUT) and event.data["tolerated"]
    if "output" in then:
        return event.type is EventType.STEP_COMPLETED and event.data["output"] == then["output"]
    return event.type is EventType.STEP_FALLING_BACK and event.data["input"] == then["fallback"]["with"]


@many
@given(cases=CASES, otherwise=ELSE, seed=st.integers(0, 2**32 - 1), attempts=st.integers(1, 4))
def test_the_first_case_that_fits_says_what_follows(cases, otherwise, seed, attempts):
    written = [case for case in cases if case.keys() != {"then"}] + otherwise or [{"then": "continue"}]
    retry = {"max_attempts": attempts, "initial_interval": "500ms"}
    steps = [
        {"id": "first", "activity": "core.echo", "with": {"x": 1}, "retry": retry, "on_error": written},
        {"id": "between", "activity": "core.echo"},
        {"id": "last", "activity": "core.echo", "when": "steps.first.state != 'skipped'"},
    ]
    simulator = Simulator(parse({"workflow": "w", "version": "1.0.0", "steps": steps}), seed, trouble=0.7)

    simulator.run()

    failures: list[datetime] = []
    for event in (each for each in simulator.events if each.step == "first"):
        if event.data.get("attempt_state") in ("failed", "timed_out"):
            failures.append(event.at)
        if event.type is not EventType.STEP_RETRYING and event.data.get("error") and "attempt_state" in event.data:
            if event.data["error"]["code"] in ("QUARANTINED", "WORKER_LOST"):
                break  # lost attempts do not count
            case = next((case for case in written if fits(case, event.data["error"], failures)), {"then": "fail"})
            assert event.data.get("error_case") == (written.index(case) if case in written else None)
            assert follows(event, case["then"])
            break
    assert (simulator.state.step("between").state is StepState.SKIPPED) == (jumped(simulator, written))
    assert differences(replay(simulator.graph, simulator.state.instance, simulator.events), simulator.state) == []


def jumped(simulator: Simulator, written: list[Case]) -> bool:
    """Whether the case that was chosen goes to another step."""
    chosen = [e.data["error_case"] for e in simulator.events if "error_case" in e.data]
    return any(isinstance(written[place]["then"], dict) and "goto" in written[place]["then"] for place in chosen)
