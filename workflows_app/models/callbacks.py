"""Addresses at which steps are answered."""

from __future__ import annotations

from django.db import models

from workflows_app.models.instances import Instance


class Callback(models.Model):
    """An address that a step handed out for another one that waits; of its token only the hash is kept.

    Without a constraint on the instance: whoever hands out an address must not wait for its lock.
    """

    id = models.BigAutoField(primary_key=True)
    token_hash = models.CharField(max_length=64)
    instance = models.ForeignKey(
        Instance, on_delete=models.CASCADE, related_name="callbacks", db_constraint=False, db_index=False
    )
    path = models.CharField(max_length=300, help_text="Of the step that waits.")
    sender = models.CharField(max_length=300, help_text="The step that handed the address out.")
    secret = models.CharField(max_length=100, blank=True, default="")
    handed_out_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token_hash"], name="callback_token_unique")]
        indexes = [models.Index(fields=["instance"], name="callback_of_instance")]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.path}"
