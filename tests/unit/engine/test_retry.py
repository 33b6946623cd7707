"""Retry arithmetic: what a policy grants, and how long it makes a step wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows_app.engine import retry
from workflows_app.engine.definition.model import Backoff, Retry

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


def test_without_a_policy_there_is_one_attempt():
    assert retry.attempts_left(None, 0) == 1
    assert retry.attempts_left(None, 1) == 0


@pytest.mark.parametrize(
    ("code", "recoverable", "forbidden"),
    [("BAD_CARD", True, True), ("BAD", True, False), ("BAD_CARD_X", True, False), ("OTHER", False, True)],
)
def test_codes_are_compared_whole_and_unrecoverable_beats_everything(code, recoverable, forbidden):
    assert retry.forbids(Retry(non_retryable=("BAD_CARD",)), code, recoverable) is forbidden
