"""Leaving a failed saga: failed undos are counted, and an instance may be taken back to a step and run again from it."""

from typing import Any, ClassVar

from django.db import migrations, models

from workflows_app.models.numbers import Decoder

REWIND: Any = {"decoder": Decoder, "help_text": "What is asked for while it goes back to a step."}
RERUN: Any = {"help_text": "How often an operator had it run again."}

COUNT = """
UPDATE workflows_app_instance i SET undo_failed = n.failed
FROM (SELECT s.instance_id, count(*) AS failed FROM workflows_app_step s
    WHERE s.state = 'compensation_failed' GROUP BY s.instance_id) n
WHERE n.instance_id = i.id AND i.undo_failed > 0 AND i.undo_failed <> n.failed
"""


def count(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute(COUNT)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0019_services")]

    operations: ClassVar = [
        migrations.AlterField(
            "instance",
            "undo_failed",
            models.IntegerField(default=0, db_default=0, help_text="How many of them have not worked."),
        ),
        migrations.AddField("instance", "rewind", models.JSONField(null=True, **REWIND)),
        migrations.AddField("step", "rerun", models.IntegerField(db_default=0, **RERUN)),
        migrations.AlterField("step", "idempotency_key", models.CharField(max_length=400, null=True)),
        migrations.AddField("attempt", "own_key", models.CharField(max_length=400, null=True)),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
