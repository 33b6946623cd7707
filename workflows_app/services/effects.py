"""The effect ledger: what ``context.effects`` is on a worker, each entry committed by itself and fenced."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.transaction import atomic

from workflows_app.activities.effects import Effect, came_to
from workflows_app.engine import values
from workflows_app.engine.errors import ActivityError, AttemptCancelled, OrchestratorError
from workflows_app.engine.states import EffectState
from workflows_app.services.claims import Claim
from workflows_app.services.excerpts import excerpt

log = logging.getLogger(__name__)

TARGET_LENGTH = 500
KEY_LENGTH = 400
FACTS_BYTES = 4_000
MESSAGE_LENGTH = 500
"""Characters that are kept of why it failed; in UTF-8 they fit into what facts may have."""


class AttemptEffects:
    """``Effects`` over the database.

    Args:
        claim: the attempt.
        mask: takes what nobody may read out of whatever is kept.
    """

    def __init__(self, claim: Claim, mask: Callable[[Any], Any] = lambda value: value) -> None:
        self._claim = claim
        self._mask = mask

    @contextmanager
    def planned(
        self,
        kind: str,
        target: str,
        facts: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        parameters: Any = None,
    ) -> Iterator[Effect]:
        effect = Effect(facts=dict(facts or {}))
        number = self._plan(kind, target, key or self._claim.idempotency_key, effect.facts, parameters)
        try:
            yield effect
        except Exception as raised:
            self._settle(number, came_to(raised), effect, raised)
            raise
        else:
            self._settle(number, EffectState.CONFIRMED, effect)

    @contextmanager
    def asked(
        self, kind: str, target: str, facts: Mapping[str, Any] | None = None, *, parameters: Any = None
    ) -> Iterator[Effect]:
        effect = Effect(facts=dict(facts or {}))
        begun = time.monotonic()
        about = [*self._attempt, kind[:100], self._shown(target)]
        given = [self._maximum, *excerpt(parameters, self._mask)]

        def record(state: EffectState, raised: Exception | None = None) -> None:
            facts, *outcome = self._outcome(effect, raised)
            arguments = [*about, facts, *given, state.value, *outcome, time.monotonic() - begun]
            self._execute("SELECT wf_record_query(" + ", ".join(["%s"] * 14) + ")", arguments, "a query")

        try:
            yield effect
        except Exception as raised:
            record(EffectState.REFUSED, raised)
            raise
        else:
            record(EffectState.CONFIRMED)

    @property
    def _attempt(self) -> list[Any]:
        return [self._claim.instance_id, self._claim.path, self._claim.number]

    @property
    def _maximum(self) -> int:
        """How many attempts the step's retry policy grants to what this one does."""
        policy = self._claim.graph[self._claim.path].retry_of(self._claim.role)
        return policy.max_attempts if policy else 1

    def _shown(self, target: str) -> str:
        return "".join(c if c.isprintable() else " " for c in self._mask(target)[:TARGET_LENGTH])

    def _plan(self, kind: str, target: str, key: str, facts: dict[str, Any], parameters: Any) -> int:
        about = [kind[:100], self._shown(target), key[:KEY_LENGTH], self._text(facts)]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT wf_plan_effect(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [*self._attempt, *about, self._maximum, *excerpt(parameters, self._mask)],
            )
            (number,) = cursor.fetchone()
        if number is None:
            claim = self._claim
            raise AttemptCancelled(f"Attempt {claim.number} of step {claim.path} is over; nothing was sent.")
        return int(number)

    def _settle(self, number: int, state: EffectState, effect: Effect, raised: Exception | None = None) -> None:
        """Record what came of it. The work is done: an outage leaves the entry planned, which is read as unknown."""
        arguments = [number, state.value, *self._outcome(effect, raised)]
        self._execute("SELECT wf_conclude_effect(%s, %s, %s, %s, %s, %s)", arguments, f"the end of effect {number}")

    def _execute(self, statement: str, arguments: list[Any], what: str) -> None:
        """Write what is known by now; whoever did it does not fail over that it cannot be written."""
        try:
            # A savepoint where the activity has a transaction open, so that a failure here does not break it.
            with atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
                cursor.execute(statement, arguments)
        except (DatabaseError, InterfaceError) as problem:
            claim = self._claim
            log.warning("%s of %s in %s is not on record: %s", what, claim.path, claim.instance_id, problem)
            if not connection.in_atomic_block:
                connection.close()

    def _outcome(self, effect: Effect, raised: Exception | None) -> list[Any]:
        """Return facts, result, its size, and error, as they are stored."""
        if raised is None:
            return [self._text(effect.facts), *excerpt(effect.result, self._mask), None]
        if not isinstance(raised, ActivityError):
            return [self._text(effect.facts), None, None, self._text({"code": type(raised).__name__, "message": ""})]
        try:
            message = self._mask(raised.message)[:MESSAGE_LENGTH]
        except OrchestratorError:  # too long to be looked through
            message = ""
        error = self._text({"code": raised.code, "message": message})
        return [self._text(effect.facts | {"code": raised.code}), None, None, error]

    def _text(self, facts: dict[str, Any]) -> str:
        """Return facts as JSON text; what cannot be kept is left out as a whole."""
        try:
            return values.encode(self._mask(facts), limit_bytes=FACTS_BYTES, what="the facts")
        except OrchestratorError as refused:
            return values.encode({"left_out": refused.code}, limit_bytes=FACTS_BYTES, what="the facts")
