"""What a worker lets in: a message that Celery would stumble over is refused like any other that is not ours.

Celery takes a message's shape for granted. One whose body is JSON but no call ends the whole worker, and as it was not
acknowledged it waits for the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import celery
from celery.exceptions import InvalidTaskError
from celery.worker import strategy as usual


class Task(celery.Task[..., Any]):
    """The base of every task, Celery's own included."""

    abstract = True
    Strategy = "orchestrator.intake:strategy"


def strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Celery's strategy behind a look at the message; Celery logs and acknowledges what ``InvalidTaskError`` names."""
    handle = usual.default(task, app, consumer, **options)

    def take(message: Any, body: Any, *rest: Any, **more: Any) -> Any:
        if body is not None or not is_call(message.payload):
            raise InvalidTaskError("the body is not a call: [[], {}, {}] is expected")
        try:
            return handle(message, body, *rest, **more)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as problem:
            raise InvalidTaskError(f"the headers are not those of a call: {problem!r}") from problem

    return take


def is_call(payload: Any) -> bool:
    """Whether a body has the shape of Celery's second protocol: arguments, keywords, options.

    >>> is_call([[], {}, {}]), is_call([1]), is_call(5)
    (True, False, False)
    """
    match payload:
        case [list(), dict(), dict() | None]:
            return True
        case _:
            return False
