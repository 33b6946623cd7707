"""Discovery: importing the modules that register activities, and naming those that break."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import entry_points

from django.conf import settings

from workflows_app.engine.errors import OrchestratorError

ENTRY_POINT_GROUP = "orchestrator.activities"
SHIPPED_MODULES = (
    "tasks.activities.core",
    "tasks.activities.data",
    "tasks.activities.files",
    "tasks.activities.sql",
    "tasks.activities.http",
    "tasks.activities.mail",
    "tasks.activities.messages",
    "tasks.activities.webhook",
    "tasks.activities.service",
    "tasks.activities.aggregate",
    "tasks.activities.celery_task",
)


class DiscoveryFailed(OrchestratorError):
    """At least one module of activities could not be loaded; ``details["modules"]`` maps each to its reason."""

    code = "ACTIVITY_DISCOVERY_FAILED"


def module_names() -> list[str]:
    """The configured modules, in order and without repetition: the setting, then the environment's."""
    configured = getattr(settings, "ORCHESTRATOR_ACTIVITY_MODULES", None)
    names = list(SHIPPED_MODULES if configured is None else configured)
    names += [name.strip() for name in os.environ.get("ORCHESTRATOR_ACTIVITIES", "").split(",")]
    return list(dict.fromkeys(name for name in names if name))


def load_all(*, rollback: Callable[[], AbstractContextManager[None]]) -> None:
    """Import every module and entry point.

    Args:
        rollback: opens a context that undoes the registrations of a module that breaks inside it.

    Raises:
        DiscoveryFailed: after everything was tried, naming what broke.
    """
    sources: list[tuple[str, Callable[[], object]]] = [
        (name, lambda name=name: importlib.import_module(name))  # type: ignore[misc]
        for name in module_names()
    ]
    sources += [
        (f"{point.value} (entry point {point.name})", point.load) for point in entry_points(group=ENTRY_POINT_GROUP)
    ]
    broken: dict[str, str] = {}
    first: BaseException | None = None
    for name, load in sources:
        try:
            with rollback():
                load()
        except (Exception, SystemExit) as error:  # a plugin may raise anything while it is imported
            reason = error.message if isinstance(error, OrchestratorError) else f"{type(error).__name__}: {error}"
            broken[name] = reason
            first = first or error
    if broken:
        listed = "; ".join(f"{name}: {reason}" for name, reason in broken.items())
        raise DiscoveryFailed(
            f"These modules of activities could not be loaded: {listed}", details={"modules": broken}
        ) from first
