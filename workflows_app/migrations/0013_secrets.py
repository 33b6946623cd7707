"""Secrets, encrypted; the keys are outside the database."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0012_machines")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Secret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                (
                    "type",
                    models.CharField(
                        choices=[("text", "text"), ("token", "token"), ("basic", "basic"), ("json", "json")],
                        max_length=20,
                    ),
                ),
                ("description", models.CharField(blank=True, default="", max_length=300)),
                ("ciphertext", models.TextField(help_text="A Fernet token under one of ORCHESTRATOR_SECRET_KEYS.")),
                ("created_at", models.DateTimeField(db_default=Now())),
                ("created_by", models.CharField(max_length=150)),
                ("updated_at", models.DateTimeField(db_default=Now())),
                ("updated_by", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("name",), name="secret_name_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("type__regex", "^(basic|json|text|token)$")), name="secret_type_known"
                    ),
                ],
            },
        ),
    ]
