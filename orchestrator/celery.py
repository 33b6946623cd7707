"""The Celery application that every worker, beat and Flower loads: ``celery -A orchestrator``."""

import gc
import logging
from typing import Any

from celery import Celery
from celery.signals import worker_init
from django.conf import settings

from orchestrator.environment import use_settings

log = logging.getLogger(__name__)

use_settings()

app = Celery("orchestrator", task_cls="orchestrator.intake:Task")
# Only Celery's own settings: whatever is in its configuration is sent to whoever asks a worker for it, Flower's pages
# among them, and the addresses and headers of connections are secrets.
app.config_from_object(
    {name: value for name in dir(settings) if name.startswith("CELERY_") for value in [getattr(settings, name)]},
    namespace="CELERY",
)
# Celery's Django support closes the database connection around every task unless told how often to use it again; the
# steps' own entry point drops a connection that has become unusable.
app.conf["CELERY_DB_REUSE_MAX"] = 10**12
# `tasks` is a top-level package: with the default related_name nothing would be registered, silently.
app.autodiscover_tasks(["tasks"], related_name=None)  # type: ignore[arg-type]


@worker_init.connect
def settle_in(**_: Any) -> None:
    """Load what every step needs before the pool forks, and keep the collector from looking at it ever again.

    A full collection walks everything that Django and Celery have loaded; with large values it came so often that it
    took half of a worker's time.
    """
    from workflows_app.activities import registry
    from workflows_app.engine.errors import OrchestratorError

    try:
        registry.discover()
    except OrchestratorError as problem:
        log.warning("%s", problem.message)
    gc.collect()
    gc.freeze()
