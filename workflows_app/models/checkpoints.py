"""Checkpoints: what an activity keeps for the next attempt of its step. Nothing the engine decides on: no history."""

from __future__ import annotations

from django.db import models

from workflows_app.models.instances import Instance
from workflows_app.models.numbers import Decoder
from workflows_app.models.words import WordField


class Checkpoint(models.Model):
    """The last value that the attempts of a step saved in one role; it goes with its instance."""

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="checkpoints", db_index=False)
    path = models.CharField(max_length=300)
    role = WordField(domain="wf_role")
    attempt = models.IntegerField()
    data = models.JSONField(decoder=Decoder)
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance", "path", "role"], name="checkpoint_one_per_step_and_role"),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.path} {self.role}"
