"""The functions that make documents and steps: plain mappings, in which only the names of keywords are checked."""

from __future__ import annotations

import keyword
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

Document = dict[str, Any]

WORKFLOW_KEYS = (
    "title", "description", "metadata", "input", "variables", "timeout", "on_failure", "on_cancel", "on_timeout",
    "retention", "defaults", "output",
)  # fmt: skip
STEP_KEYS = (
    "name", "description", "needs", "when", "join", "rest", "tolerate", "join_deadline", "timeout", "deadline", "retry",
    "on_error", "compensate", "queue", "idempotency_key", "batch", "disabled", "notes", "ui",
)  # fmt: skip
"""Keywords that every function of a step takes."""

JOIN_KEYS = ("join", "rest", "tolerate")
"""Of a ``parallel`` these are about its branches."""

FOREACH_KEYS = ("as", "max_concurrency", "batch_size", "collect", *JOIN_KEYS)
"""Keywords of a ``foreach`` that are about its items; Python keeps ``as`` for itself, so the keyword is ``as_``."""

LOOP_KEYS = ("while", "until", "times", "max_iterations")
"""Keywords of a ``loop`` that say how often; Python keeps ``while`` for itself, so the keyword is ``while_``."""

ADHOC_KEYS = ("complete_when", "assign")
"""Keywords of an ``adhoc`` section that are about the choice of its steps."""

ABSENT: Any = object()
"""Stands for a keyword that was not given: null is a value."""


def workflow(name: str, version: str, /, *steps: Mapping[str, Any], **keys: Any) -> Document:
    """Return a document.

    Args:
        name: key ``workflow``.
        version: key ``version``.
        steps: in their order.
        keys: ``WORKFLOW_KEYS``, the other keys of a document.

    Raises:
        TypeError: for an unknown keyword.
    """
    _refuse_others("workflow", keys, WORKFLOW_KEYS)
    return {"workflow": name, "version": version, **keys, "steps": list(steps)}


def activity(id: str, activity: str, /, *, with_: Mapping[str, Any] = ABSENT, **keys: Any) -> Document:
    """Return a step that runs registered code.

    Args:
        id: of the step.
        activity: name of the activity.
        with_: parameters, whatever their names.
        keys: ``STEP_KEYS``; every other keyword is a parameter as well.

    Raises:
        TypeError: for a keyword that is nearly one of ``STEP_KEYS``, and for a parameter given twice.
    """
    common, parameters = _apart("activity", keys, with_, "with_")
    return {"id": id, "activity": activity, **_given(**{"with": parameters}), **common}


def set_(id: str, /, *, values: Mapping[str, Any] = ABSENT, **keys: Any) -> Document:
    """Return a step that assigns variables.

    Args:
        id: of the step.
        values: values by variable, whatever their names.
        keys: ``STEP_KEYS``; every other keyword is a variable as well.

    Raises:
        TypeError: for a keyword that is nearly one of ``STEP_KEYS``, and for a variable given twice.
    """
    common, assignments = _apart("set_", keys, values, "values")
    return {"id": id, "set": {} if assignments is ABSENT else assignments, **common}


def choice(id: str, /, *cases: Mapping[str, Any], **keys: Any) -> Document:
    """Return a step that takes the first branch that holds.

    Args:
        id: of the step.
        cases: what ``when`` and ``otherwise`` return.
        keys: ``STEP_KEYS``.

    Raises:
        TypeError: for an unknown keyword.
    """
    return _step("choice", id, {"choice": list(cases)}, keys)


def when(condition: str | bool, /, *steps: Mapping[str, Any]) -> Document:
    """Return a branch of a choice: its steps run if the condition holds."""
    return {"when": condition, "steps": list(steps)}


def otherwise(*steps: Mapping[str, Any]) -> Document:
    """Return the last branch of a choice: its steps run if no condition holds."""
    return {"steps": list(steps)}


