"""What an operator holds: a workflow, a queue, everything."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0015_pauses")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(help_text="``definition``, ``queue`` or ``all``.", max_length=12)),
                ("name", models.CharField(blank=True, max_length=100)),
                ("actor", models.CharField(max_length=200)),
                ("reason", models.TextField(blank=True)),
                ("since", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["kind", "name"], name="hold_once"),
                    models.CheckConstraint(
                        condition=models.Q(kind="all", name="") | models.Q(kind__in=["definition", "queue"]),
                        name="hold_kind_known",
                    ),
                ],
            },
        ),
    ]
