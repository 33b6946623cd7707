"""The steps in quarantine, however many others there are."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0025_values_kept_once")]

    operations: ClassVar = [
        migrations.AddIndex(
            "step",
            models.Index(
                fields=["ended_at"],
                condition=Q(error__code="QUARANTINED") | Q(undo_error__code="QUARANTINED"),
                name="step_quarantined",
            ),
        ),
    ]
