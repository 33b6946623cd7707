"""The effect ledger: what ``context.effects`` is on a worker, each entry committed by itself and fenced."""

from __future__ import annotations

import logging
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

log = logging.getLogger(__name__)

TARGET_LENGTH = 500
KEY_LENGTH = 400
FACTS_BYTES = 4_000


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
        self, kind: str, target: str, facts: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> Iterator[Effect]:
        effect = Effect(facts=dict(facts or {}))
        number = self._plan(kind, target, key or self._claim.idempotency_key, effect.facts)
        try:
            yield effect
        except Exception as raised:
            facts = {"code": raised.code} if isinstance(raised, ActivityError) else {}
            self._settle(number, came_to(raised), effect.facts | facts)
            raise
        else:
            self._settle(number, EffectState.CONFIRMED, effect.facts)

    def _plan(self, kind: str, target: str, key: str, facts: dict[str, Any]) -> int:
        claim = self._claim
        shown = "".join(c if c.isprintable() else " " for c in self._mask(target)[:TARGET_LENGTH])
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT wf_begin_effect(%s, %s, %s, %s, %s, %s, %s)",
                [
                    claim.instance_id,
                    claim.path,
                    claim.number,
                    kind[:100],
                    shown,
                    key[:KEY_LENGTH],
                    self._text(facts),
                ],
            )
            (number,) = cursor.fetchone()
        if number is None:
            raise AttemptCancelled(f"Attempt {claim.number} of step {claim.path} is over; nothing was sent.")
        return int(number)

    def _settle(self, number: int, state: EffectState, facts: dict[str, Any]) -> None:
        """Record what came of it. The work is done: an outage leaves the entry planned, which is read as unknown."""
        try:
            # A savepoint where the activity has a transaction open, so that a failure here does not break it.
            with atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
                cursor.execute("SELECT wf_settle_effect(%s, %s, %s)", [number, state.value, self._text(facts)])
        except (DatabaseError, InterfaceError) as problem:
            claim = self._claim
            log.warning("effect %s of %s in %s stays planned: %s", number, claim.path, claim.instance_id, problem)
            if not connection.in_atomic_block:
                connection.close()

    def _text(self, facts: dict[str, Any]) -> str:
        """Return facts as JSON text; what cannot be kept is left out as a whole."""
        try:
            return values.encode(self._mask(facts), limit_bytes=FACTS_BYTES, what="the facts")
        except OrchestratorError as refused:
            return values.encode({"left_out": refused.code}, limit_bytes=FACTS_BYTES, what="the facts")
