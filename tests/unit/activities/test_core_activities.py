"""core.echo, core.sleep, core.fail and core.log."""

from __future__ import annotations

import pytest

from tasks.activities import core  # noqa: F401
from workflows_app.activities import ActivityError, AttemptCancelled, registry


def test_echo_returns_whatever_it_was_given(attempt):
    parameters = {"a": 1, "context": {"x": None}, "name with space": [True], "self": "s", "fn": 1, "parameters": {}}

    assert registry.get("core.echo").perform(parameters, attempt()) == parameters
    assert registry.get("core.echo").perform({}, attempt()) == {}


def test_sleep_of_nothing_ends_at_once(attempt):
    assert registry.get("core.sleep").perform({"seconds": 0}, attempt()) == {"seconds": 0}


def test_sleep_gives_way_when_told_to_stop(attempt):
    answers = iter([False, False, True])

    with pytest.raises(AttemptCancelled):
        registry.get("core.sleep").perform({"seconds": 3600}, attempt(stop_requested=lambda: next(answers)))


@pytest.mark.parametrize("parameters", [{}, {"seconds": -1}, {"seconds": "5"}, {"seconds": 1, "minutes": 1}])
def test_sleep_refuses_what_is_no_duration_in_seconds(attempt, parameters):
    with pytest.raises(ActivityError) as failure:
        registry.get("core.sleep").perform(parameters, attempt())

    assert failure.value.code == "INVALID_PARAMETERS"


def test_fail_fails_as_described(attempt):
    parameters = {"code": "CARD_DECLINED", "message": "No.", "recoverable": False}

    with pytest.raises(ActivityError) as failure:
        registry.get("core.fail").perform(parameters, attempt(attempt=9))

    assert (failure.value.code, failure.value.message, failure.value.recoverable) == ("CARD_DECLINED", "No.", False)


def test_fail_without_parameters_fails_and_may_be_tried_again(attempt):
    with pytest.raises(ActivityError) as failure:
        registry.get("core.fail").perform({}, attempt())

    assert failure.value.recoverable is True


@pytest.mark.parametrize(("number", "fails"), [(1, True), (2, True), (3, False), (4, False)])
def test_fail_fails_while_the_attempts_number_is_below_until_attempt(attempt, number, fails):
    parameters = {"until_attempt": 3, "output": {"done": True}}

    if fails:
        with pytest.raises(ActivityError):
            registry.get("core.fail").perform(parameters, attempt(attempt=number))
    else:
        assert registry.get("core.fail").perform(parameters, attempt(attempt=number)) == {"done": True}


@pytest.mark.parametrize("message", ["hello", {"a": 1}, None])
def test_log_accepts_any_message_and_returns_it(attempt, message):
    assert registry.get("core.log").perform({"message": message}, attempt()) == {"message": message}


def test_log_says_whose_message_it_is_and_no_message_can_forge_a_line(attempt, caplog):
    caplog.set_level("INFO", logger="orchestrator.activity")

    registry.get("core.log").perform({"message": "paid\nforged line"}, attempt())

    (record,) = caplog.records
    assert record.name == "orchestrator.activity"
    assert "instance_id='i-1'" in record.getMessage()
    assert "step='pay'" in record.getMessage()
    assert r"event='paid\nforged line'" in record.getMessage()
