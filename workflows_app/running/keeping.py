"""Keeping house: beside the sweep, a thread purges and archives what nobody keeps any longer.

It has a connection of its own, as the role that may delete history: no pass of the sweep waits for it.
"""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, InterfaceError, connection

from workflows_app.engine.errors import OrchestratorError
from workflows_app.running.ownership import as_owner
from workflows_app.services import retention

log = logging.getLogger(__name__)

INTERVAL = 60.0
"""Seconds between two looks."""
BATCHES = 20
"""How many a look takes at most; the rest follows with the next one."""


def begin(stop: threading.Event) -> None:
    """Start the thread; it ends soon after ``stop`` is set, at the end of a batch at the latest."""
    threading.Thread(target=_go_on, args=[stop], name="retention", daemon=True).start()


def _go_on(stop: threading.Event) -> None:
    while not stop.wait(INTERVAL):
        try:
            look()
        except OrchestratorError as problem:
            log.warning("what nobody keeps any longer stays: %s", problem.message)
        except (DatabaseError, InterfaceError) as problem:
            log.warning("retention waits for the database: %s", problem)
        except Exception:
            log.exception("retention broke off; it is tried again")
        finally:
            connection.close()


def look() -> retention.Enforced | None:
    """Purge and archive up to ``BATCHES`` batches; ``None`` where nothing is due.

    Raises:
        Refused: with code OWNER_NEEDED.
    """
    if not retention.is_set() or not retention.due(limit=1):
        return None
    with as_owner():
        done = retention.enforce(batches=BATCHES)
    if done.checkpoints:
        log.info("%s instances are gone, their retention is over", done.counts["instance"])
    return done
