"""Logs of attempts, and what calls of services were given and gave back."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import workflows_app.models.numbers


def values(**options) -> models.JSONField:
    return models.JSONField(null=True, decoder=workflows_app.models.numbers.Decoder, **options)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0028_starts")]

    # A new table, and columns that may be null: a release that knows nothing of them can run beside this one.
    operations: ClassVar = [
        migrations.CreateModel(
            name="LogLine",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("path", models.CharField(max_length=300)),
                ("number", models.IntegerField(help_text="Of the attempt.")),
                ("ordinal", models.IntegerField(help_text="Of the line in its attempt, from 1.")),
                ("at", models.DateTimeField()),
                ("level", models.CharField(max_length=8)),
                ("logger", models.CharField(max_length=100)),
                ("text", models.TextField()),
                (
                    "instance",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="log_lines",
                        to="workflows_app.instance",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["instance", "path", "number", "ordinal"], name="log_line_unique")
                ]
            },
        ),
        migrations.AddField("effect", "is_query", models.BooleanField(db_default=False)),
        migrations.AddField(
            "effect",
            "retries",
            models.IntegerField(null=True, help_text="Attempts of the step that had ended without success before."),
        ),
        migrations.AddField(
            "effect", "maximum", models.IntegerField(null=True, help_text="How many attempts its retry policy grants.")
        ),
        migrations.AddField("effect", "parameters", values(help_text="What it was given; see ``services.excerpts``.")),
        migrations.AddField("effect", "parameters_bytes", models.IntegerField(null=True)),
        migrations.AddField("effect", "result", values(help_text="What came back, in the same form.")),
        migrations.AddField("effect", "result_bytes", models.IntegerField(null=True)),
        migrations.AddField("effect", "error", values(help_text="{code, message} of what it failed with.")),
        migrations.AddIndex("effect", models.Index(fields=["planned_at"], name="effect_planned")),
    ]
