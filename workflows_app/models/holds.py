"""Holds: an operator's pause of a whole workflow, of a queue, or of everything; a row each, for as long as it lasts."""

from __future__ import annotations

from django.db import models


class Hold(models.Model):
    """What no worker begins a step of, and why; ``name`` is empty where ``kind`` is ``all``."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=12, help_text="``definition``, ``queue`` or ``all``.")
    name = models.CharField(max_length=100, blank=True)
    actor = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "name"], name="hold_once"),
            models.CheckConstraint(
                condition=models.Q(kind="all", name="") | models.Q(kind__in=["definition", "queue"]),
                name="hold_kind_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()
