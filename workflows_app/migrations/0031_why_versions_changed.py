"""Why a version was published, in its publisher's words."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0030_retention_archives_and_samples")]

    operations: ClassVar = [
        migrations.AddField(
            "definitionversion",
            "changes",
            models.TextField(default="", db_default="", help_text="Why it was published, in its publisher's words."),
        ),
    ]
