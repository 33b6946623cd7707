"""Decision tables and their versions; the guards that keep them as they are come with the functions."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import workflows_app.models.definitions


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0009_artifacts")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="DecisionTable",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("name",), name="decision_table_name_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("name__regex", "^[a-z][a-z0-9]*(-[a-z0-9]+)*$")),
                        name="decision_table_name_kebab_case",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DecisionTableVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.CharField(max_length=64)),
                ("major", models.BigIntegerField()),
                ("minor", models.BigIntegerField()),
                ("patch", models.BigIntegerField()),
                ("prerelease", models.CharField(blank=True, default="", max_length=64)),
                ("document", workflows_app.models.definitions.DocumentField()),
                ("source", models.TextField(help_text="The text that was published.")),
                ("content_hash", models.CharField(max_length=64)),
                ("published_at", models.DateTimeField(auto_now_add=True)),
                ("published_by", models.CharField(max_length=150)),
                (
                    "table",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="workflows_app.decisiontable",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["table", "-major", "-minor", "-patch"], name="decision_table_version_order")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("table", "version"), name="decision_table_version_unique")
                ],
            },
        ),
    ]
