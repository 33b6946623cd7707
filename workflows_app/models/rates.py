"""How often something may happen over all processes, and the turns of those that have to wait."""

from __future__ import annotations

from django.db import models

from workflows_app.models.instances import Instance


class Rate(models.Model):
    """One limit on how often something happens: when all that was let through will have had its share of the time."""

    name = models.CharField(max_length=300, primary_key=True)
    free_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Turn(models.Model):
    """When the call of a step that was turned away under a limit has its turn; removed when it is taken.

    Without a constraint on the instance: whoever is turned away must not wait for its lock.
    """

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=300)
    instance = models.ForeignKey(
        Instance, on_delete=models.CASCADE, related_name="turns", db_constraint=False, db_index=False
    )
    caller = models.CharField(max_length=500, help_text="The step, and which of its calls.")
    due_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["instance", "caller", "name"], name="turn_of_call")]

    def __str__(self) -> str:
        return f"{self.name}: {self.instance_id} {self.caller}"
