"""Workers and sweepers that have said that they are there; a row each, renewed every few seconds. For people only."""

from __future__ import annotations

from django.db import models

KINDS = [(word, word) for word in ("worker", "sweeper")]


class Worker(models.Model):
    """One process group: where it runs, which queues it takes messages from, and when it was last heard of."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=8, choices=KINDS)
    name = models.CharField(max_length=200, help_text="As attempts name it, without the process.")
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    queues = models.JSONField(default=list)
    processes = models.IntegerField(default=1, help_text="How many steps it runs at once.")
    activities = models.JSONField(default=list, help_text="``name@version`` of each that it has.")
    figures = models.JSONField(default=dict, db_default={}, help_text="How busy it is; as in ``Sample``.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["kind", "name", "pid"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "host", "pid"], name="worker_once"),
            models.CheckConstraint(condition=models.Q(kind__in=["worker", "sweeper"]), name="worker_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Sample(models.Model):
    """What a process said of itself and of its machine in one minute; kept for a day, also when it is gone."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=8, choices=KINDS)
    name = models.CharField(max_length=200)
    host = models.CharField(max_length=200)
    at = models.DateTimeField(help_text="The beginning of the minute.")
    figures = models.JSONField(default=dict, help_text="As ``services.figures`` names them.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "name", "host", "at"], name="sample_once_a_minute")]
        indexes = [models.Index(fields=["at"], name="sample_age")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} at {self.at}"
