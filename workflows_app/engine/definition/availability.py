"""What of the language runs in this release: kinds and keys whose effect is not built yet are refused.

A key that were accepted and ignored would lie. To make something available, take it off the lists here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workflows_app.engine.definition.language import STEP_KINDS
from workflows_app.engine.definition.model import Kind

Keys = tuple[str | int, ...]

KINDS = frozenset(kind.value for kind in Kind)
"""Step kinds that run."""

UNBUILT_KEYS: Mapping[str, Any] = {
    "rest": "let_finish",
    "tolerate": 0,
    "priority": "normal",
    "join_deadline": None,
    "placement": None,
    "resources": None,
    "reads": None,
    "writes": None,
    "idempotency_key": None,
    "cache": None,
}
"""Common keys without an effect yet, and the one value that says what happens anyway."""

ACTIVITY_KEYS = frozenset({"retry", "compensate", "queue", "batch"})
"""Common keys that have an effect on activity steps only, so far."""

WITHOUT_ON_ERROR = frozenset({"return", "fail"})


def in_document(document: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    """Yield the keys of what is not available at the level of the document, with what it is."""
    if document.get("kind") == "state_machine":
        yield ("kind",), "state machines are"
    if "concurrency" in document:
        yield ("concurrency",), "a limit of concurrency is"
    if document.get("triggers"):
        yield ("triggers",), "triggers are"
    if document.get("priority", "normal") != "normal":
        yield ("priority",), "priorities other than normal are"


def in_step(step: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    """Yield the keys of what is not available in one step (steps inside it apart), with what it is."""
    kinds = [kind for kind in STEP_KINDS if kind in step]
    for kind in kinds:
        if kind not in KINDS:
            yield (kind,), f"the step kind `{kind}` is"
    for key, idle in UNBUILT_KEYS.items():
        if key in step and (idle is None or step[key] != idle):
            yield (key,), f"`{key}` is" if idle is None else f"`{key}` other than {idle} is"
    if len(kinds) == 1 and kinds[0] in KINDS and kinds[0] != "activity":
        for key in sorted(ACTIVITY_KEYS & step.keys()):
            yield (key,), f"`{key}` on a `{kinds[0]}` step is"
        if kinds[0] in WITHOUT_ON_ERROR and "on_error" in step:
            yield ("on_error",), f"`on_error` on a `{kinds[0]}` step is"
    yield from _joins((), step)
    parallel = step.get("parallel")
    if isinstance(parallel, Mapping):
        yield from _joins(("parallel",), parallel)
        for key in ("rest", "tolerate"):
            if key in parallel and parallel[key] != UNBUILT_KEYS[key]:
                yield ("parallel", key), f"`{key}` other than {UNBUILT_KEYS[key]} is"
    on_error = step.get("on_error")
    if isinstance(on_error, Mapping):
        for key in ("goto", "fallback"):
            if key in on_error:
                yield ("on_error", key), f"`{key}` is"


def _joins(prefix: Keys, holder: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    join = holder.get("join")
    if isinstance(join, Mapping) and "at_least" in join:
        yield (*prefix, "join", "at_least"), "`at_least` is"
