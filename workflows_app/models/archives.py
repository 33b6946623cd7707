"""Archived instances: what is known here of those whose rows were deleted after a file had been written of them."""

from __future__ import annotations

import uuid

from django.db import models


class ArchivedInstance(models.Model):
    """One instance, and in which archive it stands: that of the instance at the top of its calls."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    root = models.UUIDField(help_text="The instance at the top; its archive holds all that it called.")
    workflow = models.CharField(max_length=100)
    version = models.CharField(max_length=60)
    state = models.CharField(max_length=20)
    correlation_id = models.CharField(max_length=200)
    ended_at = models.DateTimeField()
    events = models.BigIntegerField(help_text="How many its history has.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the archive, hexadecimal.")
    size = models.BigIntegerField(help_text="Bytes of the archive.")
    place = models.CharField(max_length=1000, blank=True, help_text="Its folder; empty: ORCHESTRATOR_ARCHIVE.")
    archived_at = models.DateTimeField()
    archived_by = models.CharField(max_length=200)
    entry = models.BigIntegerField(help_text="The checkpoint on the audit trail.")

    class Meta:
        indexes = [
            models.Index(fields=["-archived_at", "-id"], name="archived_newest"),
            models.Index(fields=["workflow", "-archived_at"], name="archived_workflow_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {self.id}, archived"
