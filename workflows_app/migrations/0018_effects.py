"""The effect ledger."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import workflows_app.engine.states
import workflows_app.models.numbers
import workflows_app.models.words


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0017_checkpoints_and_progress")]

    # A new table: a release that knows nothing of it can run beside this one.
    operations: ClassVar = [
        migrations.RunSQL(["CREATE DOMAIN wf_effect_state AS text"], ["DROP DOMAIN wf_effect_state"]),
        migrations.CreateModel(
            name="Effect",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("path", models.CharField(max_length=300)),
                ("number", models.IntegerField()),
                ("role", workflows_app.models.words.WordField(domain="wf_role")),
                ("kind", models.CharField(max_length=100)),
                ("target", models.CharField(max_length=500)),
                ("idempotency_key", models.CharField(max_length=400)),
                (
                    "state",
                    workflows_app.models.words.WordField(
                        default=workflows_app.engine.states.EffectState["PLANNED"], domain="wf_effect_state"
                    ),
                ),
                ("facts", models.JSONField(default=dict, decoder=workflows_app.models.numbers.Decoder)),
                ("planned_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "instance",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="effects",
                        to="workflows_app.instance",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["instance", "id"], name="effect_of_instance")]},
        ),
    ]
