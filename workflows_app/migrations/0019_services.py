"""Registered services, their breakers and the places of calls under way; calls of a service by its name."""

from typing import ClassVar

import django.db.models.fields.json
from django.db import migrations, models

import workflows_app.engine.states
import workflows_app.models.definitions
import workflows_app.models.words


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0018_effects")]

    # New tables and an index: a release that knows nothing of them can run beside this one.
    operations: ClassVar = [
        migrations.RunSQL(["CREATE DOMAIN wf_breaker_state AS text"], ["DROP DOMAIN wf_breaker_state"]),
        migrations.CreateModel(
            name="Breaker",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("service", models.CharField(max_length=100)),
                ("operation", models.CharField(max_length=100)),
                (
                    "state",
                    workflows_app.models.words.WordField(
                        default=workflows_app.engine.states.BreakerState["CLOSED"], domain="wf_breaker_state"
                    ),
                ),
                ("failures", models.IntegerField(default=0, help_text="In a row.")),
                ("open_until", models.DateTimeField(null=True)),
                ("probe", models.UUIDField(null=True)),
                ("probe_until", models.DateTimeField(null=True)),
                (
                    "cause",
                    models.CharField(
                        blank=True, default="", help_text="The last failure, or who and why.", max_length=500
                    ),
                ),
                ("since", models.DateTimeField(help_text="When the state was taken.")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["service", "operation"], name="breaker_unique"),
                    models.CheckConstraint(condition=models.Q(failures__gte=0), name="breaker_failures_counted"),
                ]
            },
        ),
        migrations.CreateModel(
            name="Place",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("service", models.CharField(max_length=100)),
                ("operation", models.CharField(max_length=100)),
                ("instance", models.UUIDField()),
                ("path", models.CharField(max_length=300)),
                ("number", models.IntegerField()),
                ("taken_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["service", "instance", "path", "number"], name="place_of_attempt")
                ]
            },
        ),
        migrations.CreateModel(
            name="Service",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                ("document", workflows_app.models.definitions.DocumentField()),
                ("source", models.TextField(help_text="The text that was registered.")),
                ("content_hash", models.CharField(max_length=64)),
                ("registered_at", models.DateTimeField(auto_now=True)),
                ("registered_by", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ["name"],
                "constraints": [models.UniqueConstraint(fields=["name"], name="service_name_unique")],
            },
        ),
        migrations.AddIndex(
            model_name="effect",
            index=models.Index(
                django.db.models.fields.json.KeyTextTransform("service", "facts"),
                models.F("id"),
                condition=models.Q(kind="service.call"),
                name="effect_of_service",
            ),
        ),
    ]
