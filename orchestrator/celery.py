"""The Celery application that every worker, beat and Flower loads: ``celery -A orchestrator``."""

from celery import Celery

from orchestrator.environment import use_settings

use_settings()

app = Celery("orchestrator")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery's Django support closes the database connection around every task unless told how often to use it again; the
# steps' own entry point drops a connection that has become unusable.
app.conf["CELERY_DB_REUSE_MAX"] = 10**12
# `tasks` is a top-level package: with the default related_name nothing would be registered, silently.
app.autodiscover_tasks(["tasks"], related_name=None)  # type: ignore[arg-type]
