"""The activities that the guide shows are registered while its examples are looked at."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest
from celery import current_app

from tests.integration.docs.pages import DOCS, blocks
from workflows_app.activities import registry


@pytest.fixture
def shown_activities() -> Iterator[types.ModuleType]:
    """The module of the guide's example, imported; forgotten afterwards."""
    registry.discover()
    (shown,) = [block for block in blocks(DOCS / "guides" / "activities.md") if block.info == "python"]
    known, tasks = dict(registry._activities), set(current_app.tasks)
    module = types.ModuleType("warehouse")
    sys.modules["warehouse"] = module
    try:
        exec(compile(shown.text, str(shown), "exec"), module.__dict__)  # noqa: S102 - our own documentation
        yield module
    finally:
        registry._activities = known
        del sys.modules["warehouse"]
        for name in set(current_app.tasks) - tasks:
            current_app.tasks.unregister(name)
