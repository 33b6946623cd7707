"""Decision tables and their versions; a published version never changes, the database sees to it."""

from __future__ import annotations

from django.db import models

from workflows_app.models.definitions import DocumentField


class DecisionTable(models.Model):
    """A table's name; everything else belongs to its versions."""

    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="decision_table_name_unique"),
            models.CheckConstraint(
                condition=models.Q(name__regex="^[a-z][a-z0-9]*(-[a-z0-9]+)*$"), name="decision_table_name_kebab_case"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DecisionTableVersionQuerySet(models.QuerySet["DecisionTableVersion"]):
    def usable(self) -> DecisionTableVersionQuerySet:
        """Versions that are used where none is named, the highest first."""
        return self.filter(prerelease="").order_by("-major", "-minor", "-patch", "-pk")


class DecisionTableVersion(models.Model):
    """One immutable version: the document as published, and its hash."""

    table = models.ForeignKey(DecisionTable, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(max_length=64)
    major = models.BigIntegerField()
    minor = models.BigIntegerField()
    patch = models.BigIntegerField()
    prerelease = models.CharField(max_length=64, blank=True, default="")
    document = DocumentField()
    source = models.TextField(help_text="The text that was published.")
    content_hash = models.CharField(max_length=64)
    published_at = models.DateTimeField(auto_now_add=True)
    published_by = models.CharField(max_length=150)

    objects = DecisionTableVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["table", "version"], name="decision_table_version_unique"),
        ]
        indexes = [
            models.Index(fields=["table", "-major", "-minor", "-patch"], name="decision_table_version_order"),
        ]

    def __str__(self) -> str:
        return f"{self.table.name} {self.version}"
