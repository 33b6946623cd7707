"""Data and constraints. Behaviour lives in ``services``; what rows mean lives in ``engine``."""

from workflows_app.models.definitions import Definition, DefinitionVersion
from workflows_app.models.history import AuditEntry, Event
from workflows_app.models.instances import Instance, Step
from workflows_app.models.work import Attempt, Dispatch, Queue, Timer

__all__ = [
    "Attempt",
    "AuditEntry",
    "Definition",
    "DefinitionVersion",
    "Dispatch",
    "Event",
    "Instance",
    "Queue",
    "Step",
    "Timer",
]
