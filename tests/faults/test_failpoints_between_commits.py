"""Row 4: whatever dies between an effect, its commit, what is published after it and the acknowledgement, it converges.

The instance ends as if nothing had happened. Only an effect whose outcome was not committed may be repeated, with the
same idempotency key. All of it holds inside a fused run, where one message carries a worker through many steps and each
of them is a checkpoint, and in Celery's chains and chords, where each step has a message of its own and the part whose
transaction settled a join releases the body.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.faults import invariants
from tests.faults.endings import losses
from tests.faults.installations import CHORD_BROKERS, QUICK_BROKERS
from tests.faults.lanes import Aim
from tests.services.documents import SAGA, effect, workflow

FUSED = pytest.mark.parametrize("lanes", QUICK_BROKERS, indirect=True)
CHORDS = pytest.mark.parametrize("lanes", CHORD_BROKERS, indirect=True)
EITHER = pytest.mark.parametrize("lanes", [*QUICK_BROKERS, *CHORD_BROKERS], indirect=True)


# ------------------------------------------------------------------ a chain
PASSES = {"dispatch.published": 5, "step.executed": 10, "step.advanced": 5, "step.committed": 4}
"""How often an undisturbed run passes each point: ten steps in five messages, one of which ends at a condition."""


def fused(queue: str) -> dict[str, Any]:
    """Ten light steps: two have a message of their own, one has a condition, which the engine decides."""
    more: dict[int, dict[str, Any]] = {
        4: {"batch": False},
        6: {"when": "steps.s5.state == 'completed'"},
        8: {"batch": False},
    }
    steps = [effect(f"s{number}", queue=queue, **more.get(number, {})) for number in range(1, 11)]
    return workflow(f"fused-{queue}", *steps, output={"last": "${ steps.s10.output }"})


@FUSED
def test_whichever_checkpoint_of_a_fused_run_a_process_dies_at_no_other_step_is_repeated(lanes):
    undisturbed = lanes.undisturbed(fused)
    messages = [message["step"] for message in lanes.product.delivered(undisturbed)]
    assert messages == ["s1", "s4", "s5", "s8", "s9"]
    assert PASSES.items() <= lanes.passes().items()

    for point, passes in PASSES.items():
        places = (1, 2, passes // 2 + 1, passes)
        instances = lanes.disturbed(fused, [Aim(point, place) for place in places], undisturbed)
        repeats: list[str] = []
        for place, instance in zip(places, instances, strict=True):
            lost = losses(lanes.product, instance)
            assert len(lost) == (point in ("step.executed", "step.advanced")), (point, place, lost)
            repeated = [f"s{place}"] if point == "step.executed" else []
            effects = Counter(call["step"] for call in lanes.product.calls("effect", instance=instance))
            assert effects == Counter([*(f"s{number}" for number in range(1, 11)), *repeated]), (point, place)
            assert lost == repeated or not repeated
            repeats += repeated
        invariants.check(lanes.product, instances, repeats=repeats)


# ------------------------------------------------------------------ a chunk
WIDTH = 24


def wide(queue: str) -> dict[str, Any]:
    """Steps side by side, all in one message."""
    return workflow(f"wide-{queue}", *[effect(f"s{number}", queue=queue, needs=[]) for number in range(WIDTH)])


@FUSED
def test_the_steps_that_came_along_with_a_lost_one_go_on_without_it(lanes):
    undisturbed = lanes.undisturbed(wide)
    together = {message["step"]: message["mates"] for message in lanes.product.delivered(undisturbed)}
    assert together == {"s0": [f"s{number}" for number in range(1, WIDTH)]}

    # The process dies in s4: after its effect, or as soon as it was claimed together with the outcome of s3.
    aims = [Aim("step.executed", 5), Aim("step.advanced", 4)]
    instances = lanes.disturbed(wide, aims, undisturbed)

    for aim, instance in zip(aims, instances, strict=True):
        assert losses(lanes.product, instance) == ["s4"], aim
        starts = [event["step"] for event in lanes.product.history(instance) if event["type"] == "step.started"]
        assert starts.count("s4") == 2
        assert starts.count("s5") == 1
        # Its lease lasts longer than the message is away.
        assert starts.index("s5") < starts.index("s4", starts.index("s4") + 1), f"{aim}: s5 waited for it: {starts}"
    invariants.check(lanes.product, instances, repeats=["s4"])


# ------------------------------------------------------------------ a saga
UNDONE = ["ship", "charge", "reserve", "open"]
BOTH = {
    "effect done, not committed": (Aim("step.executed", 2), ["reserve"]),
    "committed, not published": (Aim("step.committed", 1, 3), []),
    "committed and carried on, not acknowledged": (Aim("message.carried", 1, 2), []),
}
FAULTS: dict[bool, dict[str, tuple[Aim, list[str]]]] = {
    True: {**BOTH, "committed, the next undo begun": (Aim("step.advanced", 3), ["ship"])},
    False: {**BOTH, "committed, the next undo not published": (Aim("step.committed", 6), [])},
}
for found in FAULTS.values():
    found["executed, then the connection failed"] = (Aim("step.committed", 1, 4), [])
"""By whether light steps share messages: where a worker dies, and the step that loses an attempt by it."""


def saga(queue: str) -> dict[str, Any]:
    """Four effects, a failure, four undos; one has a message of its own also where the others share theirs."""
    refuse = {**SAGA["steps"][-1], "queue": queue}
    done = [effect(name, queue=queue, batch=name != "charge") for name in reversed(UNDONE)]
    return workflow(f"saga-{queue}", *done, refuse)


@EITHER
def test_a_saga_converges_and_repeats_no_committed_effect(lanes):
    undisturbed = lanes.undisturbed(saga)
    view = lanes.product.show(undisturbed)
    assert (view["state"], view["cause"]) == ("compensated", "failure")

    faults = FAULTS[lanes.product.fuses]
    instances = lanes.disturbed(saga, [aim for aim, _ in faults.values()], undisturbed)

    for (fault, (aim, lost)), instance in zip(faults.items(), instances, strict=True):
        repeated = lost if aim.point == "step.executed" else []
        effects = Counter(call["step"] for call in lanes.product.calls("effect", instance=instance))
        assert losses(lanes.product, instance) == lost, fault
        assert effects == Counter([*UNDONE, *repeated]), fault
        assert [call["step"] for call in lanes.product.calls("undo", instance=instance)] == UNDONE, fault
        invariants.check(lanes.product, [instance], repeats=repeated)


# ------------------------------------------------------------------ chords
ORDER: list[set[str]] = [{"top"}, {"left", "right"}, {"inner_a", "inner_b"}, {"left_end"}, {"join"}, {"last"}]
"""In which one worker process performs the steps; RabbitMQ may swap what is sent over two connections at once.

