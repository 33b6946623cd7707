"""Columns that hold one of a few words: a database type for each set, made from the state tables."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from django.db import models
from django.db.models import Q

from workflows_app.engine.states import (
    AttemptState,
    BreakerState,
    Cause,
    EffectState,
    InstanceState,
    Role,
    StepState,
)

DOMAINS: Final[dict[str, type[StrEnum]]] = {
    "wf_instance_state": InstanceState,
    "wf_cause": Cause,
    "wf_step_state": StepState,
    "wf_role": Role,
    "wf_attempt_state": AttemptState,
    "wf_effect_state": EffectState,
    "wf_breaker_state": BreakerState,
}
"""The types, each with the words that it takes; ``migrate`` keeps the database's up to date."""


def choices(words: type[StrEnum]) -> list[tuple[str, str]]:
    """Return the words as choices with readable labels."""
    return [(word.value, word.value.replace("_", " ")) for word in words]


def pattern(words: Iterable[StrEnum]) -> str:
    """Return the regular expression of exactly these words: a list of texts would be ten times as long to read."""
    return f"^({'|'.join(sorted(word.value for word in words))})$"


def one_of(field: str, words: Iterable[StrEnum]) -> Q:
    """Return the condition that a field holds one of ``words``."""
    return Q(**{f"{field}__regex": pattern(words)})


class WordField(models.CharField):  # type: ignore[type-arg]
    """Text that a domain type of the database holds to its words.

    Not a check constraint: PostgreSQL reads the text of those anew for every statement that writes the table, which
    took a tenth of a step's time. A domain is read once per session, and asked only about columns that are written.

    Args:
        domain: a key of ``DOMAINS``.
    """

    def __init__(self, *args: Any, domain: str, **options: Any) -> None:
        self.domain = domain
        super().__init__(*args, **{"choices": choices(DOMAINS[domain]), "max_length": 20, **options})

    def deconstruct(self) -> Any:
        """Return what a migration writes down: the domain too."""
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "domain": self.domain}

    def db_type(self, connection: Any) -> str:
        """Return the domain's name."""
        return self.domain
