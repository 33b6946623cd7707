"""What attempts said: the lines of their logs. A record for people, no history."""

from __future__ import annotations

from django.db import models

from workflows_app.models.instances import Instance


class LogLine(models.Model):
    """One line of one attempt; it stays, whatever became of the attempt, and goes with its instance.

    Without a constraint on the instance: whoever keeps a lease must not wait for its lock.
    """

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(
        Instance, on_delete=models.CASCADE, related_name="log_lines", db_constraint=False, db_index=False
    )
    path = models.CharField(max_length=300)
    number = models.IntegerField(help_text="Of the attempt.")
    ordinal = models.IntegerField(help_text="Of the line in its attempt, from 1.")
    at = models.DateTimeField()
    level = models.CharField(max_length=8)
    logger = models.CharField(max_length=100)
    text = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance", "path", "number", "ordinal"], name="log_line_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.path} #{self.number}: {self.level}"
