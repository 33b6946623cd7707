"""Registered services, the breakers before their operations, and the places that calls under way take.

A breaker has a row once a call failed; a place has one as long as its call lasts. Neither grows with the calls made.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from workflows_app.engine.states import BreakerState
from workflows_app.models.definitions import DocumentField
from workflows_app.models.words import WordField


class Service(models.Model):
    """One service, by its present document; it has no versions: where it answers changes while workflows run."""

    name = models.CharField(max_length=100)
    document = DocumentField()
    source = models.TextField(help_text="The text that was registered.")
    content_hash = models.CharField(max_length=64)
    registered_at = models.DateTimeField(auto_now=True)
    registered_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["name"], name="service_name_unique")]

    def __str__(self) -> str:
        return self.name


class Breaker(models.Model):
    """The circuit breaker of one operation, the same for all workers.

    ``open_until`` is null while an operator's opening lasts; ``probe`` is the fencing token of the call that tries.
    """

    service = models.CharField(max_length=100)
    operation = models.CharField(max_length=100)
    state = WordField(domain="wf_breaker_state", default=BreakerState.CLOSED)
    failures = models.IntegerField(default=0, help_text="In a row.")
    open_until = models.DateTimeField(null=True)
    probe = models.UUIDField(null=True)
    probe_until = models.DateTimeField(null=True)
    cause = models.CharField(max_length=500, blank=True, default="", help_text="The last failure, or who and why.")
    since = models.DateTimeField(help_text="When the state was taken.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "operation"], name="breaker_unique"),
            models.CheckConstraint(condition=Q(failures__gte=0), name="breaker_failures_counted"),
        ]

    def __str__(self) -> str:
        return f"{self.service}.{self.operation}: {self.state}"


class Place(models.Model):
    """One call under way to a service that counts them; it counts while its attempt runs.

    ``endpoint`` is where it began, empty where that decides nothing.

    No foreign key: writing one would wait for the instance's lock.
    """

    id = models.BigAutoField(primary_key=True)
    service = models.CharField(max_length=100)
    operation = models.CharField(max_length=100)
    endpoint = models.CharField(max_length=500, blank=True, db_default="")
    instance = models.UUIDField()
    path = models.CharField(max_length=300)
    number = models.IntegerField()
    taken_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["service"], name="place_of_service")]

    def __str__(self) -> str:
        return f"{self.service}: {self.instance} {self.path} #{self.number}"
