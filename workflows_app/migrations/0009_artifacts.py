"""What is kept outside the database, by instance: for quotas, deletion and people."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models.functions import Now
from django.db.models.lookups import Regex


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0008_calls")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Artifact",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(help_text="SHA-256 of the content, hexadecimal.", max_length=64)),
                ("size", models.BigIntegerField(help_text="Bytes.")),
                ("name", models.CharField(max_length=255)),
                ("media_type", models.CharField(max_length=127)),
                ("step", models.CharField(max_length=300)),
                ("created_at", models.DateTimeField(db_default=Now())),
                (
                    "instance",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.deletion.CASCADE,
                        related_name="artifacts",
                        to="workflows_app.instance",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("instance", "digest"), name="artifact_content_unique"),
                    models.CheckConstraint(condition=models.Q(("size__gte", 0)), name="artifact_size_counted"),
                    models.CheckConstraint(
                        condition=models.Q(Regex(models.F("digest"), "^[0-9a-f]{64}$")), name="artifact_digest_is_one"
                    ),
                ],
            },
        ),
    ]
