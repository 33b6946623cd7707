"""One attempt from its claim to its recorded outcome: find the activity, hold the lease, perform, report.

Whatever an activity raises ends here, ``MemoryError`` and ``SystemExit`` included: a step may fail, its worker goes on.
Only a pool process that is told to end does, and what it was doing is nobody's failure.
"""

from __future__ import annotations

import logging
import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.db import connections

from tasks import secrecy, tallies
from tasks.leases import Hold, Interrupted, keeper
from tasks.log_capture import captured
from workflows_app import failpoints
from workflows_app.activities import ActivityContext, registry
from workflows_app.activities.afterwards import Afterwards, settling
from workflows_app.activities.progress import Progress
from workflows_app.artifacts.of_attempt import AttemptArtifacts
from workflows_app.engine.errors import ActivityError, AttemptCancelled, NotFound, NotYet
from workflows_app.engine.masking import Masks
from workflows_app.services import steps
from workflows_app.services.checkpoints import AttemptCheckpoint
from workflows_app.services.effects import AttemptEffects
from workflows_app.services.log_lines import LogLines
from workflows_app.services.steps import Claim, Onward

log = logging.getLogger(__name__)

MESSAGE_LENGTH = 2000
TERMINATED = -(256 - signal.SIGTERM)
"""The exit code with which billiard has a pool process leave that gets SIGTERM, in the midst of whatever it does."""
UNINSTALLED_SECONDS = 10.0
"""How long a step waits before it looks for a worker that has its activity again."""


def run(claim: Claim, onward: Onward | None = None, *, slow: Callable[[], None] | None = None) -> None:
    """Perform a claimed step and record how it ended.

    An attempt that has been ended by its time-out or by the loss of its lease is abandoned: nothing is recorded.

    Args:
        onward: what the worker can do itself about what follows; it gets the next step, if there is one.
        slow: called, from another thread, when the step turns out to take its time.
    """
    try:
        activity = registry.get(claim.activity)
    except NotFound as problem:
        error = {"code": problem.code, "message": problem.message, "details": {}, "recoverable": True}
        steps.postponed(claim=claim, error=error, seconds=UNINSTALLED_SECONDS)
        return
    with (
        secrecy.masking() as masks,
        settling(lambda: steps.is_recorded(claim=claim)) as afterwards,
        keeper.hold(claim, slow) as hold,
    ):
        lines = hold.lines = LogLines(claim, masks.text)
        try:
            parameters = secrecy.parameters(claim, masks)
        except ActivityError as refused:
            steps.failed(claim=claim, error=describe(refused), onward=onward)
            return
        try:
            with captured(lines), hold.interruptible():
                output = activity.perform(parameters, _context(claim, hold, afterwards, masks))
            output = secrecy.masked(output, masks)
        except Interrupted:
            drop_open_transactions()
            lines.write()
            log.warning("attempt %s of %s in %s was abandoned", claim.number, claim.path, claim.instance_id)
            return
        except BaseException as raised:
            if isinstance(raised, SystemExit) and raised.code == TERMINATED:
                raise  # the process ends; its lease with it, and the step runs again elsewhere
            failpoints.hit("step.executed")
            drop_open_transactions()
            if not isinstance(raised, ActivityError):
                with captured(lines):
                    log.warning("%s of %s raised", claim.activity, claim.instance_id, exc_info=raised)
            lines.write()
            known = secrecy.masked_error(describe(raised, masks), masks)
            if isinstance(raised, NotYet):
                steps.postponed(claim=claim, error=known, seconds=raised.seconds)
                return
            steps.failed(claim=claim, error=known, told=isinstance(raised, AttemptCancelled), onward=onward)
            tallies.count(tallies.FAILED)
            return
        failpoints.hit("step.executed")
        drop_open_transactions()
        lines.write()
        steps.succeeded(claim=claim, output=output, onward=onward)
        tallies.count(tallies.COMPLETED)


def drop_open_transactions() -> None:
    """Close connections on which the activity left a transaction open: ours would be swallowed by it."""
    for opened in connections.all(initialized_only=True):
        if opened.in_atomic_block or (opened.connection is not None and not opened.get_autocommit()):
            log.warning("an activity left a transaction open on %s; it is rolled back", opened.alias)
            if opened.connection is not None:
                opened.connection.close()
            del connections[opened.alias]


def _context(claim: Claim, hold: Hold, afterwards: Afterwards, masks: Masks) -> ActivityContext:
    def check() -> None:
        if hold.stop_requested():
            raise AttemptCancelled(f"Attempt {claim.number} of step {claim.path} was told to stop.")

    def mask(value: Any) -> Any:
        return secrecy.masked(value, masks)

    def report(progress: Progress) -> None:
        hold.report(replace(progress, message=masks.text(progress.message)))

    return ActivityContext(
        instance_id=str(claim.instance_id),
        workflow=claim.workflow,
        version=claim.version,
        correlation_id=claim.correlation_id,
        step=claim.path,
        attempt=claim.number,
        idempotency_key=claim.idempotency_key,
        role=claim.role.value,
        deadline_seconds=claim.timeout,
        stop_requested=hold.stop_requested,
        afterwards=afterwards,
        checkpoint=AttemptCheckpoint(claim, mask),
        report=report,
        effects=AttemptEffects(claim, mask),
        artifacts=AttemptArtifacts(instance_id=claim.instance_id, step=claim.path, check=check),
    )


def _place(raised: BaseException) -> dict[str, Any]:
    """Say where an unexpected exception was raised; the whole traceback is in the worker's log."""
    frames = traceback.extract_tb(raised.__traceback__)
    return {"where": f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}"} if frames else {}


def describe(raised: BaseException, masks: Masks | None = None) -> Mapping[str, Any]:
    """Write what an activity raised as a step's error: its code, or the exception's class name.

    Args:
        masks: applied to the message before it is cut: a part of a secret would not be recognised.
    """
    masks = masks or Masks()
    if isinstance(raised, ActivityError):
        return {
            "code": raised.code,
            "message": masks.text(raised.message)[:MESSAGE_LENGTH],
            "details": raised.details,
            "recoverable": raised.recoverable,
        }
    try:
        message = str(raised)
    except Exception:
        message = "the exception cannot be shown"
    return {
        "code": type(raised).__name__,
        "message": masks.text(message)[:MESSAGE_LENGTH].replace("\x00", ""),
        "details": _place(raised),
        "recoverable": True,
    }
