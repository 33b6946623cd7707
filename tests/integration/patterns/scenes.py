"""What the tests of patterns look at and do: the definitions, who is ready, who runs, what was done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.docs.pages import DOCS, table
from tests.integration.driver import Driver
from workflows_app.engine.errors import AttemptCancelled
from workflows_app.models import Attempt, Dispatch, Instance
from workflows_app.selectors import results
from workflows_app.services import definitions, steps, sweep, verification
from workflows_app.services.steps import Claim

FOLDER = DOCS.parent / "examples" / "patterns"
FILES = {int(file.name[:2]): file for file in sorted(FOLDER.glob("*.yaml"))}
CALLED = sorted((FOLDER / "called").iterdir())
"""What the definitions of patterns call, apart from themselves."""
PAGE = DOCS / "patterns.md"
ROWS = table(PAGE, "All 43")
TESTED: set[int] = set()

MINUTE, HOUR, DAY = 60, 3600, 86400


def shows(number: int) -> pytest.MarkDecorator:
    """Hand the definition of a pattern to a test, and note that the pattern has one."""
    TESTED.add(number)
    file = FILES[number]
    return pytest.mark.parametrize("document", [pytest.param(file.read_text(encoding="utf-8"), id=file.stem)])


def publish_called() -> None:
    for file in CALLED:
        definitions.publish(text=file.read_text(encoding="utf-8"), actor="ada")


def states(instance: Instance) -> dict[str, str]:
    return dict(results.instance_view(instance.pk)["steps"])


def state(instance: Instance) -> str:
    return str(Instance.objects.get(pk=instance.pk).state)


def ready(instance: Instance) -> set[str]:
    """The steps that are handed to the workers and that none has taken yet."""
    return set(Dispatch.objects.filter(instance=instance).values_list("path", flat=True))


def take(instance: Instance, path: str) -> Claim:
    """Let a worker take a step; it runs until ``driver.work`` is called."""
    generation = Dispatch.objects.get(instance=instance, path=path).generation
    claim = steps.claim(instance_id=instance.pk, path=path, generation=generation, worker="test")
    assert claim is not None
    return claim


def do(driver: Driver, instance: Instance, *paths: str) -> None:
    """Perform these steps, one after the other; each must be ready by then."""
    for path in paths:
        driver.work(take(instance, path))


def pass_time(driver: Driver, seconds: float) -> None:
    driver.advance(seconds)
    sweep.fire_timers()


def done(driver: Driver) -> list[str]:
    """The steps that were performed, in this order."""
    return [path for path, _ in driver.calls]


def give_up(claim: Claim) -> Any:
    raise AttemptCancelled("told to stop")


def told_to_stop(path: str) -> bool:
    return Attempt.objects.get(path=path).stop_requested


def finish(driver: Driver, instance: Instance) -> dict[str, Any]:
    """Let the instance run to its end and hold its history against what is stored."""
    view = driver.run(instance)
    assert view["ended_at"] is not None
    assert verification.check_replay(instance.pk) == []
    assert verification.verify_history(instance.pk) is None
    return view
