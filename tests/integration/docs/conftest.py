"""The guide's own activities, registered while its examples are looked at, and a driver that performs for real."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from celery import _state, current_app

from tests.integration.docs.pages import DOCS, GUIDES, blocks
from tests.integration.driver import Driver, Perform
from workflows_app.activities import ActivityContext, registry
from workflows_app.engine.credentials import SecretType
from workflows_app.services import decision_tables, secrets, service_registry
from workflows_app.services.steps import Claim


@pytest.fixture
def shown_activities() -> Iterator[types.ModuleType]:
    """The guide's examples as one module, imported; forgotten afterwards."""
    registry.discover()
    shown = [block for block in blocks(DOCS / "guides" / "activities.md") if block.info == "python"]
    known, tasks = dict(registry._activities), set(current_app.tasks)
    # A shared task is also promised to every Celery application made later on.
    promised = set(_state._on_app_finalizers)
    module = types.ModuleType("warehouse")
    sys.modules["warehouse"] = module
    try:
        for block in shown:
            exec(compile(block.text, str(block), "exec"), module.__dict__)
        yield module
    finally:
        registry._activities = known
        _state._on_app_finalizers.clear()
        _state._on_app_finalizers.update(promised)
        del sys.modules["warehouse"]
        for name in set(current_app.tasks) - tasks:
            current_app.tasks.unregister(name)


@pytest.fixture
def shown_tables(db: None) -> None:
    """The guides' decision tables, published."""
    for block in blocks(*GUIDES):
        if block.info == "yaml table":
            decision_tables.publish(text=block.text, actor="ada")


@pytest.fixture
def shown_services(db: None) -> None:
    """The guides' services, registered."""
    for block in blocks(*GUIDES):
        if block.info == "yaml service":
            service_registry.register(text=block.text, actor="ada")


@pytest.fixture
def shown_secrets(db: None) -> None:
    """The guides' secrets, set."""
    secrets.put(name="bank-token", type=SecretType.TOKEN, text="tok-of-the-guide", actor="ada")
    secrets.put(name="bank-client", type=SecretType.JSON, text='{"id": "client-of-the-guide"}', actor="ada")


class Registered(dict[str, Perform]):
    """Performs every step with its registered activity; nobody sleeps."""

    def get(self, path: str, default: Any = None) -> Perform:
        return perform


def perform(claim: Claim) -> Any:
    if claim.activity.startswith("core.sleep@"):
        return claim.parameters
    context = ActivityContext(
        instance_id=str(claim.instance_id),
        workflow=claim.workflow,
        version=claim.version,
        correlation_id=claim.correlation_id,
        step=claim.path,
        attempt=claim.number,
        idempotency_key=claim.idempotency_key,
        role=claim.role.value,
    )
    return registry.get(claim.activity).perform(claim.parameters, context)


@pytest.fixture
def performing(driver: Driver) -> Driver:
    """A driver that performs the activities that ship."""
    driver.perform = Registered()
    return driver
