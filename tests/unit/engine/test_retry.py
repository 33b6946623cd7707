"""Retry arithmetic: what a policy grants, and how long it makes a step wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows_app.engine import retry
from workflows_app.engine.definition.model import Backoff, Limit, Retry

policies = st.builds(
    Retry,
    max_attempts=st.integers(1, 50),
    backoff=st.sampled_from(Backoff),
    initial_interval=st.floats(0, 100),
    multiplier=st.floats(1, 10),
    max_interval=st.floats(0, 1000),
    jitter=st.floats(0, 1),
)
jitters = st.floats(0, 1, exclude_max=True)


@given(policies, st.integers(1, 10**6), jitters)
def test_an_interval_is_never_negative_and_never_beyond_the_ceiling_and_its_jitter(policy, failures, jitter):
    seconds = retry.interval(policy, failures, jitter)

    ceiling = max(policy.max_interval, policy.initial_interval if policy.backoff is Backoff.RANDOM else 0)
    assert 0 <= seconds <= ceiling * (1 + policy.jitter) + 1e-9


@given(policies, st.integers(1, 1000))
def test_without_jitter_the_interval_never_shrinks_from_failure_to_failure(policy, failures):
    steady = Retry(
        backoff=policy.backoff,
        initial_interval=policy.initial_interval,
        multiplier=policy.multiplier,
        max_interval=policy.max_interval,
        jitter=0,
    )

    assert retry.interval(steady, failures + 1, 0.5) >= retry.interval(steady, failures, 0.5) - 1e-9


@given(policies, st.integers(1, 100), jitters)
def test_the_same_draw_gives_the_same_interval(policy, failures, jitter):
    assert retry.interval(policy, failures, jitter) == retry.interval(policy, failures, jitter)


@given(policies, st.integers(0, 100))
def test_attempts_run_out_after_exactly_the_granted_number(policy, failures):
    assert (retry.attempts_left(policy, failures) == 0) == (failures >= policy.max_attempts)


@given(
    st.integers(1, 5),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 5)),
    st.lists(st.sampled_from("abcd"), min_size=30, max_size=60),
)
def test_each_kind_of_failure_has_its_own_number_of_attempts_and_the_others_share_one(most, kinds, failing):
    limits = tuple(Limit(code=code, max_attempts=number) for code, number in kinds.items())
    policy = Retry(max_attempts=most, limits=limits)
    seen: list[str] = []
    limited = None

    for code in failing:
        seen.append(code)
        limit = retry.limit_of(policy, code, lambda _: False)
        limited = retry.counted(limited, limit)
        if not retry.attempts_left(policy, len(seen), limited, limit):
            break

    last = seen[-1]
    alike = [code for code in seen if (code == last if last in kinds else code not in kinds)]
    assert len(alike) == kinds.get(last, most)
    assert all(seen.count(code) < number for code, number in kinds.items() if code != last)
    assert len(seen) <= most + sum(kinds.values())


def test_a_failure_counts_against_the_first_limit_that_it_meets_and_no_further_condition_is_asked():
    asked: list[int] = []

    def meets(place: int) -> bool:
        asked.append(place)
        return place == 2

    conditions = [Limit(when=str(place), max_attempts=1) for place in range(4)]
    policy = Retry(limits=(Limit(code="A", max_attempts=1), *conditions))

    assert retry.limit_of(policy, "B", meets) == 2
    assert asked == [1, 2]


def test_without_a_policy_there_is_one_attempt():
    assert retry.attempts_left(None, 0) == 1
    assert retry.attempts_left(None, 1) == 0


@pytest.mark.parametrize(
    ("code", "recoverable", "forbidden"),
    [("BAD_CARD", True, True), ("BAD", True, False), ("BAD_CARD_X", True, False), ("OTHER", False, True)],
)
def test_codes_are_compared_whole_and_unrecoverable_beats_everything(code, recoverable, forbidden):
    assert retry.forbids(Retry(non_retryable=("BAD_CARD",)), code, recoverable) is forbidden
