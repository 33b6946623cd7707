"""Secrets: what an installation keeps encrypted for its steps; the keys are outside the database."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from workflows_app.engine.credentials import SecretType
from workflows_app.models.words import choices, one_of


class Secret(models.Model):
    """One named secret; ``ciphertext`` holds its name, type and value, so that it fits no other row."""

    name = models.CharField(max_length=100)
    type = models.CharField(max_length=20, choices=choices(SecretType))
    description = models.CharField(max_length=300, blank=True, default="")
    ciphertext = models.TextField(help_text="A Fernet token under one of ORCHESTRATOR_SECRET_KEYS.")
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=150)
    updated_at = models.DateTimeField(db_default=Now())
    updated_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="secret_name_unique"),
            models.CheckConstraint(condition=one_of("type", SecretType), name="secret_type_known"),
        ]

    def __str__(self) -> str:
        return self.name
