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
    "placement": None,
    "resources": None,
    "reads": None,
    "writes": None,
}
"""Common keys without an effect yet, and the one value that says what happens anyway."""

ACTIVITY_KEYS = frozenset({"retry", "compensate", "queue", "batch", "cache", "idempotency_key"})
"""Common keys that have an effect on activity steps only, so far."""

CALL_KEYS = frozenset({"compensate"})
"""Those of them that have one on a call too."""

WITHOUT_ON_ERROR = frozenset({"return", "fail"})


def in_document(document: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    """Yield the keys of what is not available at the level of the document, with what it is."""
    if document.get("triggers"):
        yield ("triggers",), "triggers are"


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
        idle_keys = ACTIVITY_KEYS - CALL_KEYS if kinds[0] == "call" else ACTIVITY_KEYS
        for key in sorted(idle_keys & step.keys()):
            yield (key,), f"`{key}` on a `{kinds[0]}` step is"
        if step.get("priority", "normal") != "normal":
            yield ("priority",), f"`priority` on a `{kinds[0]}` step is"
        if kinds[0] in WITHOUT_ON_ERROR and "on_error" in step:
            yield ("on_error",), f"`on_error` on a `{kinds[0]}` step is"
    call = step.get("call")
    if isinstance(call, Mapping) and call.get("wait") is False:
        for key in sorted({"timeout", "deadline"} & step.keys()):
            yield (key,), f"`{key}` on a call that does not wait is"
    adhoc = step.get("adhoc")
    if isinstance(adhoc, Mapping) and isinstance(adhoc.get("assign"), Mapping) and "role" in adhoc["assign"]:
        yield ("adhoc", "assign", "role"), "`role` is"
    if "activity" not in kinds:
        yield from _only_activities(step.get("on_error"))


def _only_activities(on_error: Any) -> Iterator[tuple[Keys, str]]:
    """Yield what of ``on_error`` has an effect on activities only: nothing else has attempts, or one in its stead."""
    written: list[tuple[Keys, Any]] = [(("on_error",), on_error)]
    if isinstance(on_error, list):
        cases: list[tuple[Keys, Any]] = [
            (("on_error", place), case) for place, case in enumerate(on_error) if isinstance(case, Mapping)
        ]
        written = [((*keys, "then"), case.get("then")) for keys, case in cases]
        for keys, case in cases:
            if "attempts" in case:
                yield (*keys, "attempts"), "`attempts` on a step other than an activity is"
    for keys, reaction in written:
        if isinstance(reaction, Mapping) and "fallback" in reaction:
            yield (*keys, "fallback"), "`fallback` on a step other than an activity is"
