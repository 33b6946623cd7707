"""Callbacks: the addresses that steps handed out. Rates: how often something may happen, over all processes."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0021_retry_limits")]

    # A release that knows nothing of the new tables and the new column can run beside this one.
    operations: ClassVar = [
        migrations.CreateModel(
            name="Callback",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("token_hash", models.CharField(max_length=64)),
                ("path", models.CharField(help_text="Of the step that waits.", max_length=300)),
                ("sender", models.CharField(help_text="The step that handed the address out.", max_length=300)),
                ("secret", models.CharField(blank=True, default="", max_length=100)),
                ("handed_out_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "instance",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="callbacks",
                        to="workflows_app.instance",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=["token_hash"], name="callback_token_unique")],
                "indexes": [models.Index(fields=["instance"], name="callback_of_instance")],
            },
        ),
        migrations.CreateModel(
            name="Rate",
            fields=[
                ("name", models.CharField(max_length=300, primary_key=True, serialize=False)),
                ("free_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Turn",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=300)),
                ("caller", models.CharField(help_text="The step, and which of its calls.", max_length=500)),
                ("due_at", models.DateTimeField()),
                (
                    "instance",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="turns",
                        to="workflows_app.instance",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=["instance", "caller", "name"], name="turn_of_call")]
            },
        ),
        migrations.AddField("place", "endpoint", models.CharField(blank=True, db_default="", max_length=500)),
        # One attempt may have several calls under way.
        migrations.RemoveConstraint("place", "place_of_attempt"),
        migrations.AddIndex("place", models.Index(fields=["service"], name="place_of_service")),
    ]
