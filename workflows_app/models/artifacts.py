"""Artifacts: what is kept outside the database, for quotas, deletion and people; the content is elsewhere."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.db.models.lookups import Regex

from workflows_app.models.instances import Instance


class Artifact(models.Model):
    """One content of one instance; name, media type and step are those of whoever wrote it first."""

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="artifacts", db_index=False)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the content, hexadecimal.")
    size = models.BigIntegerField(help_text="Bytes.")
    name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=127)
    step = models.CharField(max_length=300)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance", "digest"], name="artifact_content_unique"),
            models.CheckConstraint(condition=Q(size__gte=0), name="artifact_size_counted"),
            models.CheckConstraint(condition=Q(Regex(F("digest"), "^[0-9a-f]{64}$")), name="artifact_digest_is_one"),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.digest[:12]}"
