"""Checkpoints that survive a retry, and how far an attempt is."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import workflows_app.models.numbers
import workflows_app.models.words


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0016_holds")]

    # A new table, and columns that may be null: a release that knows nothing of them can run beside this one.
    operations: ClassVar = [
        migrations.AddField(
            "attempt", "progress", models.JSONField(null=True, decoder=workflows_app.models.numbers.Decoder)
        ),
        migrations.AddField("attempt", "progress_at", models.DateTimeField(null=True)),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("path", models.CharField(max_length=300)),
                ("role", workflows_app.models.words.WordField(domain="wf_role")),
                ("attempt", models.IntegerField()),
                ("data", models.JSONField(decoder=workflows_app.models.numbers.Decoder)),
                ("saved_at", models.DateTimeField()),
                (
                    "instance",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="checkpoints",
                        to="workflows_app.instance",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["instance", "path", "role"], name="checkpoint_one_per_step_and_role"
                    ),
                ],
            },
        ),
    ]
