"""Known values: what a worker has seen of an instance while it runs its steps, so that nothing is fetched twice.

Only what cannot change any more: the input, the instance's names, and steps that have settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from workflows_app.engine import stored
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.expressions import Value
from workflows_app.engine.states import STEP_OPEN

KEPT_BYTES = 4_000_000
"""Bytes of JSON kept for the steps to come, of outputs seen and of values fetched; beyond, they are fetched again."""


class Unsettled(OrchestratorError):
    """An expression reads a step that has not settled, such as the loser of a race: only the engine may look."""

    code = "UNSETTLED"


class KnownValues:
    """The values of one instance as its expressions see them."""

    def __init__(self, instance_id: UUID, workflow: str, version: str) -> None:
        self._instance_id = instance_id
        self._workflow = workflow
        self.version = version
        self._fetched: dict[str, Any] = {}
        self._fetched_bytes = 0
        self._names: dict[str, Any] | None = None
        self._outputs: dict[str, tuple[str, int]] = {}
        self._kept = 0

    @contextmanager
    def completing(self, path: str, output: str, attempts: int) -> Iterator[None]:
        """Take a step's output as known, for good unless the block, which records it, ends with an exception.

        Args:
            output: its JSON text, from ``values.encode``.
        """
        self._outputs[path] = (output, attempts)
        self._kept += len(output)
        try:
            yield
        except BaseException:
            self._forget(path)
            raise
        while self._kept > KEPT_BYTES and len(self._outputs) > 1:
            self._forget(next(iter(self._outputs)))

    def _forget(self, path: str) -> None:
        self._kept -= len(self._outputs.pop(path)[0])

    def evaluate(self, value: Value, path_of: Callable[[str], str] = str) -> Any:
        """Evaluate a value that reads nothing but ``input``, ``instance`` and settled steps.

        Args:
            value: a compiled template.
            path_of: gives the path of the step that a name means.

        Raises:
            OrchestratorError: with the code of what is wrong.
        """
        if self._fetched_bytes > KEPT_BYTES:
            self._fetched.clear()
            self._fetched_bytes = 0
        if value.is_constant:
            return value.evaluate({})
        steps = {r.name: path_of(r.name) for r in value.reads if r.root == "steps" and r.name is not None}
        self._fetch(
            [path for path in steps.values() if path not in self._outputs and path not in self._fetched],
            needs_input=any(r.root == "input" for r in value.reads),
            needs_names=any(r.root == "instance" for r in value.reads),
        )
        return value.evaluate(
            {**(self._names or {}), "steps": {name: self._step(path) for name, path in steps.items()}}
        )

    def _step(self, path: str) -> Any:
        if path not in self._outputs:
            return self._fetched[path]
        output, attempts = self._outputs[path]
        known = {"output": stored.as_stored(output), "state": "completed", "error": None, "attempts": attempts}
        return {**known, "failures": []}

    def _fetch(self, paths: list[str], *, needs_input: bool, needs_names: bool) -> None:
        missing = needs_input and "input" not in (self._names or {})
        if not paths and not missing and not (needs_names and self._names is None):
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT wf_values(%s, %s, %s)", [self._instance_id, paths, missing])
            answer = cursor.fetchone()[0]
        found = stored.loads(answer)
        for path in paths:
            if path not in found["steps"] or found["steps"][path]["state"] in STEP_OPEN:
                raise Unsettled(f"{path} may still change")
        self._fetched |= found["steps"]
        self._fetched_bytes += len(answer)
        names: dict[str, Any] = {
            "instance": {
                "id": str(self._instance_id),
                "workflow": self._workflow,
                "version": self.version,
                "correlation_id": found["correlation_id"],
                "started_at": datetime.fromisoformat(found["started_at"]).isoformat(),
                "started_by": found["started_by"],
            }
        }
        if "input" in found:
            names["input"] = found["input"]
        self._names = {**(self._names or {}), **names}
