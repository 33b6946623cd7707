"""Work in flight: attempts with their leases, timers, and dispatches that no worker has claimed yet.

Attempts stay as a record; timers and dispatches are removed when they have been used, so that neither grows with
history.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Least

from workflows_app.engine.states import AttemptState
from workflows_app.models.instances import Instance
from workflows_app.models.numbers import Decoder
from workflows_app.models.words import WordField


class Attempt(models.Model):
    """One attempt of a step. (instance, path, number) is its fencing token: a claim hands out each number once."""

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    path = models.CharField(max_length=300)
    number = models.IntegerField()
    role = WordField(domain="wf_role")
    state = WordField(domain="wf_attempt_state")
    worker = models.CharField(max_length=200)
    queue = models.CharField(max_length=100)
    lease_expires_at = models.DateTimeField()
    timeout_at = models.DateTimeField()
    stop_requested = models.BooleanField(default=False)
    own_key = models.CharField(max_length=400, null=True)  # noqa: DJ001 - NULL: the step's default idempotency key
    error = models.JSONField(null=True, decoder=Decoder)
    progress = models.JSONField(null=True, decoder=Decoder)
    progress_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance", "path", "number"], name="attempt_number_unique"),
            models.UniqueConstraint(
                fields=["instance", "path"], condition=Q(state=AttemptState.RUNNING), name="attempt_one_running"
            ),
        ]
        indexes = [
            # When the sweep has to look at it: both times in one index, as every step writes it.
            models.Index(
                Least("lease_expires_at", "timeout_at"),
                condition=Q(state=AttemptState.RUNNING),
                name="attempt_running_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.path} #{self.number}"


class Timer(models.Model):
    """Something to wake at a time; an empty path means the instance itself."""

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="timers", db_index=False)
    path = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=12, help_text="A word of ``TimerKind``.")
    due_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance", "path", "kind"], name="timer_unique"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="timer_due"),
            # What is tried again, and what begins later, for lists: few among all that wait.
            models.Index(fields=["due_at"], condition=Q(kind="retry"), name="timer_retry"),
            models.Index(fields=["due_at"], condition=Q(kind="start"), name="timer_start"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.instance_id} {self.path}"


class Dispatch(models.Model):
    """An unclaimed dispatch of a step at one generation: the outbox and the claim ticket in one row.

    ``published_at`` is empty while the queue's window is full; a claim deletes the row.
    """

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="dispatches", db_index=False)
    path = models.CharField(max_length=300)
    generation = models.IntegerField()
    queue = models.CharField(max_length=100)
    timeout = models.FloatField(help_text="Seconds that the attempt may take.")
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)
    publications = models.IntegerField(default=0)
    rank = models.DateTimeField(null=True, help_text="Stands for created_at where the priority is not normal.")

    class Meta:
        verbose_name_plural = "dispatches"
        constraints = [
            models.UniqueConstraint(fields=["instance", "path"], name="dispatch_one_per_step"),
        ]
        indexes = [
            models.Index(fields=["queue", "published_at"], name="dispatch_in_flight"),
            models.Index(
                "queue",
                Coalesce("rank", "created_at"),
                "id",
                condition=Q(published_at__isnull=True),
                name="dispatch_held_back",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.path} generation {self.generation}"


class Notice(models.Model):
    """What an instance tells one that it called, or that one at its end its caller; handing it over removes the row.

    No foreign key: writing one would wait for the lock of an instance whose session may be waiting for ours.
    """

    id = models.BigAutoField(primary_key=True)
    child = models.UUIDField(help_text="The called instance, whichever of the two is told.")
    kind = models.CharField(max_length=12, help_text="A word of ``NoticeKind``.")
    data = models.JSONField(default=dict)
    due_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["child", "kind"], name="notice_once"),
        ]
        indexes = [models.Index(fields=["due_at"], name="notice_due")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.child}"


class Queue(models.Model):
    """What is known of a queue: how far, by time of publication, its messages have been claimed."""

    name = models.CharField(max_length=100, primary_key=True)
    claimed_through = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
