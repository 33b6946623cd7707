"""The product's client: starts instances with the start service, waits until they ended, sees that all steps ran.

Import it only once Django is set up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from celery import current_app
from django.db import connection

from tests.benchmarks import documents, payload
from tests.benchmarks.workloads import Shape
from tests.benchmarks.yardstick import LOOK_SECONDS
from workflows_app.services import definitions, instances

ACTOR: Final = "benchmark"
SINGLE_LOOK_SECONDS: Final = 0.001


class Ours:
    """The product, seen from its client."""

    name: Final = "ours"

    def __init__(self) -> None:
        self._records = payload.records()

    def prepare(self, shape: Shape, size: int) -> None:
        """Publish the definition of a shape."""
        definitions.publish(text=json.dumps(documents.document(shape, size)), actor=ACTOR)

    def start(self, shape: Shape, size: int) -> UUID:
        """Start one instance; its id."""
        relayed = {"data": self._records}
        values = {Shape.RELAY: relayed, Shape.REVISION: relayed, Shape.EACH: {"items": list(range(size))}}
        value = values.get(shape)
        return instances.start(name=documents.name(shape, size), input=value, actor=ACTOR).pk

    def wait(self, started: Sequence[UUID], deadline: float) -> None:
        """Wait until all ended, ``deadline`` seconds at most: looks at one row at a time, by key.

        Raises:
            TimeoutError: they did not.
        """
        end = time.monotonic() + deadline
        pause = SINGLE_LOOK_SECONDS if len(started) == 1 else LOOK_SECONDS
        with connection.cursor() as cursor:
            for instance in started:
                while True:
                    cursor.execute("SELECT ended_at IS NOT NULL FROM workflows_app_instance WHERE id = %s", [instance])
                    if cursor.fetchone() == (True,):
                        break
                    if time.monotonic() > end:
                        raise TimeoutError(f"instance {instance} did not end within {deadline:g} s")
                    time.sleep(pause)

    def verify(self, shape: Shape, size: int, started: Sequence[UUID]) -> None:
        """See that every instance completed, every step once.

        Raises:
            AssertionError: with what is missing.
        """
        keys = list(started)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT state, count(*) FROM workflows_app_instance WHERE id = ANY (%s) GROUP BY state", [keys]
            )
            states = dict(cursor.fetchall())
            cursor.execute(
                "SELECT count(*) FROM workflows_app_step WHERE instance_id = ANY (%s) AND state = 'completed'"
                " AND path ~ %s",
                [keys, documents.WORK],
            )
            completed = cursor.fetchone()[0]
        assert states == {"completed": len(keys)}, f"instances ended {states}"
        steps = len(keys) * (size + (shape in (Shape.FAN, Shape.BLOCK)))
        assert completed == steps, f"{completed} steps completed, {steps} were to be"

    def purge(self) -> None:
        """Throw away the messages that nobody took; their rows are emptied by whoever owns the database."""
        current_app.control.purge()
