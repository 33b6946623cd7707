"""Saved views of the list, and the indexes behind the dashboard: what ended when, and what is tried again."""

from typing import ClassVar

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("workflows_app", "0023_workers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60)),
                ("query", models.CharField(blank=True, max_length=1000)),
                (
                    "shared",
                    models.BooleanField(default=False, help_text="Everybody who may view instances sees it."),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name", "pk"],
                "constraints": [models.UniqueConstraint(fields=["owner", "name"], name="savedview_name_unique")],
            },
        ),
        migrations.AddIndex(
            model_name="instance",
            index=models.Index(
                fields=["ended_at", "state"], condition=models.Q(ended_at__isnull=False), name="instance_ended"
            ),
        ),
        migrations.AddIndex(
            model_name="timer",
            index=models.Index(fields=["due_at"], condition=models.Q(kind="retry"), name="timer_retry"),
        ),
    ]
