"""Freshness: answers of sources that are taken again for a while, by all instances of a workflow.

They are kept where results of steps are, under a name that no activity has. What is kept is what the step's result
would show: without secrets.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.utils.crypto import salted_hmac

from tasks import secrecy
from tasks.activities.aggregate.sources import Source
from workflows_app.activities import ActivityContext
from workflows_app.engine.caching import Entry
from workflows_app.services import cached_results

LARGEST_BYTES = 256_000
"""A larger answer is not kept."""
_SALT = "tasks.activities.aggregate"


def find(context: ActivityContext, sources: Sequence[Source]) -> dict[str, Any]:
    """Return the fresh answers, by name of the source."""
    names = {_entry(context, source): source.name for source in sources if source.fresh_for is not None}
    return {names[entry]: found for entry, found in cached_results.fresh(list(names)).items()} if names else {}


def keep(context: ActivityContext, answers: Sequence[tuple[Source, Any]]) -> None:
    """Keep the answers of the sources that say so."""
    for source, answer in answers:
        if source.fresh_for is not None:
            cached_results.keep(
                entry=_entry(context, source),
                output=secrecy.shown(answer),
                seconds=source.fresh_for,
                instance_id=context.instance_id,
                path=context.step,
                limit_bytes=LARGEST_BYTES,
            )


def _entry(context: ActivityContext, source: Source) -> Entry:
    """Name the entry. The question may hold secrets: its hash is keyed, so that it cannot be guessed from the row."""
    question = json.dumps(source.key, sort_keys=True, default=str)
    digest = salted_hmac(_SALT, question, algorithm="sha256").hexdigest()
    return Entry(activity=f"{context.workflow}>{source.name}", key=digest)
