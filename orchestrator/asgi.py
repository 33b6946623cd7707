"""The ASGI entry point of the web process."""

import os

from django.core.asgi import get_asgi_application

from orchestrator.environment import use_settings

# Django advises against connections kept per thread under ASGI; workers keep theirs.
os.environ.setdefault("ORCHESTRATOR_CONN_MAX_AGE", "0")
use_settings()

application = get_asgi_application()
