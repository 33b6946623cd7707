"""Error cases: which case of a step's ``on_error`` its fallback belongs to."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0026_quarantine")]

    operations: ClassVar = [
        migrations.AddField(
            "step",
            "error_case",
            models.SmallIntegerField(
                null=True, help_text="The place of the case of ``on_error`` whose fallback stands in."
            ),
        ),
    ]
