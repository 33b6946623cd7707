"""The WSGI entry point, for hosts that have no ASGI server."""

from django.core.wsgi import get_wsgi_application

from orchestrator.environment import use_settings

use_settings()

application = get_wsgi_application()
