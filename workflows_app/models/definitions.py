"""Definitions and their versions; a published version never changes, the database sees to it."""

from __future__ import annotations

import json
from typing import Any

from django.db import models

from workflows_app.models.numbers import Decoder


class DocumentField(models.TextField):  # type: ignore[type-arg]
    """JSON kept as text: ``jsonb`` would forget the order in which branches and variables were written."""

    # What the type checker takes for the values of such a field.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def get_prep_value(self, value: Any) -> Any:
        return json.dumps(value, ensure_ascii=False)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(value)


class Definition(models.Model):
    """A workflow's name; everything else belongs to its versions."""

    name = models.CharField(max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class DefinitionVersionQuerySet(models.QuerySet["DefinitionVersion"]):
    def startable(self) -> DefinitionVersionQuerySet:
        """Versions that a start without a version may take, the highest first."""
        return self.filter(deprecated=False, prerelease="").order_by("-major", "-minor", "-patch")


class DefinitionVersion(models.Model):
    """One immutable version: the document as published, and its hash."""

    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(max_length=60)
    major = models.BigIntegerField()
    minor = models.BigIntegerField()
    patch = models.BigIntegerField()
    prerelease = models.CharField(max_length=60, blank=True, default="")
    document = DocumentField()
    source = models.TextField(help_text="The text that was published.")
    content_hash = models.CharField(max_length=64)
    activities = models.JSONField(default=dict, help_text="What activity names without a version resolved to.")
    calls = models.JSONField(
        default=dict, db_default={}, help_text="What the workflows that it calls resolved to.", decoder=Decoder
    )
    retention_seconds = models.FloatField(null=True, help_text="How long instances are kept after their end.")
    retention_then = models.CharField(
        max_length=8,
        blank=True,
        default="",
        db_default="",
        help_text="``purge``, ``archive``, ``keep`` (for ever), or empty: what the installation says.",
    )
    changes = models.TextField(default="", db_default="", help_text="Why it was published, in its publisher's words.")
    deprecated = models.BooleanField(default=False)
    published_at = models.DateTimeField(auto_now_add=True)
    published_by = models.CharField(max_length=150)

    objects = DefinitionVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["definition", "version"], name="definition_version_unique"),
            models.CheckConstraint(
                condition=models.Q(retention_then__in=["", "keep"], retention_seconds__isnull=True)
                | models.Q(retention_then__in=["purge", "archive"], retention_seconds__isnull=False),
                name="definition_version_retention_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["definition", "-major", "-minor", "-patch"], name="definition_version_order"),
        ]

    def __str__(self) -> str:
        return f"{self.definition.name} {self.version}"
