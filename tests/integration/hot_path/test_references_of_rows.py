"""Rows of a release that referred to large values in another way are read as before, on the way there and back."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.db import connection

from tests.integration.hot_path.documents import LONG_TEXT
from tests.integration.hot_path.workbench import Workbench
from workflows_app.engine import stored
from workflows_app.models import Instance, Step

MIGRATION = import_module("workflows_app.migrations.0032_one_kind_of_reference")
ROW = """
  - {id: a, activity: core.echo, with: {data: "${ input.data }"}}
  - {id: b, activity: core.echo, with: {data: "${ steps.a.output.data }", n: 1}}
  - {id: c, activity: core.echo, with: {deep: {all: "${ steps.b.output }"}}}
"""


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def rows(instance: Instance) -> list[dict[str, Any]]:
    """The rows of the steps as they are kept."""
    columns = ("path", "input", "input_from", "output", "output_from")
    return list(Step.objects.filter(instance=instance).order_by("path").values(*columns))


def values(instance: Instance) -> dict[str, Any]:
    """What is read of the steps."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_values(%s, %s, false)", [instance.pk, ["a", "b", "c"]])
        return {path: step["output"] for path, step in stored.loads(cursor.fetchone()[0])["steps"].items()}


def test_references_are_rewritten_and_what_the_older_shape_cannot_say_is_written_out(bench: Workbench) -> None:
    # The second step makes a value of its own; the last one passes it on.
    bench.perform["b"] = lambda parameters, context: {"data": f"{LONG_TEXT} made"}
    instance = bench.finish(bench.start(ROW, {"data": LONG_TEXT}))
    before, read = rows(instance), values(instance)
    made = before[1]["output_from"]["event"]
    execute("SET CONSTRAINTS ALL IMMEDIATE", "ALTER TABLE workflows_app_step ADD COLUMN output_event bigint")

    execute(*MIGRATION.BACKWARDS)

    older = {row["path"]: row for row in rows(instance)}
    assert (older["a"]["input"], older["a"]["input_from"]) == ({"data": LONG_TEXT}, None)
    assert (older["b"]["input"], older["b"]["input_from"]) == ({"data": LONG_TEXT, "n": 1}, None)
    assert older["c"]["input_from"] == {"event": made, "take": [], "put": ["deep", "all"]}
    with connection.cursor() as cursor:
        cursor.execute("SELECT path, output_event FROM workflows_app_step WHERE instance_id = %s", [instance.pk])
        assert dict(cursor.fetchall()) == {"a": None, "b": made, "c": None}
    assert older["a"]["output"] == read["a"]
    assert older["c"]["output"] == read["c"]

    execute("UPDATE workflows_app_step SET output_from = NULL", *MIGRATION.FORWARDS)

    newer = {row["path"]: row for row in rows(instance)}
    assert newer["b"] == before[1] | {"input": {"data": LONG_TEXT, "n": 1}, "input_from": None}
    assert newer["c"]["input_from"] == before[2]["input_from"]
    assert values(instance) == read
