"""``relay`` is a worker's module, not a test's: it has a Celery application of its own."""

collect_ignore = ["relay.py"]
