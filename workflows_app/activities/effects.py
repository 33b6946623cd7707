"""What an activity does to the world outside: planned before anything leaves, settled when its outcome is known.

What it asks without changing anything can be recorded too, once it is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from workflows_app.engine.errors import ActivityError
from workflows_app.engine.states import EffectState
from workflows_app.engine.transitions import effect_unknown


@dataclass(slots=True)
class Effect:
    """One effect on its way.

    ``facts`` is what the activity learns of it, short and JSON-like (``{"status": 201}``), ``result`` what came back: a
    part of it is kept.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    result: Any = None


class Effects(Protocol):
    """The ledger of one attempt."""

    def planned(
        self,
        kind: str,
        target: str,
        facts: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        parameters: Any = None,
    ) -> AbstractContextManager[Effect]:
        """Record that something is about to be done outside, and what comes of it when the block ends.

        A block that ends normally confirms the effect. One that raises leaves it refused: nothing was done; or
        unknown, where the error's ``details`` have ``"effect": "unknown"``, and for any exception that is no
        ``ActivityError``. What is still planned when its attempt is over is unknown too.

        Args:
            kind: what does it, such as ``http.request``.
            target: what is touched, for people: no secrets, no query; the first 500 characters are kept.
            facts: what is known beforehand; ``Effect.facts`` begins with it.
            key: the idempotency key that goes out with it; by default the step's.
            parameters: what goes out, a JSON value, of which a part is kept.

        Raises:
            AttemptCancelled: the attempt is over: do nothing, another one may be at it.
        """
        ...

    def asked(
        self, kind: str, target: str, facts: Mapping[str, Any] | None = None, *, parameters: Any = None
    ) -> AbstractContextManager[Effect]:
        """Record something that is asked and changes nothing, when the block ends: confirmed, or refused if it raises.

        It is no effect: nothing is written before, no key goes out, and an attempt that dies leaves nothing behind.
        The arguments are those of ``planned``.
        """
        ...


class NoLedger:
    """The ledger of an attempt outside an installation: nothing is recorded."""

    @contextmanager
    def planned(self, kind: str, target: str, facts: Mapping[str, Any] | None = None, **more: Any) -> Iterator[Effect]:
        yield Effect(facts=dict(facts or {}))

    asked = planned


def came_to(raised: BaseException) -> EffectState:
    """Say what an exception means for the effect that was on its way.

    >>> came_to(ActivityError("no such order")).value, came_to(OSError("gone")).value
    ('refused', 'unknown')
    """
    if isinstance(raised, ActivityError) and not effect_unknown({"details": raised.details}):
        return EffectState.REFUSED
    return EffectState.UNKNOWN
