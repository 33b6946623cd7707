"""What attempts did to the world outside, and what they asked. A record for people, nothing the engine decides on."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform

from workflows_app.engine.states import EffectState
from workflows_app.models.instances import Instance
from workflows_app.models.numbers import Decoder
from workflows_app.models.words import WordField


class Effect(models.Model):
    """One effect of one attempt; what is planned while its attempt is over is unknown.

    A query is recorded as well, once it is over; it changed nothing and is no entry of the ledger.
    """

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="effects", db_index=False)
    path = models.CharField(max_length=300)
    number = models.IntegerField()
    role = WordField(domain="wf_role")
    kind = models.CharField(max_length=100)
    target = models.CharField(max_length=500)
    idempotency_key = models.CharField(max_length=400)
    state = WordField(domain="wf_effect_state", default=EffectState.PLANNED)
    facts = models.JSONField(default=dict, decoder=Decoder)
    is_query = models.BooleanField(db_default=False)
    retries = models.IntegerField(null=True, help_text="Attempts of the step that had ended without success before.")
    maximum = models.IntegerField(null=True, help_text="How many attempts its retry policy grants.")
    parameters = models.JSONField(null=True, decoder=Decoder, help_text="What it was given; see ``services.excerpts``.")
    parameters_bytes = models.IntegerField(null=True)
    result = models.JSONField(null=True, decoder=Decoder, help_text="What came back, in the same form.")
    result_bytes = models.IntegerField(null=True)
    error = models.JSONField(null=True, decoder=Decoder, help_text="{code, message} of what it failed with.")
    planned_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["instance", "id"], name="effect_of_instance"),
            # What was done lately, for statistics.
            models.Index(fields=["planned_at"], name="effect_planned"),
            models.Index(
                KeyTextTransform("service", "facts"),
                "id",
                condition=Q(kind="service.call"),
                name="effect_of_service",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.path} #{self.number}: {self.kind} {self.target}"
