"""How many random definitions each property of the engine is tried on: ``make test-random`` says more."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("RANDOM_DEFINITIONS", "100"))
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
