"""Retry limits: how many failures of a step counted against which limit of its policy."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0020_leaving_a_failed_saga")]

    operations: ClassVar = [
        migrations.AddField(
            "step",
            "limited",
            models.JSONField(null=True, help_text="Failures by the place of the retry limit that they count against."),
        ),
    ]
