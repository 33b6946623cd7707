"""A worker in miniature: real Celery, our canvases and our result backend, and Redis in the place of the database.

The step task claims a step once, counts down what waits for it under a lock, and either returns normally, so that
Celery sends what follows, or sends a plan of its own and takes what follows off its message. Definitions are flat:
activities with ``needs``.
"""

from __future__ import annotations

import json
import os
from typing import Any
from uuid import UUID

import django
import redis
from celery import Celery

django.setup()

from orchestrator.settings.messaging import celery_settings, transport_options  # noqa: E402
from workflows_app import dispatch  # noqa: E402
from workflows_app.engine import canvas, definition  # noqa: E402
from workflows_app.engine.commands import Dispatch  # noqa: E402
from workflows_app.engine.graph import Graph  # noqa: E402

BROKER = os.environ["CELERY_BROKER_URL"]
app = Celery("relay", broker=BROKER)
app.conf.update(
    result_backend=celery_settings(BROKER, None)["CELERY_RESULT_BACKEND"],  # type: ignore[arg-type]
    task_default_queue="default",
    task_ignore_result=True,
    broker_transport_options=transport_options("redis", None),  # type: ignore[arg-type]
    worker_hijack_root_logger=False,
)
memory = redis.Redis.from_url(BROKER, decode_responses=True)


@app.task(name="relay.start")
def start(instance: str, document: str, times: int) -> None:
    """Send the roots of a definition, ``times`` times over."""
    memory.set(f"{instance}:document", document)
    graph = Graph(definition.parse(json.loads(document)))
    roots = [_dispatch(graph, path) for path in graph.roots if not graph[path].needs]
    for _ in range(times):
        _send(instance, graph, roots)


@app.task(bind=True, name=dispatch.STEP_TASK, acks_late=True)
def step(self: Any, instance: str, step: str, generation: int, mates: list[tuple[str, int]] = []) -> None:  # noqa: B006
    """Run the steps of one message."""
    carried = [_run(self.request, instance, path) for path, _ in [(step, generation), *mates]]
    if not any(carried):
        self.request.chain = self.request.chord = None


def _run(request: Any, instance: str, path: str) -> bool:
    if not memory.set(f"{instance}:claim:{path}", 1, nx=True):
        memory.incr(f"{instance}:refused")
        return False
    graph = Graph(definition.parse(json.loads(memory.get(f"{instance}:document") or "")))
    with memory.lock(f"{instance}:lock", timeout=10):
        memory.rpush(f"{instance}:ran", path)
        ready = [p for p in graph[path].successors if memory.incr(f"{instance}:settled:{p}") == len(graph[p].needs)]
    dispatches = [_dispatch(graph, p) for p in ready]
    carried = dispatch.carries_on(request, UUID(instance), dispatches)
    if dispatches and not carried:
        memory.incr(f"{instance}:planned")
        _send(instance, graph, dispatches)
    return carried


def _dispatch(graph: Graph, path: str) -> Dispatch:
    return Dispatch(step=path, generation=1, queue=graph[path].queue, timeout=graph[path].timeout)


def _send(instance: str, graph: Graph, dispatches: list[Dispatch]) -> None:
    plan = canvas.compile(graph, dispatches, fusing=False)
    assert plan is not None
    if os.environ["RELAY_SENDS"] == "canvas":
        dispatch.render(UUID(instance), plan).apply_async()
    else:
        dispatch.send(UUID(instance), plan)
