"""What came while an instance is paused and has to have its consequences still."""

from typing import ClassVar

from django.db import migrations, models

import workflows_app.models.numbers


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0014_undo")]

    # It may be null: a release that knows nothing of it can run beside this one.
    operations: ClassVar = [
        migrations.AddField(
            "instance",
            "held",
            models.JSONField(
                null=True,
                decoder=workflows_app.models.numbers.Decoder,
                help_text="What a pause keeps back; see ``engine.snapshot``.",
            ),
        ),
    ]
