"""Reusing: a step with ``cache`` completes with an earlier result while that is fresh, and leaves its own to others."""

from __future__ import annotations

from typing import Any

from workflows_app.engine import caching
from workflows_app.engine.caching import Entry
from workflows_app.engine.commands import Remember
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.node import Node
from workflows_app.engine.transitions import settling
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.slice import SliceMiss


def reused(draft: Draft, node: Node, parameters: Any) -> bool:
    """Complete the step with a fresh result, without an attempt; ``False`` where there is none: it has to run."""
    wanted = _entry(draft, node, parameters)
    if wanted not in draft.before.cached:
        raise SliceMiss(cached=[wanted])
    found = draft.before.cached[wanted]
    if found is None:
        return False
    settling.complete(draft, node, output=found.output, cached={"instance": found.instance, "step": found.step})
    return True


def remember(draft: Draft, node: Node) -> None:
    """Keep the result of a step that has just completed by its own action."""
    cache = node.step.cache
    if cache is None:
        return
    try:
        # What a key may read does not change, so it is the one that was looked for when the step was entered.
        wanted = _entry(draft, node, draft.values_of(node.path).input)
    except OrchestratorError:
        return
    draft.command(Remember(step=node.path, activity=wanted.activity, key=wanted.key, seconds=cache.ttl))


def _entry(draft: Draft, node: Node, parameters: Any) -> Entry:
    value = draft.evaluate(node.cache_key, node, {"with": {} if parameters is None else parameters})
    return caching.entry(draft.graph.resolve(node.activity), value)
