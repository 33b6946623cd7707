"""What a worker tells a test about its messages, and where else it can be made to die.

Workers load it through ``ORCHESTRATOR_ACTIVITIES``; it registers no activity.

- Every message that a worker receives becomes a line of ``messages.jsonl`` in ``ORCHESTRATOR_TEST_FOLDER``.
- The failpoint ``message.carried`` is hit when a task returned normally: whatever comes after it in its chain or chord
  has been sent, and the message is not acknowledged.
- ``ORCHESTRATOR_TEST_BUDGET`` replaces the seconds that a message may keep a worker: a busy machine shall not cut a run
  short whose checkpoints a test counts.
- Celery looks for dead processes of its pool every five seconds; here five times a second.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from celery.concurrency.asynpool import AsynPool
from celery.signals import task_received, task_success

from tasks import leases, runs
from workflows_app import failpoints

AsynPool.timers = property(lambda pool: {pool.maintain_pool: 0.2})
if "ORCHESTRATOR_TEST_BUDGET" in os.environ:
    runs.BUDGET_SECONDS = leases.SLOW_SECONDS = float(os.environ["ORCHESTRATOR_TEST_BUDGET"])


@task_success.connect
def carried(**_: Any) -> None:
    failpoints.hit("message.carried")


@task_received.connect
def received(request: Any, **_: Any) -> None:
    _, named, embedded = request.message.payload
    line = {
        "instance": named["instance"],
        "step": named["step"],
        "mates": [path for path, _ in named.get("mates", ())],
        "chain": [step for link in reversed(embedded.get("chain") or ()) for step in _steps(link)],
        "chord": list(_steps(embedded["chord"])) if embedded.get("chord") else [],
    }
    file = Path(os.environ["ORCHESTRATOR_TEST_FOLDER"]) / "messages.jsonl"
    with file.open("a") as messages:
        messages.write(json.dumps(line) + "\n")


def _steps(signature: Mapping[str, Any]) -> Iterator[str]:
    """Yield the steps that a signature names, in the order in which they are sent."""
    inside = signature["kwargs"]
    if "step" in inside:
        yield inside["step"]
        return
    header = inside.get("header")
    for part in header["kwargs"]["tasks"] if isinstance(header, Mapping) else header or inside["tasks"]:
        yield from _steps(part)
    if "body" in inside:
        yield from _steps(inside["body"])
