"""Known values: what a worker has seen of an instance while it runs its steps, so that nothing is fetched twice.

Only what cannot change any more: the input, the instance's names, and steps that have settled.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from workflows_app.engine.expressions import Value
from workflows_app.models import numbers

KEPT_BYTES = 4_000_000
"""Outputs kept for the steps to come, in bytes of JSON; beyond, the oldest are fetched again when they are read."""


class KnownValues:
    """The values of one instance as its expressions see them."""

    def __init__(self, instance_id: UUID, workflow: str, version: str) -> None:
        self._instance_id = instance_id
        self._workflow = workflow
        self._version = version
        self._fetched: dict[str, Any] = {}
        self._names: dict[str, Any] | None = None
        self._outputs: dict[str, tuple[str, int]] = {}
        self._kept = 0

    def completed(self, path: str, output: str, attempts: int) -> None:
        """Remember the output of a step that has just completed.

        Args:
            output: its JSON text, from ``values.encode``.
        """
        self._outputs[path] = (output, attempts)
        self._kept += len(output)
        while self._kept > KEPT_BYTES and len(self._outputs) > 1:
            oldest = next(iter(self._outputs))
            self._kept -= len(self._outputs.pop(oldest)[0])

    def evaluate(self, value: Value) -> Any:
        """Evaluate a value that reads nothing but ``input``, ``instance`` and settled steps.

        Raises:
            OrchestratorError: with the code of what is wrong.
        """
        if value.is_constant:
            return value.evaluate({})
        steps = {r.name for r in value.reads if r.root == "steps" and r.name is not None}
        self._fetch(
            [path for path in steps if path not in self._outputs and path not in self._fetched],
            needs_input=any(r.root == "input" for r in value.reads),
            needs_names=any(r.root == "instance" for r in value.reads),
        )
        return value.evaluate({**(self._names or {}), "steps": {path: self._step(path) for path in steps}})

    def _step(self, path: str) -> Any:
        if path not in self._outputs:
            return self._fetched[path]
        output, attempts = self._outputs[path]
        return {"output": numbers.as_stored(output), "state": "completed", "error": None, "attempts": attempts}

    def _fetch(self, paths: list[str], *, needs_input: bool, needs_names: bool) -> None:
        missing = needs_input and "input" not in (self._names or {})
        if not paths and not missing and not (needs_names and self._names is None):
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT wf_values(%s, %s, %s)", [self._instance_id, paths, missing])
            found = numbers.loads(cursor.fetchone()[0])
        # A step that was never entered has no row; its names are those of a pending one.
        blank = {"output": None, "state": "pending", "error": None, "attempts": 0}
        self._fetched |= {path: found["steps"].get(path, blank) for path in paths}
        names: dict[str, Any] = {
            "instance": {
                "id": str(self._instance_id),
                "workflow": self._workflow,
                "version": self._version,
                "correlation_id": found["correlation_id"],
                "started_at": datetime.fromisoformat(found["started_at"]).isoformat(),
                "started_by": found["started_by"],
            }
        }
        if "input" in found:
            names["input"] = found["input"]
        self._names = {**(self._names or {}), **names}
