"""The ASGI entry point of the web process."""

import os

from django.core.asgi import get_asgi_application
from django.db import connections

from orchestrator.environment import use_settings

use_settings()

application = get_asgi_application()

# Django advises against connections kept per thread under ASGI; workers keep theirs. Too late for the environment: with
# this package the Celery application has been imported, and the settings with it.
if not os.environ.get("ORCHESTRATOR_CONN_MAX_AGE"):
    for database in connections.settings.values():
        database["CONN_MAX_AGE"] = 0
