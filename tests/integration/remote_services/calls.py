"""A step that calls, and what is seen of it."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.driver import Driver
from workflows_app.models import Instance
from workflows_app.selectors import results


def calling(operation: str = "charge", *, service: str = "bank", more: str = "", **parameters: Any) -> str:
    given = {"service": service, "operation": operation, "path_params": {"account": "7"}, **parameters}
    return f"""
workflow: w{abs(hash((operation, service, more, json.dumps(parameters, sort_keys=True))))}
version: 1.0.0
steps:
  - id: pay
    activity: service.call
    with: {json.dumps(given)}
    {more}
"""


def called(driver: Driver, document: str | None = None) -> dict[str, Any]:
    """Run a workflow that calls, until it ends or waits; return its view."""
    found: Instance = driver.start(document or calling(), {})
    driver.drain()
    return results.instance_view(found.pk)


def error(view: dict[str, Any]) -> dict[str, Any]:
    return dict(view["attempts"][-1]["error"])
