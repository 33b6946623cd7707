"""What a worker runs: Celery entry points with identifiers in, one service call, nothing out.

Celery loads this package alone, so the modules with tasks are imported here.
"""

from tasks import presence, steps

__all__ = ["presence", "steps"]
