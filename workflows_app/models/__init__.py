"""Data and constraints. Behaviour lives in ``services``; what rows mean lives in ``engine``."""

from workflows_app.models.archives import ArchivedInstance
from workflows_app.models.artifacts import Artifact
from workflows_app.models.callbacks import Callback
from workflows_app.models.checkpoints import Checkpoint
from workflows_app.models.decision_tables import DecisionTable, DecisionTableVersion
from workflows_app.models.definitions import Definition, DefinitionVersion
from workflows_app.models.effects import Effect
from workflows_app.models.history import AuditEntry, Event
from workflows_app.models.holds import Hold
from workflows_app.models.instances import Instance, Step
from workflows_app.models.logs import LogLine
from workflows_app.models.messages import Consumption, PublishedEvent, Subscription, Wakeup
from workflows_app.models.rates import Rate, Turn
from workflows_app.models.results import CachedResult
from workflows_app.models.secrets import Secret
from workflows_app.models.services import Breaker, Place, Service
from workflows_app.models.slots import Slot, SlotKey
from workflows_app.models.views import SavedView
from workflows_app.models.work import Attempt, Dispatch, Notice, Queue, Timer
from workflows_app.models.workers import Sample, Worker

__all__ = [
    "ArchivedInstance",
    "Artifact",
    "Attempt",
    "AuditEntry",
    "Breaker",
    "CachedResult",
    "Callback",
    "Checkpoint",
    "Consumption",
    "DecisionTable",
    "DecisionTableVersion",
    "Definition",
    "DefinitionVersion",
    "Dispatch",
    "Effect",
    "Event",
    "Hold",
    "Instance",
    "LogLine",
    "Notice",
    "Place",
    "PublishedEvent",
    "Queue",
    "Rate",
    "Sample",
    "SavedView",
    "Secret",
    "Service",
    "Slot",
    "SlotKey",
    "Step",
    "Subscription",
    "Timer",
    "Turn",
    "Wakeup",
    "Worker",
]
