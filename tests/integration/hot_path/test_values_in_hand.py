"""Values in an activity's hands are its own: whatever it does to them, what others read stays what was stored."""

from __future__ import annotations

from typing import Any

from tests.integration.hot_path.workbench import Workbench
from workflows_app.activities import ActivityContext

LARGE = "x" * 5000


def test_what_an_activity_does_to_its_values_afterwards_is_its_own_business(bench: Workbench) -> None:
    instance = bench.start(
        """
  - {id: a, activity: core.echo, with: {list: "${ input.list }", large: "${ input.large }"}}
  - {id: b, activity: core.echo, with: {all: "${ steps.a.output }", again: "${ steps.a.output }"}}
  - {id: c, activity: core.echo, with: {list: "${ input.list }", a: "${ steps.a.output }", b: "${ steps.b.output }"}}
""",
        {"list": [1], "large": LARGE},
        head='output: "${ steps.c.output }"',
    )
    kept: list[Any] = []

    def mutates(parameters: Any, context: ActivityContext) -> Any:
        for earlier in kept:
            earlier.clear()
        result = {"list": [1], "large": LARGE} if context.step == "a" else {"of": context.step}
        kept.extend([result, parameters])
        for each in parameters.values():
            if isinstance(each, list):
                each.append("changed")
            if isinstance(each, dict):
                each["list"] = "changed"
        return result

    bench.perform |= {"a": mutates, "b": mutates, "c": lambda parameters, context: parameters}

    bench.message(instance)

    instance.refresh_from_db()
    assert instance.output == {"list": [1], "a": {"list": [1], "large": LARGE}, "b": {"of": "b"}}


def test_two_parameters_with_the_same_value_are_two_values(bench: Workbench) -> None:
    instance = bench.start(
        """
  - {id: a, activity: core.echo, with: {x: "${ input }"}}
  - {id: b, activity: core.echo, with: {one: "${ steps.a.output.x }", two: "${ steps.a.output.x }"}}
""",
        {"large": LARGE},
    )
    seen: list[Any] = []

    def changes_one(parameters: Any, context: ActivityContext) -> None:
        parameters["one"]["large"] = "changed"
        seen.append(parameters["two"]["large"])

    bench.perform["b"] = changes_one

    bench.message(instance)

    assert seen == [LARGE]
