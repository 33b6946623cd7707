"""The state of a state machine: which it is, since when, the transition under way and the events that wait."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models import F
from django.db.models.lookups import Exact, IsNull

import workflows_app.models.numbers


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0011_idempotency_keys")]

    # All of them may be null: a release that knows nothing of them can run beside this one.
    operations: ClassVar = [
        migrations.AddField("instance", "machine_state", models.CharField(max_length=100, null=True, blank=True)),
        migrations.AddField("instance", "machine_since", models.DateTimeField(null=True)),
        migrations.AddField("instance", "machine_transition", models.CharField(max_length=300, null=True, blank=True)),
        migrations.AddField(
            "instance", "machine_queue", models.JSONField(null=True, decoder=workflows_app.models.numbers.Decoder)
        ),
        migrations.AddConstraint(
            "instance",
            models.CheckConstraint(
                condition=Exact(IsNull(F("machine_state"), True), IsNull(F("machine_since"), True)),
                name="instance_machine_state_since",
            ),
        ),
    ]
