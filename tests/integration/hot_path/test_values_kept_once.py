"""A large value is stored once: in the event that brought it. Whoever asks for it later gets all of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from tests.integration.hot_path.documents import DATA, LONG_TEXT, ROW, STORED
from tests.integration.hot_path.stored import places
from tests.integration.hot_path.workbench import Workbench, history
from workflows_app.engine import handing
from workflows_app.models import Step
from workflows_app.selectors import results


def test_a_row_of_steps_hands_on_what_none_of_them_repeats(bench: Workbench, decided: str) -> None:
    instance = bench.finish(bench.start(ROW, {"data": DATA}, head='output: "${ steps.c.output }"'))

    assert instance.output == {"deep": {"all": {"data": STORED, "n": 1}}}
    assert places(instance, LONG_TEXT) == []
    said = next(data for type_, step, data in history(instance) if (type_, step) == ("step.scheduled", "c"))
    assert said["input"] == {"deep": {"all": None}}
    assert said["input_from"] == {"step": "b", "take": [], "put": ["deep", "all"]}


def test_every_attempt_and_the_undo_get_the_whole_value(bench: Workbench, decided: str) -> None:
    seen: list[Any] = []

    def note(parameters: Any, context: Any) -> Any:
        seen.append(parameters)
        if len(seen) == 1:
            raise RuntimeError("once more")
        return parameters

    def refuse(parameters: Any, context: Any) -> Any:
        raise RuntimeError("no")

    bench.perform |= {"b": note, "undo_b": lambda parameters, context: seen.append(parameters), "c": refuse}
    steps = ROW.replace(
        ", n: 1}}",
        ", n: 1}, retry: {max_attempts: 2, initial_interval: 1s},\n"
        '      compensate: {activity: core.echo, with: {asked: "${ with.data }", got: "${ output.data }"}}}',
    )

    instance = bench.finish(bench.start(steps, {"data": DATA}))

    assert instance.state == "compensated"
    assert seen == [{"data": STORED, "n": 1}] * 2 + [{"asked": STORED, "got": STORED}]


def test_what_large_iterations_came_to_is_gathered(bench: Workbench, decided: str) -> None:
    each = (
        "  - {id: each, foreach: {items: [1, 2], steps: [{id: s, activity: core.echo}, {id: t, activity: core.echo}]}}"
    )
    bench.perform["each[0].t"] = lambda parameters, context: LONG_TEXT
    bench.perform["each[1].t"] = lambda parameters, context: 2

    instance = bench.finish(bench.start(each, head='output: "${ steps.each.output }"'))

    assert instance.output == [LONG_TEXT, 2]


def test_a_branch_closes_with_a_large_output(bench: Workbench, decided: str) -> None:
    both = (
        "  - {id: both, parallel: {branches: {x: [{id: s, activity: core.echo}], y: [{id: t, activity: core.echo}]}}}"
    )
    bench.perform |= {"s": lambda parameters, context: LONG_TEXT, "t": lambda parameters, context: 2}

    instance = bench.finish(bench.start(both, head='output: "${ steps.both.output }"'))

    assert instance.output == {"x": LONG_TEXT, "y": 2}


@pytest.mark.parametrize("size", [handing.LARGE - 3, handing.LARGE - 2], ids=["below the limit", "at the limit"])
def test_both_deciders_keep_the_same_values_once(bench: Workbench, decided: str, size: int) -> None:
    bench.perform["a"] = lambda parameters, context: "x" * size

    instance = bench.finish(bench.start(ROW.replace("output.data", "output"), {"data": 1}))

    rows = Step.objects.filter(instance=instance, path__in="ab").order_by("path")
    large = size + 2 >= handing.LARGE
    assert [row.output_from is not None for row in rows] == [large, True]
    kept = {"event": rows[0].settled, "take": ["output"]}
    assert rows[0].output_from == ({**kept, "put": []} if large else None)
    assert rows[1].input_from == ({**kept, "put": ["data"]} if large else None)
    assert results.instance_view(instance.pk)["state"] == "completed"


def test_a_value_that_was_kept_once_is_replaced_by_a_small_one(bench: Workbench) -> None:
    instance = bench.finish(bench.start(ROW, {"data": DATA}))

    with transaction.atomic(), connection.cursor() as cursor:
        changed = '{"at": "2026-01-01", "changed": [{"path": "b", "input": {"n": 2}, "output": 3}]}'
        cursor.execute("SELECT * FROM wf_record_rest(%s, %s, 10)", [instance.pk, changed])
        row = Step.objects.get(instance=instance, path="b")
        # No history explains it.
        transaction.set_rollback(True)

    assert (row.input, row.input_from, row.output, row.output_from) == ({"n": 2}, None, 3, None)
