"""The composition root: settings, the Celery application, addresses, ASGI and WSGI entry points."""

from orchestrator.celery import app as celery_app

__all__ = ["celery_app"]
