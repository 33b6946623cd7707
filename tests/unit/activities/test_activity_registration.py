"""Registering an activity, looking it up, performing it."""

from __future__ import annotations

import pytest

from workflows_app.activities import ActivityError, AttemptCancelled, Registry
from workflows_app.engine.errors import Conflict, NotFound, Refused


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_a_decorated_function_is_found_by_name_and_stays_a_function(registry):
    @registry.activity("orders.validate", version="1.2.0", category="orders")
    def validate(*, order: str) -> dict:
        """Checks an order.

        More words.
        """
        return {"order": order}

    found = registry.get("orders.validate")

    assert validate(order="o-1") == {"order": "o-1"}
    assert (found.name, found.version, found.key) == ("orders.validate", "1.2.0", "orders.validate@1.2.0")
    assert (found.description, found.category, found.effects) == ("Checks an order.", "orders", True)


def test_a_name_without_version_means_the_newest_release(registry):
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1"):
        registry.activity("a.b", version=version)(lambda: None)

    assert registry.get("a.b").version == "1.10.0"
    assert registry.get("a.b@1.9.0").version == "1.9.0"
    assert registry.get("a.b@2.0.0-rc.1").version == "2.0.0-rc.1"


@pytest.mark.parametrize("name", ["nobody", "a.b@3.0.0", "a.b@", "", "@1.0.0"])
def test_an_unknown_activity_is_named_in_the_refusal(registry, name):
    registry.activity("a.b")(lambda: None)

    with pytest.raises(NotFound) as refusal:
        registry.get(name)

    assert refusal.value.code == "EXECUTOR_NOT_FOUND"
    assert name in refusal.value.message


def test_a_second_registration_of_a_version_is_refused_and_the_first_stays(registry):
    registry.activity("a.b", version="1.0.0")(lambda: 1)

    with pytest.raises(Conflict) as refusal:
        registry.activity("a.b", version="1.0.0")(lambda: 2)

    assert refusal.value.code == "ACTIVITY_DUPLICATE"
    assert registry.get("a.b").fn() == 1


async def _coroutine():
    return None


def _generator():
    yield None


def _positional(order, /):
    return order


def _variable(*orders):
    return orders


@pytest.mark.parametrize(
    ("name", "version", "fn"),
    [
        ("a b", "1.0.0", lambda: None),
        ("", "1.0.0", lambda: None),
        ("a@1", "1.0.0", lambda: None),
        ("a", "1.0", lambda: None),
        ("a", "v1.0.0", lambda: None),
        ("a", "1.0.0", _coroutine),
        ("a", "1.0.0", _generator),
        ("a", "1.0.0", _positional),
        ("a", "1.0.0", _variable),
    ],
)
def test_what_no_worker_could_perform_is_refused_at_registration(registry, name, version, fn):
    with pytest.raises(Refused) as refusal:
        registry.activity(name, version=version)(fn)

    assert refusal.value.code == "ACTIVITY_INVALID"
    assert registry.all() == []


def test_an_invalid_parameter_schema_is_refused_at_registration(registry):
    with pytest.raises(Refused, match="a\\.b@1\\.0\\.0 has an invalid schema"):
        registry.activity("a.b", parameters={"type": "no such type"})(lambda: None)


def test_infos_list_each_version_and_the_newest_under_the_bare_name(registry):
    for version in ("1.0.0", "1.1.0"):
        registry.activity("a.b", version=version, parameters={"type": "object"})(lambda: None)

    infos = registry.infos()

    assert set(infos) == {"a.b", "a.b@1.0.0", "a.b@1.1.0"}
    assert infos["a.b"].version == "1.1.0"
    assert infos["a.b"].parameters == {"type": "object"}
    assert [entry.key for entry in registry.all()] == ["a.b@1.0.0", "a.b@1.1.0"]


def test_performing_hands_over_the_parameters_and_the_attempt(registry, attempt):
    @registry.activity("a.b")
    def perform(*, order: str, count: int = 1, context) -> list:
        return [order, count, context.attempt]

    assert registry.get("a.b").perform({"order": "o"}, attempt(attempt=3)) == ["o", 1, 3]


@pytest.mark.parametrize("parameters", [{}, {"order": 1}, {"order": "o", "other": 1}, {"order": "o", "context": {}}])
def test_parameters_that_break_the_schema_fail_the_attempt_for_good(registry, attempt, parameters):
    @registry.activity("a.b")
    def perform(*, order: str, context) -> None: ...

    with pytest.raises(ActivityError) as failure:
        registry.get("a.b").perform(parameters, attempt())

    assert failure.value.code == "INVALID_PARAMETERS"
    assert failure.value.recoverable is False
    assert failure.value.details["problems"][0]["path"].startswith("with")


def test_a_parameter_the_schema_allows_but_the_function_lacks_is_the_definitions_fault(registry, attempt):
    registry.activity("a.b", parameters={"type": "object"})(lambda: None)

    with pytest.raises(ActivityError) as failure:
        registry.get("a.b").perform({"surprise": 1}, attempt())

    assert failure.value.code == "INVALID_PARAMETERS"


def test_a_type_error_inside_the_function_is_its_own(registry, attempt):
    @registry.activity("a.b")
    def perform() -> None:
        raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        registry.get("a.b").perform({}, attempt())


def test_a_result_that_breaks_its_schema_fails_with_unknown_effect(registry, attempt):
    registry.activity("a.b", result={"type": "string"})(lambda: 1)

    with pytest.raises(ActivityError) as failure:
        registry.get("a.b").perform({}, attempt())

    assert failure.value.code == "INVALID_RESULT"
    assert failure.value.details["effect"] == "unknown"


def test_an_attempt_that_was_told_to_stop_says_so(attempt):
    stopped = attempt(stop_requested=lambda: True)

    assert stopped.should_stop()
    with pytest.raises(AttemptCancelled, match="step pay"):
        stopped.check()
    attempt().check()
