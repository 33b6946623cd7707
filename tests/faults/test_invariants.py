"""The invariants see what a fault would leave behind, also where operators had something done again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults import invariants
from tests.faults.undos import undone
from tests.services.documents import effect, perform, workflow

SAGA = workflow("saga", effect("first"), effect("second"), perform("last", "core.echo"))


class History:
    """A history under way, and the calls that its attempts made."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = []
        self.attempts: dict[str, int] = {}

    def tell(self, kind: str, step: str = "", **data: Any) -> History:
        self.events.append({"sequence": len(self.events) + 1, "type": kind, "step": step, "data": data})
        return self

    def start(self, step: str, call: str = "effect", *, key: str) -> History:
        """Let an attempt begin and have its effect."""
        role = "compensation" if call == "undo" else "action"
        number = self.attempts[step] = self.attempts.get(step, 0) + 1
        self.calls.append({"step": step, "role": role, "attempt": number, "key": key, "call": call})
        return self.tell("step.started", step, attempt=number, role=role)

    def do(self, *steps: str, run: int = 0) -> History:
        """Let steps complete, one after the other."""
        for step in steps:
            self.start(step, key=f"{step}:{run}").tell("step.completed", step, attempt_state="succeeded")
        return self

    def undo(self, *steps: str, run: int = 0, ends: str = "compensated") -> History:
        for step in steps:
            self.tell("step.compensating", step).start(step, "undo", key=f"{step}:{run}:undo")
            self.tell(f"step.{ends}", step, attempt_state="succeeded" if ends == "compensated" else "failed")
        return self

    def go_back(self, to: str, *undos: str, again: tuple[str, ...] = ("second", "last")) -> History:
        """Let an operator have everything from a step on run again."""
        self.tell("instance.rewinding", to=to, including=True).undo(*undos)
        return self.tell("instance.rewound", again=again, pending=(), open=())

    def violated(self, state: str, *, repeats: set[str] = frozenset()) -> list[str]:
        view = {"state": state}
        return [
            *invariants.one_outcome(view, self.events),
            *invariants.one_key(self.calls, self.events, set(repeats)),
            *undone(SAGA, view, self.events),
        ]


@pytest.fixture
def history() -> Iterator[History]:
    """A history; its attempts are numbered without a gap."""
    history = History()
    yield history
    assert list(invariants.one_attempt(history.events)) == []


def failed(history: History) -> History:
    """Let the last step fail after the others have completed, and the undo begin."""
    return history.do("first", "second").tell("step.failed", "last").tell("instance.compensating")


def test_a_saga_that_is_undone_the_last_first_violates_nothing(history: History) -> None:
    failed(history).undo("second", "first")

    assert history.violated("compensated") == []


def test_an_undo_before_that_of_a_step_which_depends_on_it_is_seen(history: History) -> None:
    failed(history).undo("first", "second")

    assert history.violated("compensated") == ["I4 first is undone before second, which depends on it"]


def test_a_step_that_stays_though_it_had_its_effect_is_seen(history: History) -> None:
    failed(history).undo("second")

    assert history.violated("compensated") == ["I4 ['first'] stay as they are"]


def test_a_step_without_an_effect_that_is_undone_is_seen(history: History) -> None:
    history.do("first").tell("step.failed", "second").tell("instance.compensating").undo("second", "first")

    (violated,) = history.violated("compensated")
    assert "second is undone, though it has had no effect" in violated


def test_a_lost_attempt_may_have_had_its_effect(history: History) -> None:
    history.do("first").start("second", key="second:0").tell("attempt.lost", "second", attempt_state="lost")
    history.tell("step.failed", "second").tell("instance.compensating").undo("second", "first")

    assert history.violated("compensated") == []


def test_a_second_outcome_a_second_undo_and_a_second_effect_are_seen(history: History) -> None:
    failed(history).tell("step.failed", "last").undo("second", "first").undo("first")

    violated = "\n".join(history.violated("compensated"))
    assert "step last has a second outcome" in violated
    assert "first is undone, though it has had no effect" in violated
    assert "('first', 'compensation', 0) had its effect 2 times" in violated


def test_an_effect_may_be_repeated_where_the_fault_says_so(history: History) -> None:
    history.start("first", key="first:0").tell("attempt.lost", "first", attempt_state="lost").do("first")

    assert history.violated("completed") == ["I2 ('first', 'action', 0) had its effect 2 times"]
    assert history.violated("completed", repeats={"first"}) == []


# ---------------------------------------------------------------- operators
def test_an_undo_that_an_operator_has_run_again_may_repeat_its_effect_once(history: History) -> None:
    failed(history).undo("second", ends="compensation_failed").undo("first")
    history.tell("instance.compensation_failed").tell("instance.compensating", again=True)
    history.tell("step.undo_retried", "second").undo("second")

    assert history.violated("compensated") == []
    assert history.undo("second").violated("compensated") != [], "nobody asked for one more"


def test_an_undo_that_was_done_by_hand_has_an_outcome_of_its_own(history: History) -> None:
    failed(history).undo("second", ends="compensation_failed").undo("first")
    history.tell("step.compensated", "second", by_hand="at the counter")

    assert history.violated("compensated") == []
    assert len(history.violated("compensation_failed")) == 1, "nothing is left that failed"


def test_a_skipped_undo_leaves_the_instance_as_it_is(history: History) -> None:
    failed(history).undo("second", ends="compensation_failed").undo("first").tell("step.undo_skipped", "second")

    assert history.violated("compensation_failed") == []
    assert len(history.violated("compensated")) == 1


def test_what_runs_again_has_an_outcome_and_a_key_for_each_run(history: History) -> None:
    history.do("first", "second", "last").go_back("second", "second").do("second", "last", run=1)

    assert history.violated("completed") == []


def test_a_run_again_under_the_old_key_is_seen(history: History) -> None:
    history.do("first", "second", "last").go_back("second", "second").do("second").do("last", run=1)

    (violated,) = history.violated("completed")
    assert "two places share an idempotency key" in violated


def test_a_run_again_over_an_effect_that_stands_is_seen(history: History) -> None:
    history.do("first", "second", "last").go_back("second").do("second", "last", run=1)

    violated = "\n".join(history.violated("completed"))
    assert "second runs again over its own effect" in violated
    assert "the way back ended before the undo of ['second']" in violated


def test_what_is_not_taken_back_is_not_undone_on_the_way_back(history: History) -> None:
    history.do("first", "second", "last").go_back("second", "second", "first").do("second", "last", run=1)

    (violated,) = history.violated("completed")
    assert "first is undone, though it has had no effect, or is outside of what is undone" in violated


@pytest.mark.parametrize("kind", ["instance.retried", "instance.rewound"])
def test_what_was_taken_back_and_never_ended_again_is_seen(history: History, kind: str) -> None:
    history.do("first", "second").tell("step.failed", "last").tell(kind, again=(), pending=("last",), open=())

    assert history.violated("completed") == ["I2 steps ['last'] were taken back and have no outcome since"]
    assert history.violated("terminated") == []
    assert history.do("last").violated("completed") == []
