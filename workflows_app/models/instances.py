"""Instances and their steps: the stored form of ``engine.snapshot``."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Self

from django.db import models
from django.db.models import Q

from workflows_app.engine.states import INSTANCE_ENDED, Cause, InstanceState, Role, StepState
from workflows_app.models.definitions import DefinitionVersion
from workflows_app.models.numbers import Decoder


def choices(states: type[StrEnum]) -> list[tuple[str, str]]:
    """Return a state table's values as Django choices."""
    return [(state.value, state.value.replace("_", " ")) for state in states]


def values(states: Iterable[StrEnum]) -> list[str]:
    """Return the stored values of some states, in a stable order."""
    return sorted(state.value for state in states)


def one_of(field: str, states: Iterable[StrEnum]) -> Q:
    """Return the condition that a column holds one of some states.

    As a pattern: PostgreSQL reads a constraint's expression anew for every statement that writes the table, and a list
    of texts is ten times as long (the constraints were a quarter of the time of a step).
    """
    return Q(**{f"{field}__regex": f"^({'|'.join(values(states))})$"})


class Instance(models.Model):
    """One execution of a published version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    definition_version = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="instances")
    workflow = models.CharField(max_length=100)
    version = models.CharField(max_length=60)
    state = models.CharField(max_length=20, choices=choices(InstanceState), default=InstanceState.PENDING)
    cause = models.CharField(max_length=12, choices=choices(Cause), null=True, blank=True)  # noqa: DJ001
    ending = models.CharField(max_length=12, null=True, blank=True)  # noqa: DJ001 - NULL: not ending
    undo = models.BooleanField(default=False)
    input = models.JSONField(null=True, decoder=Decoder)
    variables = models.JSONField(default=dict, decoder=Decoder)
    output = models.JSONField(null=True, decoder=Decoder)
    error = models.JSONField(null=True, decoder=Decoder)
    open_steps = models.IntegerField(default=0)
    undo_order = models.JSONField(default=list)
    undo_next = models.IntegerField(default=0)
    undo_failed = models.BooleanField(default=False)
    sequence = models.BigIntegerField(default=0)
    head_hash = models.BinaryField(default=b"")
    correlation_id = models.CharField(max_length=200)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - NULL: not unique
    started_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=one_of("state", InstanceState), name="instance_state_known"),
            models.CheckConstraint(
                condition=Q(cause__isnull=True) | one_of("cause", Cause), name="instance_cause_known"
            ),
            models.CheckConstraint(
                condition=Q(one_of("state", INSTANCE_ENDED), ended_at__isnull=False)
                | (~one_of("state", INSTANCE_ENDED) & Q(ended_at__isnull=True)),
                name="instance_ended_has_time",
            ),
            models.CheckConstraint(condition=Q(open_steps__gte=0), name="instance_open_steps_counted"),
            models.UniqueConstraint(
                fields=["workflow", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="instance_idempotency_key",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="instance_newest"),
            models.Index(fields=["workflow", "-created_at"], name="instance_workflow_newest"),
            models.Index(fields=["state", "-created_at"], name="instance_state_newest"),
            models.Index(fields=["correlation_id"], name="instance_correlation"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {self.id}"

    @classmethod
    def stored(cls, **columns: Any) -> Self:
        """Make the object of a row that has just been written; columns that are not given are read when asked for."""
        made = cls(**columns)
        for field in made._meta.concrete_fields:
            if field.attname not in columns:
                del made.__dict__[field.attname]
        made._state.adding, made._state.db = False, "default"
        return made


class Step(models.Model):
    """The runtime row of a step; a step without a row is pending and nothing has been counted for it."""

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="steps", db_index=False)
    path = models.CharField(max_length=300)
    state = models.CharField(max_length=20, choices=choices(StepState))
    role = models.CharField(max_length=12, choices=choices(Role), default=Role.ACTION)
    generation = models.IntegerField(default=0)
    attempt = models.IntegerField(null=True)
    attempts = models.IntegerField(default=0)
    failures = models.IntegerField(default=0)
    losses = models.IntegerField(default=0)
    needs_settled = models.IntegerField(default=0)
    needs_completed = models.IntegerField(default=0)
    open_children = models.IntegerField(default=0)
    stopping = models.BooleanField(default=False)
    effect_unknown = models.BooleanField(default=False)
    input = models.JSONField(null=True, decoder=Decoder)
    undo_input = models.JSONField(null=True, decoder=Decoder)
    output = models.JSONField(null=True, decoder=Decoder)
    error = models.JSONField(null=True, decoder=Decoder)
    undo_error = models.JSONField(null=True, decoder=Decoder)
    due_at = models.DateTimeField(null=True)
    settled = models.BigIntegerField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance", "path"], name="step_path_unique"),
            models.CheckConstraint(condition=one_of("state", StepState), name="step_state_known"),
            models.CheckConstraint(condition=one_of("role", Role), name="step_role_known"),
            models.CheckConstraint(
                condition=~Q(state=StepState.RUNNING) | Q(attempt__isnull=False), name="step_running_has_attempt"
            ),
            models.CheckConstraint(
                condition=Q(attempt__isnull=True) | one_of("state", {StepState.RUNNING, StepState.COMPENSATING}),
                name="step_attempt_means_running",
            ),
            models.CheckConstraint(condition=Q(open_children__gte=0), name="step_open_children_counted"),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.path}"
