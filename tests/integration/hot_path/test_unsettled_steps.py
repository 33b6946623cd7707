"""Steps that are read before they have settled, as after a race: what is read is what is so at that moment."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.hot_path.deciders import decide
from tests.integration.hot_path.situations import claim, start
from workflows_app.models import Instance
from workflows_app.services import claims, steps, sweep
from workflows_app.services.claims import Claim, Onward

ANY = """
steps:
  - {id: a, activity: core.echo, needs: []}
  - {id: b, activity: core.echo, needs: []}
  - {id: first, activity: core.echo, needs: [a, b], join: any}
  - {id: next, activity: core.echo, with: {b: "${ steps.b.output }", state: "${ steps.b.state }"}}
  - {id: last, activity: core.echo, with: {b: "${ steps.b.output }", state: "${ steps.b.state }"}}
output: {b: "${ steps.b.output }"}
"""


@pytest.fixture
def instance(driver: Driver) -> Instance:
    return start(driver, ANY)


def succeed(held: Claim, output: object = None) -> Claim:
    """Report a success of a step that is followed by another; the worker claims that."""
    onward = Onward(goes_on=lambda: True)
    assert steps.succeeded(claim=held, output=output, onward=onward)
    assert onward.next is not None
    return onward.next


def test_a_worker_does_not_remember_what_may_still_change(instance: Instance) -> None:
    loser = claim(instance, "b", "slow")

    after = succeed(succeed(claim(instance, "a")))
    steps.succeeded(claim=loser, output="late")
    decide(after)
    last = succeed(after)

    assert after.parameters == {"b": None, "state": "running"}
    assert last.parameters == {"b": "late", "state": "completed"}


def test_an_instance_ends_with_what_has_settled_until_then(instance: Instance) -> None:
    loser = claim(instance, "b", "slow")
    last = succeed(succeed(succeed(claim(instance, "a"))))
    steps.succeeded(claim=loser, output="just in time")

    decide(last)
    steps.succeeded(claim=last, output=None)

    instance.refresh_from_db()
    assert (instance.state, instance.output) == ("completed", {"b": "just in time"})


def test_the_result_of_an_attempt_that_was_over_is_not_remembered(driver: Driver, instance: Instance) -> None:
    stale = claim(instance, "b")
    driver.advance(9)
    sweep.end_overdue_attempts()
    assert not steps.succeeded(claim=stale, output="of the lost attempt")

    held = claims.claim(instance_id=instance.pk, path="a", generation=1, worker="w", known=stale.known)
    assert held is not None
    after = succeed(succeed(held))

    assert after.parameters == {"b": None, "state": "scheduled"}