def parallel(id: str, /, *, branches: Mapping[str, Any] = ABSENT, **keys: Any) -> Document:
    """Return a step that runs branches side by side.

    Args:
        id: of the step.
        branches: lists of steps by branch, whatever their names.
        keys: ``JOIN_KEYS``, which say what is awaited of the branches; the others of ``STEP_KEYS``; every other
            keyword is a branch as well. What the step awaits of its needs is added to the result.

    Raises:
        TypeError: for a keyword that is nearly one of ``STEP_KEYS``, and for a branch given twice.
    """
    common, lists = _apart("parallel", keys, branches, "branches")
    join = {key: common.pop(key) for key in JOIN_KEYS if key in common}
    return {"id": id, "parallel": {"branches": {} if lists is ABSENT else lists, **join}, **common}


def foreach(id: str, items: str | Sequence[Any], /, *steps: Mapping[str, Any], **keys: Any) -> Document:
    """Return a step that runs its steps once for each item.

    Args:
        id: of the step.
        items: an expression of a list, or a list.
        steps: what runs for each item, in order.
        keys: ``FOREACH_KEYS`` with ``as_`` for ``as``, which are about the items; the others of ``STEP_KEYS``. What
            the step awaits of its needs is added to the result.

    Raises:
        TypeError: for an unknown keyword.
    """
    return _repeat("foreach", id, {"items": items}, steps, FOREACH_KEYS, keys)


def loop(id: str, /, *steps: Mapping[str, Any], **keys: Any) -> Document:
    """Return a step that repeats its steps.

    Args:
        id: of the step.
        steps: what is repeated, in order.
        keys: one of ``while_``, ``until`` and ``times``, and ``max_iterations``; ``STEP_KEYS``.

    Raises:
        TypeError: for an unknown keyword, and unless one of ``while_``, ``until`` and ``times`` is given.
    """
    if len({"while_", "until", "times"} & keys.keys()) != 1:
        raise TypeError("loop() takes one of while_, until and times")
    return _repeat("loop", id, {}, steps, LOOP_KEYS, keys)


def adhoc(id: str, /, *steps: Mapping[str, Any], **keys: Any) -> Document:
    """Return a step whose steps people choose from.

    Args:
        id: of the step.
        steps: what there is to choose from.
        keys: ``ADHOC_KEYS``, which are about the choice; ``STEP_KEYS``.

    Raises:
        TypeError: for an unknown keyword.
    """
    return _repeat("adhoc", id, {}, steps, ADHOC_KEYS, keys)


def wait(id: str, /, *, for_: str | float = ABSENT, until: str = ABSENT, **keys: Any) -> Document:
    """Return a durable timer.

    Args:
        id: of the step.
        for_: how long.
        until: until when; one of the two is given.
        keys: ``STEP_KEYS``.

    Raises:
        TypeError: for an unknown keyword, and unless one of ``for_`` and ``until`` is given.
    """
    if (for_ is ABSENT) == (until is ABSENT):
        raise TypeError("wait() takes one of for_ and until")
    return _step("wait", id, {"wait": _given(**{"for": for_}, until=until)}, keys)


def decide(id: str, /, *, table: str, version: str = ABSENT, input: Any = ABSENT, **keys: Any) -> Document:
    """Return a step that evaluates a decision table.

    Args:
        id: of the step.
        table: name of the table.
        version: of the table; its highest when the step is reached if left out.
        input: a mapping of the table's inputs, or an expression of one.
        keys: ``STEP_KEYS``.

    Raises:
        TypeError: for an unknown keyword.
    """
    return _step("decide", id, {"decide": _given(table=table, version=version, input=input)}, keys)


def receive(
    id: str,
    event: str = ABSENT,
    /,
    *,
    callback: bool | Mapping[str, str] = ABSENT,
    correlate: str = ABSENT,
    where: str | bool = ABSENT,
    within: str | float = ABSENT,
    **keys: Any,
) -> Document:
    """Return a step that waits for an event, or for the answer at an address of its own.

    Args:
        id: of the step.
        event: type of the event.
        callback: in its place; ``True``, or ``{"secret": name}`` where answers have to be signed.
        correlate: the key that must match.
        where: takes only events for which this holds.
        within: how long to wait, the language's ``receive.timeout``.
        keys: ``STEP_KEYS``.

    Raises:
        TypeError: for an unknown keyword.
    """
    waits = _given(event=event, callback=callback, correlate=correlate, where=where, timeout=within)
    return _step("receive", id, {"receive": waits}, keys)


