"""What a start says of one instance: its tags, what it overrides, and when it begins."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models
from django.db.models import Q

NOTHING_IS_LOST = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM workflows_app_timer WHERE kind = 'start') THEN
        RAISE EXCEPTION 'starts are planned: the release before this one would never begin them; cancel them first';
    END IF;
    IF EXISTS (SELECT FROM workflows_app_instance WHERE overrides IS NOT NULL AND ended_at IS NULL) THEN
        RAISE EXCEPTION 'open instances override their definition: the release before this one would forget it; let them end';
    END IF;
END $$
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0027_error_cases")]

    # Columns that may be empty: a release that knows nothing of them can start instances beside this one.
    operations: ClassVar = [
        migrations.AddField(
            "instance",
            "tags",
            ArrayField(models.TextField(), null=True, blank=True, help_text="Words to find it by."),
        ),
        migrations.AddField(
            "instance",
            "overrides",
            models.JSONField(null=True, help_text="What holds instead of its definition; see ``engine.overrides``."),
        ),
        migrations.AddIndex(
            "instance", GinIndex(fields=["tags"], condition=Q(tags__isnull=False), name="instance_tags")
        ),
        migrations.AddIndex("timer", models.Index(fields=["due_at"], condition=Q(kind="start"), name="timer_start")),
        # The last one here is the first on the way back.
        migrations.RunSQL(migrations.RunSQL.noop, NOTHING_IS_LOST),
    ]