Celery carries on the messages of five: to the header, the inner header, the inner body, the body, the last step.
"""
DEATHS = [
    [
        Aim("step.executed", 3),  # a part, before its commit
        Aim("step.executed", 6),  # the part that would settle the join
        Aim("step.committed", 4),  # it settled the join, and nobody has released the body
        Aim("message.carried", 4),  # the body is released, the part is not acknowledged
        Aim("dispatch.published", 6),  # neither released nor acknowledged
    ],
    [
        Aim("step.executed", 5),  # the same in the chord inside a part
        Aim("step.committed", 3),
        Aim("step.committed", 1),  # no part of the header was sent
        Aim("message.carried", 3),
    ],
]
"""Where workers die, in several lanes at once."""


def nested(queue: str) -> dict[str, Any]:
    """A chain, in it a chord, in one of its parts another chain with a chord."""

    def step(name: str) -> dict[str, Any]:
        return effect(name, queue=queue)

    inner = {"id": "inner", "parallel": {"branches": {"a": [step("inner_a")], "b": [step("inner_b")]}}}
    branches = {"left_side": [step("left"), inner, step("left_end")], "right_side": [step("right")]}
    outer = {"id": "outer", "parallel": {"branches": branches}}
    return workflow(f"nested-{queue}", step("top"), outer, step("join"), step("last"))


@CHORDS
def test_whichever_part_of_a_chord_dies_its_body_runs_once(lanes):
    undisturbed = lanes.undisturbed(nested)
    messages = iter(lanes.product.delivered(undisturbed))
    assert [{next(messages)["step"] for _ in together} for together in ORDER] == ORDER
    parts = [message["step"] for message in lanes.product.delivered(undisturbed) if message["chord"]]
    assert sorted(parts) == ["inner_a", "inner_b", "left_end", "right"]

    for aims in DEATHS:
        instances = lanes.disturbed(nested, aims, undisturbed)
        for aim, instance in zip(aims, instances, strict=True):
            lost = losses(lanes.product, instance)
            assert len(lost) == (aim.point == "step.executed"), aim
            assert Counter(lanes.product.attempts(instance)) == Counter([*set().union(*ORDER), *lost]), aim
            invariants.check(lanes.product, [instance], repeats=lost)
