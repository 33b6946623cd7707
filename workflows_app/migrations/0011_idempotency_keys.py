"""A step may say what its external calls are recognised by; what that came to is kept with it."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0010_decision_tables")]

    operations: ClassVar = [
        migrations.AddField("step", "idempotency_key", models.CharField(max_length=200, null=True)),
    ]
