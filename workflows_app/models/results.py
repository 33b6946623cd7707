"""Cached results: outputs of completed steps that other steps may complete with, until they expire."""

from __future__ import annotations

from django.db import models

from workflows_app.models.numbers import Decoder


class CachedResult(models.Model):
    """One output under (activity with its version, hash of the cache key); the last to complete replaces it."""

    id = models.BigAutoField(primary_key=True)
    activity = models.CharField(max_length=200)
    key = models.CharField(max_length=64)
    output = models.JSONField(null=True, decoder=Decoder)
    instance_id = models.UUIDField(help_text="Where it comes from; that instance may have been purged since.")
    path = models.CharField(max_length=300)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["activity", "key"], name="cached_result_unique")]
        indexes = [models.Index(fields=["expires_at"], name="cached_result_expiry")]

    def __str__(self) -> str:
        return f"{self.activity} {self.key[:12]}"
