"""The Celery application that every worker, beat and Flower loads: ``celery -A orchestrator``."""

from celery import Celery

from orchestrator.environment import use_settings

use_settings()

app = Celery("orchestrator")
app.config_from_object("django.conf:settings", namespace="CELERY")
# `tasks` is a top-level package: with the default related_name nothing would be registered, silently.
app.autodiscover_tasks(["tasks"], related_name=None)
