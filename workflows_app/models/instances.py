"""Instances and their steps: the stored form of ``engine.snapshot``."""

from __future__ import annotations

import uuid
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import Exact, IsNull, Regex

from workflows_app.engine.states import INSTANCE_ENDED, InstanceState, Role, StepState
from workflows_app.models.definitions import DefinitionVersion
from workflows_app.models.numbers import Decoder
from workflows_app.models.words import WordField, one_of, pattern


class Instance(models.Model):
    """One execution of a published version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    definition_version = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="instances")
    workflow = models.CharField(max_length=100)
    version = models.CharField(max_length=60)
    state = WordField(domain="wf_instance_state", default=InstanceState.PENDING)
    cause = WordField(domain="wf_cause", null=True, blank=True)
    ending = models.CharField(max_length=12, null=True, blank=True)  # noqa: DJ001 - NULL: not ending
    undo = models.BooleanField(default=False)
    input = models.JSONField(null=True, decoder=Decoder)
    variables = models.JSONField(default=dict, decoder=Decoder)
    output = models.JSONField(null=True, decoder=Decoder)
    error = models.JSONField(null=True, decoder=Decoder)
    open_steps = models.IntegerField(default=0)
    undo_open = models.IntegerField(default=0, db_default=0)
    undone = models.IntegerField(default=0, db_default=0, help_text="How many undos have ended.")
    undo_failed = models.IntegerField(default=0, db_default=0, help_text="How many of them have not worked.")
    held = models.JSONField(null=True, decoder=Decoder, help_text="What a pause keeps back; see ``engine.snapshot``.")
    rewind = models.JSONField(null=True, decoder=Decoder, help_text="What is asked for while it goes back to a step.")
    # Of a state machine only; see ``engine.snapshot``.
    machine_state = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001 - NULL: a flow
    machine_since = models.DateTimeField(null=True)
    machine_transition = models.CharField(max_length=300, null=True, blank=True)  # noqa: DJ001 - NULL: none
    machine_queue = models.JSONField(null=True, decoder=Decoder)
    sequence = models.BigIntegerField(default=0)
    head_hash = models.BinaryField(default=b"")
    correlation_id = models.CharField(max_length=200)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - NULL: not unique
    concurrency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - NULL: no limit, '': one for all
    started_by = models.CharField(max_length=150)
    # Never written by what moves an instance on, so that its row can be updated in place.
    tags = ArrayField(models.TextField(), null=True, blank=True, help_text="Words to find it by.")
    overrides = models.JSONField(null=True, help_text="What holds instead of its definition; see ``engine.overrides``.")
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children", db_index=False)
    parent_path = models.CharField(max_length=300, null=True, blank=True)  # noqa: DJ001 - NULL: nobody called it
    depth = models.IntegerField(default=0, db_default=0, help_text="How many instances stand above it.")
    awaited = models.BooleanField(default=False, db_default=False, help_text="A step waits for its end.")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Exact(Regex(F("state"), pattern(INSTANCE_ENDED)), IsNull(F("ended_at"), False)),
                name="instance_ended_has_time",
            ),
            models.CheckConstraint(condition=Q(open_steps__gte=0), name="instance_open_steps_counted"),
            models.CheckConstraint(
                condition=Exact(IsNull(F("machine_state"), True), IsNull(F("machine_since"), True)),
                name="instance_machine_state_since",
            ),
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
            GinIndex(fields=["tags"], condition=Q(tags__isnull=False), name="instance_tags"),
            # What the dashboard counts by the hour.
            models.Index(fields=["ended_at", "state"], condition=Q(ended_at__isnull=False), name="instance_ended"),
            models.Index(
                fields=["parent", "parent_path"], condition=Q(parent__isnull=False), name="instance_children_of_step"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {self.id}"

    @classmethod
    def stored(cls, **columns: Any) -> Self:
        """Make the object of a row that has just been written; columns that are not given are read when asked for."""
        given = {f.attname: columns[f.attname] for f in cls._meta.concrete_fields if f.attname in columns}
        return cls.from_db("default", given, given.values())


class Step(models.Model):
    """The runtime row of a step; a step without a row is pending and nothing has been counted for it."""

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="steps", db_index=False)
    path = models.CharField(max_length=300)
    state = WordField(domain="wf_step_state")
    role = WordField(domain="wf_role", default=Role.ACTION)
    generation = models.IntegerField(default=0)
    attempt = models.IntegerField(null=True)
    attempts = models.IntegerField(default=0)
    failures = models.IntegerField(default=0)
    losses = models.IntegerField(default=0)
    limited = models.JSONField(null=True, help_text="Failures by the place of the retry limit that they count against.")
    error_case = models.SmallIntegerField(
        null=True, help_text="The place of the case of ``on_error`` whose fallback stands in."
    )
    needs_settled = models.IntegerField(default=0)
    needs_completed = models.IntegerField(default=0)
    open_children = models.IntegerField(default=0)
    opened = models.IntegerField(db_default=0)
    planned = models.IntegerField(null=True)
    undo_settled = models.IntegerField(db_default=0)
    undo_open = models.IntegerField(db_default=0)
    undo_left = models.IntegerField(db_default=0)
    rerun = models.IntegerField(db_default=0, help_text="How often an operator had it run again.")
    stopping = models.BooleanField(default=False)
    effect_unknown = models.BooleanField(default=False)
    input = models.JSONField(null=True, decoder=Decoder)
    input_from = models.JSONField(null=True, help_text="Whence a part of the input is taken; see ``wf_kept``.")
    undo_input = models.JSONField(null=True, decoder=Decoder)
    idempotency_key = models.CharField(max_length=400, null=True)  # noqa: DJ001 - NULL: the default one
    output = models.JSONField(null=True, decoder=Decoder)
    output_from = models.JSONField(null=True, help_text="Whence a part of the output is taken; see ``wf_kept``.")
    error = models.JSONField(null=True, decoder=Decoder)
    undo_error = models.JSONField(null=True, decoder=Decoder)
    due_at = models.DateTimeField(null=True)
    settled = models.BigIntegerField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance", "path"], name="step_path_unique"),
            models.CheckConstraint(
                condition=~Q(state=StepState.RUNNING) | Q(attempt__isnull=False), name="step_running_has_attempt"
            ),
            models.CheckConstraint(
                condition=Q(attempt__isnull=True) | one_of("state", {StepState.RUNNING, StepState.COMPENSATING}),
                name="step_attempt_means_running",
            ),
            models.CheckConstraint(condition=Q(open_children__gte=0), name="step_open_children_counted"),
        ]
        indexes = [
            models.Index(
                fields=["ended_at"],
                condition=Q(error__code="QUARANTINED") | Q(undo_error__code="QUARANTINED"),
                name="step_quarantined",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.path}"
