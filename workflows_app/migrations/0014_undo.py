"""An undo goes back through the graph: counters on rows instead of a list of all that is to be undone."""

from typing import Any, ClassVar

from django.db import migrations, models


def refuse_half_done_undos(apps: Any, schema_editor: Any) -> None:
    """Stop before anything is changed: an undo under way would lose its place."""
    found = apps.get_model("workflows_app", "Instance").objects.using(schema_editor.connection.alias)
    number = found.filter(models.Q(state="compensating") | ~models.Q(undo_order=[])).filter(ended_at=None).count()
    if number:
        raise RuntimeError(f"instances are being undone ({number}): let the release before finish them, then migrate")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0013_secrets")]

    # Nothing was released with the columns that go.
    operations: ClassVar = [
        migrations.RunPython(refuse_half_done_undos, migrations.RunPython.noop),
        migrations.RemoveField("instance", "undo_order"),
        migrations.RemoveField("instance", "undo_next"),
        migrations.AddField("instance", "undo_open", models.IntegerField(default=0, db_default=0)),
        migrations.AddField(
            "instance",
            "undone",
            models.IntegerField(default=0, db_default=0, help_text="How many undos have ended."),
        ),
        migrations.AddField("step", "undo_settled", models.IntegerField(db_default=0)),
        migrations.AddField("step", "undo_open", models.IntegerField(db_default=0)),
        migrations.AddField("step", "undo_left", models.IntegerField(db_default=0)),
    ]
