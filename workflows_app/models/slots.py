"""Slots: who holds, and who waits for, one of the places that a workflow's ``concurrency`` grants to a key.

Rows exist only while an instance waits or has not ended, and keys only while they have such rows: neither table grows
with history.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from workflows_app.models.instances import Instance

STATES = [(word, word) for word in ("waiting", "granted", "taken")]


class SlotKey(models.Model):
    """One key of one workflow; its row is the lock under which slots are granted and given back."""

    id = models.BigAutoField(primary_key=True)
    workflow = models.CharField(max_length=100)
    key = models.CharField(max_length=200, blank=True)
    held = models.IntegerField(default=0, help_text="Slots granted or taken.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "key"], name="slot_key_unique"),
            models.CheckConstraint(condition=Q(held__gte=0), name="slot_key_held_counted"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {self.key}: {self.held}"


class Slot(models.Model):
    """What one instance waits for (``waiting``), may start with (``granted``) or runs in (``taken``)."""

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="slots", db_index=False)
    workflow = models.CharField(max_length=100)
    key = models.CharField(max_length=200, blank=True)
    places = models.IntegerField(help_text="How many the instance's version grants to the key.")
    state = models.CharField(max_length=8, choices=STATES)
    due_at = models.DateTimeField(null=True, help_text="From when on an instance with a granted slot is started.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance"], name="slot_of_instance"),
            models.CheckConstraint(condition=Q(state__in=["waiting", "granted", "taken"]), name="slot_state_known"),
        ]
        indexes = [
            models.Index(fields=["workflow", "key", "id"], condition=Q(state="waiting"), name="slot_waiting"),
            models.Index(fields=["due_at", "id"], condition=Q(state="granted"), name="slot_granted"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {self.key}: {self.state}"
