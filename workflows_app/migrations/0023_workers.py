"""Who is there to run steps and to sweep."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0022_callbacks_and_rates")]

    # A new table: a release that knows nothing of it can run beside this one.
    operations: ClassVar = [
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(choices=[("worker", "worker"), ("sweeper", "sweeper")], max_length=8),
                ),
                (
                    "name",
                    models.CharField(help_text="As attempts name it, without the process.", max_length=200),
                ),
                ("host", models.CharField(max_length=200)),
                ("pid", models.IntegerField()),
                ("queues", models.JSONField(default=list)),
                ("processes", models.IntegerField(default=1, help_text="How many steps it runs at once.")),
                (
                    "activities",
                    models.JSONField(default=list, help_text="``name@version`` of each that it has."),
                ),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["kind", "name", "pid"],
                "constraints": [
                    models.UniqueConstraint(fields=["kind", "name", "host", "pid"], name="worker_once"),
                    models.CheckConstraint(
                        condition=models.Q(kind__in=["worker", "sweeper"]), name="worker_kind_known"
                    ),
                ],
            },
        ),
    ]
