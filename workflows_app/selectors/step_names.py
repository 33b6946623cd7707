"""Steps with their names: the row of a step inside iterations is found by the id that the definition has for it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import F, Func, TextField, Value

from workflows_app.models import Step


def steps(instance_id: UUID) -> Any:
    """Return a queryset of the steps of an instance with ``name``: ``square`` of ``each[3].square``."""
    name = Func(F("path"), Value(r"^.*\]\.?"), Value(""), function="regexp_replace", output_field=TextField())
    return Step.objects.filter(instance_id=instance_id).annotate(name=name)
