"""Blocks that repeat their steps count the iterations that have begun, and those that there are to be."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0004_words_in_domains")]

    operations: ClassVar = [
        migrations.AddField("step", "opened", models.IntegerField(db_default=0)),
        migrations.AddField("step", "planned", models.IntegerField(null=True)),
        # The engine's words are no business of a migration.
        migrations.AlterField("timer", "kind", models.CharField(max_length=12, help_text="A word of ``TimerKind``.")),
    ]
