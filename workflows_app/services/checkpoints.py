"""Checkpoints of attempts: what ``context.checkpoint`` is on a worker, fenced like all that an attempt writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection

from workflows_app.engine import values
from workflows_app.engine.errors import AttemptCancelled
from workflows_app.models import Checkpoint
from workflows_app.services.claims import Claim


class AttemptCheckpoint:
    """``Checkpoint`` over the database.

    Args:
        claim: the attempt.
        mask: takes what nobody may read out of whatever is kept.
    """

    def __init__(self, claim: Claim, mask: Callable[[Any], Any] = lambda value: value) -> None:
        self._claim = claim
        self._mask = mask

    def load(self) -> Any:
        claim = self._claim
        kept = Checkpoint.objects.filter(instance_id=claim.instance_id, path=claim.path, role=claim.role)
        return kept.values_list("data", flat=True).first()

    def save(self, value: Any) -> None:
        claim = self._claim
        limit = settings.ORCHESTRATOR_MAX_OUTPUT_BYTES
        text = values.encode(self._mask(value), limit_bytes=limit, what="the checkpoint")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT wf_save_checkpoint(%s, %s, %s, %s)", [claim.instance_id, claim.path, claim.number, text]
            )
            (saved,) = cursor.fetchone()
        if not saved:
            raise AttemptCancelled(f"Attempt {claim.number} of step {claim.path} is over; its checkpoint was not kept.")
