"""Keeping house: beside the sweep, and in ``make up``, a thread purges and archives what nobody keeps any longer.

It has a connection of its own, as the role that may delete history: no pass of the sweep waits for it. Where no such
role is known it does nothing, and ``doctor`` says so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection

from workflows_app.engine.errors import OrchestratorError
from workflows_app.running.ownership import as_owner, is_possible
from workflows_app.services import retention

log = logging.getLogger(__name__)

INTERVAL = 60.0
"""Seconds between two looks."""
BATCHES = 20
"""How many a look takes at most; the rest follows with the next one."""
STUCK_SECONDS = 3600.0
"""How long an instance that could not go is left alone, so that looks get to those behind it."""


def begin(stop: threading.Event, *, owner: str | None = None) -> None:
    """Start the thread; it ends with the process, or soon after ``stop`` is set.

    Args:
        owner: the address of a role that may delete history, where the environment does not name it.
    """
    threading.Thread(target=_go_on, args=[stop, owner], name="retention", daemon=True).start()


def _go_on(stop: threading.Event, owner: str | None) -> None:
    stuck: dict[UUID, float] = {}
    while not stop.wait(INTERVAL):
        stuck = {key: since for key, since in stuck.items() if time.monotonic() - since < STUCK_SECONDS}
        try:
            done = look(owner, but=stuck)
            stuck |= {key: time.monotonic() for key, _ in done.failures} if done else {}
        except OrchestratorError as problem:
            log.warning("what nobody keeps any longer stays: %s", problem.message)
        except (DatabaseError, InterfaceError) as problem:
            log.warning("retention waits for the database: %s", problem)
        except Exception:
            log.exception("retention broke off; it is tried again")
        finally:
            connection.close()


def look(owner: str | None = None, *, but: Iterable[UUID] = ()) -> retention.Enforced | None:
    """Purge and archive up to ``BATCHES`` batches; ``None`` where nothing is due, or nobody is known who may.

    Args:
        owner: as ``begin`` has it.
        but: instances that are left alone.

    Raises:
        Refused: with code OWNER_NEEDED; who is known may not either.
    """
    if not retention.is_set() or not retention.due(limit=1) or not is_possible(owner):
        return None
    with as_owner(owner):
        done = retention.enforce(batches=BATCHES, but=but)
    if done.checkpoints:
        log.info("%s instances are gone, their retention is over", done.counts["instance"])
    return done
