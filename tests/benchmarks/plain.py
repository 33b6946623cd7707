"""The yardstick: an ordinary Celery application with Celery's defaults, whose canvases have the workloads' shapes.

Early acknowledgement, default prefetch, results stored and read by the client, JSON; nothing is tuned. Its workers are
started as ``celery -A tests.benchmarks.plain worker``. It is never the current application, because the process that
measures loads the product's as well.
"""

from __future__ import annotations

import os
from typing import Any, Final

from celery import Celery, chain, chord, group
from celery.result import AsyncResult

from tests.benchmarks import payload

BROKER_VARIABLE: Final = "BENCH_PLAIN_BROKER"
RESULTS_VARIABLE: Final = "BENCH_PLAIN_RESULTS"

app = Celery("plain", backend=os.environ.get(RESULTS_VARIABLE, "cache+memory://"), set_as_current=False)
# Both addresses, as CELERY_BROKER_URL in the environment, which is the product's, would go before a single one.
app.conf.broker_read_url = app.conf.broker_write_url = os.environ.get(BROKER_VARIABLE, "memory://")
if app.conf.broker_write_url.startswith("redis:"):
    # kombu's own transport, which the product, loaded by the process that measures, has a better one for.
    app.conf.broker_transport = "kombu.transport.redis:Transport"
# Celery warns on start where nobody says whether to wait for the broker.
app.conf.broker_connection_retry_on_startup = True


@app.task(name="plain.nothing")
def nothing() -> dict[str, Any]:
    """Do nothing, as ``core.echo`` without parameters does."""
    return {}


@app.task(name="plain.hand_on")
def hand_on(data: Any) -> Any:
    """Return the parameter, as ``core.echo`` does."""
    return data


@app.task(name="plain.count")
def count_on(data: Any) -> Any:
    """Return the parameter with one field changed, as ``bench.count`` does."""
    return payload.changed(data)


def steps(count: int) -> AsyncResult[Any]:
    """Start a chain of ``count`` steps; the result of the last."""
    return chain(*[nothing.si() for _ in range(count)]).apply_async()


def fan(width: int) -> AsyncResult[Any]:
    """Start ``width`` parallel steps and a step that waits for them all; the result of that one."""
    return chord(group([nothing.si() for _ in range(width)]), nothing.si()).apply_async()


def relay(count: int, data: Any) -> AsyncResult[Any]:
    """Start a chain of ``count`` steps, each of which gets the result of the one before; the result of the last."""
    return chain(hand_on.s(data), *[hand_on.s() for _ in range(count - 1)]).apply_async()


def revision(count: int, data: Any) -> AsyncResult[Any]:
    """Start a chain like ``relay``'s whose steps change what they hand on; the result of the last."""
    return chain(count_on.s(data), *[count_on.s() for _ in range(count - 1)]).apply_async()


def single() -> AsyncResult[Any]:
    """Start one step."""
    return nothing.delay()
