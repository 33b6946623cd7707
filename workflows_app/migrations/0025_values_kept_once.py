"""Where a large value of a step stands that its row does not repeat."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0024_lists")]

    # Columns that may be empty: a release that knows nothing of them can start steps beside this one.
    operations: ClassVar = [
        migrations.AddField(
            "step",
            "input_from",
            models.JSONField(null=True, help_text="Whence a part of the input is taken; see ``wf_input``."),
        ),
        migrations.AddField(
            "step",
            "output_event",
            models.BigIntegerField(null=True, help_text="The event that has the output, where that is large."),
        ),
    ]
