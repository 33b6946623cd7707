"""An instance is migrated while a worker has its steps in hand: the worker goes on by nothing that it knew before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Signature

from tasks import runs
from tests.integration.hot_path.workbench import ROW, WIDE, Workbench, states, waiting
from workflows_app.activities import ActivityContext
from workflows_app.dispatch import STEP_TASK
from workflows_app.models import Instance
from workflows_app.services import definitions, migrating, verification

LONGER = """
  - {id: a, activity: core.echo}
  - {id: x, activity: core.echo}
  - {id: b, activity: core.echo}
  - {id: c, activity: core.echo}
"""


def publish(steps: str) -> None:
    definitions.publish(text=f"workflow: w\nversion: 2.0.0\nsteps:\n{steps}", actor="ada")


def migrates(instance: Instance, then: Callable[[], None] = lambda: None, **renames: str) -> Any:
    """An activity while which an operator migrates the instance."""

    def perform(parameters: Any, context: ActivityContext) -> str:
        migrating.migrate(instance_id=instance.pk, version="2.0.0", actor="ada", renames=renames)
        then()
        return "done"

    return perform


def assert_sound(instance: Instance) -> None:
    assert verification.check_replay(instance.pk) == []
    assert verification.verify_history(instance.pk) is None


def test_what_follows_is_what_the_new_version_says(bench: Workbench) -> None:
    instance = bench.start(ROW)
    publish(LONGER)
    bench.perform["a"] = migrates(instance)

    bench.message(instance)

    assert (bench.performed, bench.sent, waiting(instance)) == (["a"], [["x"]], ["x"])
    bench.message(instance)
    assert bench.performed == ["a", "x", "b", "c"]
    assert bench.finish(instance).state == "completed"
    assert_sound(instance)


def test_a_chain_of_the_old_version_ends(bench: Workbench) -> None:
    instance = bench.start(ROW)
    publish(LONGER)
    bench.perform["a"] = migrates(instance)
    link = Signature(STEP_TASK, kwargs={"instance": str(instance.pk), "step": "b", "generation": 1})

    carries_on = bench.message(instance, "a", chain=[link])

    assert not carries_on, "b is not what follows any more"
    assert bench.sent == [["x"]]


def test_what_came_along_is_claimed_by_the_new_version_or_not_at_all(bench: Workbench) -> None:
    instance = bench.start(WIDE)
    publish(WIDE.replace("id: s3", "id: t3"))
    bench.perform["s0"] = migrates(instance, s3="t3")

    bench.message(instance)

    assert bench.performed == ["s0", "s1", "s2", "s4"], "the message knows nothing of t3"
    assert bench.sent == [["t3"]], "which has a message of its own"
    bench.message(instance)
    assert states(instance) == dict.fromkeys(("s0", "s1", "s2", "t3", "s4"), "completed")
    assert bench.finish(instance).state == "completed"
    assert_sound(instance)


def test_what_is_handed_back_is_what_the_new_version_has(bench: Workbench) -> None:
    instance = bench.start(WIDE)
    publish(WIDE.replace("id: s3", "id: t3"))
    bench.perform["s0"] = migrates(instance, s3="t3")

    def takes_long(parameters: Any, context: ActivityContext) -> None:
        bench.seconds += 2 * runs.BUDGET_SECONDS

    bench.perform["s1"] = takes_long

    bench.message(instance)

    assert bench.performed == ["s0", "s1"]
    assert sorted(bench.sent) == [["s2", "s4"], ["t3"]]
    assert waiting(instance) == ["s2", "s4", "t3"]
    assert bench.finish(instance).state == "completed"
    assert_sound(instance)


def test_what_is_remembered_stands_under_its_new_name(bench: Workbench) -> None:
    instance = bench.start("""
  - {id: a, activity: core.echo, with: {v: 1}}
  - {id: b, activity: core.echo, with: {v: 2}}
  - {id: c, activity: core.echo, with: {v: "${ steps.a.output.v }"}}
""")
    publish("""
  - {id: first, activity: core.echo, with: {v: 1}}
  - {id: b, activity: core.echo, with: {v: 2}}
  - {id: c, activity: core.echo, with: {v: "${ steps.first.output.v + steps.b.output.v }"}}
  - {id: d, activity: core.echo, with: {v: "${ instance.version }"}}
""")
    bench.perform["b"] = lambda given, context: (migrates(instance, a="first")(given, context), given)[1]

    bench.message(instance)
    bench.finish(instance)

    assert bench.performed == ["a", "b", "c", "d"]
    assert [instance.steps.get(path=path).output["v"] for path in "cd"] == [3, "2.0.0"]
    assert_sound(instance)
