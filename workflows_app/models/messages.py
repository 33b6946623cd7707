"""Events between instances and from outside: what was published, who waits, who has taken what, whom to wake.

``PublishedEvent`` is a log that is only added to, until retention removes its oldest rows. What happened to one
instance is its history, ``history.Event``; a received event stands there for good.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from workflows_app.models.instances import Instance
from workflows_app.models.numbers import Decoder


class PublishedEvent(models.Model):
    """One event: matched by type and key, or, as a signal, by type and the one instance that it is meant for.

    ``id`` is the order of arrival among events of one type and key, and among the signals of one instance. Instances
    are named without a constraint: whoever publishes must not wait for a lock on another instance's row.
    """

    id = models.BigAutoField(primary_key=True)
    type = models.CharField(max_length=200)
    key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - NULL: a signal
    target_instance = models.UUIDField(null=True, blank=True)
    data = models.JSONField(null=True, decoder=Decoder)
    at = models.DateTimeField()
    expires_at = models.DateTimeField()
    source_instance = models.UUIDField(null=True, blank=True)
    source_step = models.CharField(max_length=300, blank=True, default="")
    actor = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(key__isnull=True, target_instance__isnull=False)
                | Q(key__isnull=False, target_instance__isnull=True),
                name="publishedevent_key_or_target",
            ),
        ]
        indexes = [
            models.Index(fields=["type", "key", "id"], condition=Q(key__isnull=False), name="publishedevent_by_key"),
            models.Index(
                fields=["target_instance", "type", "id"],
                condition=Q(target_instance__isnull=False),
                name="publishedevent_signals",
            ),
            models.Index(fields=["expires_at"], name="publishedevent_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.type}"


class Subscription(models.Model):
    """A step that waits for an event; removed when it settles.

    ``events_seen`` and ``signals_seen`` are the ids up to which it has looked: what it passed over it need not judge
    again. Two, as the order of ids is the order of arrival within each kind only.
    """

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="subscriptions", db_index=False)
    path = models.CharField(max_length=300)
    type = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    since = models.DateTimeField()
    events_seen = models.BigIntegerField(default=0)
    signals_seen = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance", "path"], name="subscription_one_per_step"),
        ]
        indexes = [
            models.Index(fields=["type", "key"], name="subscription_by_key"),
            models.Index(fields=["instance", "type"], name="subscription_of_signal"),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.path} waits for {self.type} {self.key}"


class Consumption(models.Model):
    """An instance has taken an event: no other of its steps gets it. Removed with the event."""

    pk = models.CompositePrimaryKey("instance_id", "event_id")
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="consumptions", db_index=False)
    event = models.ForeignKey(
        PublishedEvent, on_delete=models.CASCADE, related_name="consumptions", db_constraint=False, db_index=False
    )

    class Meta:
        indexes = [models.Index(fields=["event"], name="consumption_of_event")]

    def __str__(self) -> str:
        return f"{self.instance_id} took {self.event_id}"


class Wakeup(models.Model):
    """A ticket: a step that waits may have an event to take. Written with the event, removed by whoever then looks.

    Any number of them, and no constraint on the instance or the subscription: whoever writes one waits for nobody.
    """

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(
        Instance, on_delete=models.CASCADE, related_name="wakeups", db_constraint=False, db_index=False
    )
    subscription_id = models.BigIntegerField()
    due_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="wakeup_due"),
            models.Index(fields=["instance"], name="wakeup_of_instance"),
        ]

    def __str__(self) -> str:
        return f"wake {self.instance_id}"
