"""How long finished instances are kept, which were archived, and what processes said of their machines."""

import uuid
from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q

KINDS = [("worker", "worker"), ("sweeper", "sweeper")]


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0029_traces")]

    # Columns with a value where nothing is said, and new tables: a release that knows nothing of them can publish, and
    # run workers, beside this one.
    operations: ClassVar = [
        migrations.AddField(
            "definitionversion",
            "retention_seconds",
            models.FloatField(help_text="How long instances are kept after their end.", null=True),
        ),
        migrations.AddField(
            "definitionversion",
            "retention_then",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="``purge``, ``archive``, ``keep`` (for ever), or empty: what the installation says.",
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            "definitionversion",
            models.CheckConstraint(
                condition=Q(retention_then__in=["", "keep"], retention_seconds__isnull=True)
                | Q(retention_then__in=["purge", "archive"], retention_seconds__isnull=False),
                name="definition_version_retention_whole",
            ),
        ),
        migrations.CreateModel(
            name="ArchivedInstance",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("root", models.UUIDField(help_text="The instance at the top; its archive holds all that it called.")),
                ("workflow", models.CharField(max_length=100)),
                ("version", models.CharField(max_length=60)),
                ("state", models.CharField(max_length=20)),
                ("correlation_id", models.CharField(max_length=200)),
                ("ended_at", models.DateTimeField()),
                ("events", models.BigIntegerField(help_text="How many its history has.")),
                ("digest", models.CharField(help_text="SHA-256 of the archive, hexadecimal.", max_length=64)),
                ("size", models.BigIntegerField(help_text="Bytes of the archive.")),
                (
                    "place",
                    models.CharField(blank=True, help_text="Its folder; empty: ORCHESTRATOR_ARCHIVE.", max_length=1000),
                ),
                ("archived_at", models.DateTimeField()),
                ("archived_by", models.CharField(max_length=200)),
                ("entry", models.BigIntegerField(help_text="The checkpoint on the audit trail.")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["-archived_at", "-id"], name="archived_newest"),
                    models.Index(fields=["workflow", "-archived_at"], name="archived_workflow_newest"),
                ],
            },
        ),
        migrations.AddField(
            "worker",
            "figures",
            models.JSONField(db_default={}, default=dict, help_text="How busy it is; as in ``Sample``."),
        ),
        migrations.CreateModel(
            name="Sample",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=KINDS, max_length=8)),
                ("name", models.CharField(max_length=200)),
                ("host", models.CharField(max_length=200)),
                ("at", models.DateTimeField(help_text="The beginning of the minute.")),
                ("figures", models.JSONField(default=dict, help_text="As ``services.figures`` names them.")),
            ],
            options={
                "indexes": [models.Index(fields=["at"], name="sample_age")],
                "constraints": [
                    models.UniqueConstraint(fields=["kind", "name", "host", "at"], name="sample_once_a_minute")
                ],
            },
        ),
    ]