def emit(id: str, event: str, /, *, data: Any = ABSENT, correlate: str = ABSENT, **keys: Any) -> Document:
    """Return a step that publishes an event.

    Args:
        id: of the step.
        event: type of the event.
        data: of the event.
        correlate: its key.
        keys: ``STEP_KEYS``.

    Raises:
        TypeError: for an unknown keyword.
    """
    return _step("emit", id, {"emit": {"event": event, **_given(data=data, correlate=correlate)}}, keys)


def call(
    id: str, workflow: str, /, *, version: str = ABSENT, input: Any = ABSENT, wait: bool = ABSENT, **keys: Any
) -> Document:
    """Return a step that runs another workflow.

    Args:
        id: of the step.
        workflow: name of the other.
        version: of the other.
        input: of the other.
        wait: whether the step waits for its end.
        keys: ``STEP_KEYS``.

    Raises:
        TypeError: for an unknown keyword.
    """
    called = {"workflow": workflow, **_given(version=version, input=input, wait=wait)}
    return _step("call", id, {"call": called}, keys)


def return_(id: str, /, *, output: Any = ABSENT, **keys: Any) -> Document:
    """Return a step that ends the instance as completed.

    Args:
        id: of the step.
        output: of the instance.
        keys: ``STEP_KEYS``.

    Raises:
        TypeError: for an unknown keyword.
    """
    return _step("return_", id, {"return": _given(output=output)}, keys)


def fail(id: str, /, *, code: str, message: str = ABSENT, **keys: Any) -> Document:
    """Return a step that fails.

    Args:
        id: of the step.
        code: of the error.
        message: for people.
        keys: ``STEP_KEYS``.

    Raises:
        TypeError: for an unknown keyword.
    """
    return _step("fail", id, {"fail": _given(code=code, message=message)}, keys)


def _step(function: str, id: str, kind: Document, keys: Document) -> Document:
    _refuse_others(function, keys, STEP_KEYS)
    return {"id": id, **kind, **keys}


def _repeat(
    function: str, id: str, body: Document, steps: Sequence[Mapping[str, Any]], known: Sequence[str], keys: Document
) -> Document:
    words = {keyword_of(key): key for key in known}
    others = [key for key in STEP_KEYS if key not in known]
    _refuse_others(function, keys, [*words, *others])
    own = {words[key]: value for key, value in keys.items() if key in words}
    common = {key: value for key, value in keys.items() if key not in words}
    return {"id": id, function: {**body, **own, "steps": list(steps)}, **common}


def keyword_of(key: str) -> str:
    """Return the keyword that stands for a key of the language.

    >>> keyword_of("as"), keyword_of("until")
    ('as_', 'until')
    """
    return f"{key}_" if keyword.iskeyword(key) else key


def _given(**values: Any) -> Document:
    return {key: value for key, value in values.items() if value is not ABSENT}


def _refuse_others(function: str, keys: Collection[str], known: Sequence[str]) -> None:
    for key in keys:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(known)}"
            raise TypeError(f"{function}() has no keyword {key!r}{hint}")


def _apart(function: str, keys: Document, named: Any, holder: str) -> tuple[Document, Any]:
    """Return the common keys, and the other keywords together with what ``holder`` names; ``ABSENT`` if neither is."""
    common = {key: value for key, value in keys.items() if key in STEP_KEYS}
    own = {key: value for key, value in keys.items() if key not in STEP_KEYS}
    for key in own:
        if near := misspelt(key):
            raise TypeError(
                f"{function}() has no keyword {key!r}; did you mean {near!r}? If not, write {holder}={{{key!r}: ...}}"
            )
        if named is not ABSENT and key in named:
            raise TypeError(f"{function}() has {key!r} twice: as a keyword and in {holder}")
    return common, ABSENT if named is ABSENT and not own else {**({} if named is ABSENT else named), **own}


def misspelt(key: str) -> str | None:
    """Return the common key that a keyword is taken for.

    >>> misspelt("timout"), misspelt("amount")
    ('timeout', None)
    """
    return next(iter(get_close_matches(key, STEP_KEYS, 1, cutoff=0.8)), None)
