"""History: the events of every instance and the audit trail. Rows are added, never changed; the database sees to it."""

from __future__ import annotations

from django.db import models

from workflows_app.models.instances import Instance
from workflows_app.models.numbers import Decoder


class Event(models.Model):
    """One event; ``hash`` covers it and the hash before it."""

    pk = models.CompositePrimaryKey("instance_id", "sequence")
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="events", db_index=False)
    sequence = models.BigIntegerField()
    type = models.CharField(max_length=40)
    step = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    data = models.JSONField(decoder=Decoder)
    hash = models.BinaryField()

    class Meta:
        ordering = ["instance_id", "sequence"]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.sequence} {self.type}"


class AuditEntry(models.Model):
    """What a person or a command did: published, cancelled, terminated …"""

    sequence = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=300)
    data = models.JSONField(decoder=Decoder)
    hash = models.BinaryField()

    class Meta:
        ordering = ["sequence"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["target", "-sequence"], name="audit_of_target")]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action} {self.target}"
