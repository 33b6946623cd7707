"""Policies in words: retries, joins, what becomes of errors, and how a step is undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_app.engine.documentation.spans import Sentence, Span, code, listed, sentence

_GROWTH = {
    "fixed": "always the same pause",
    "linear": "pauses that grow evenly",
    "random": "random pauses",
}


def retry_words(retry: Mapping[str, Any]) -> Sentence:
    """Say what a retry policy comes to; its keys are those of a dumped document, none is left out.

    >>> retry = {"max_attempts": 3, "backoff": "exponential", "initial_interval": "1s", "multiplier": 2.0,
    ...          "max_interval": "60s", "jitter": 0.1}
    >>> "".join(span.text for span in retry_words(retry))
    'up to 3 attempts, the first pause 1s, each 2 times the one before, at most 60s, give or take 10 %'
    """
    attempts, limits = retry["max_attempts"], retry.get("limits", ())
    if attempts == 1 and not limits:
        return sentence("one attempt")
    growth = _GROWTH.get(retry["backoff"], f"each {retry['multiplier']:g} times the one before")
    pieces: list[str | Span] = [
        f"up to {_attempts(attempts)}, the first pause {retry['initial_interval']}, {growth}, "
        f"at most {retry['max_interval']}"
    ]
    if retry.get("jitter"):
        pieces.append(f", give or take {retry['jitter'] * 100:g} %")
    if retry.get("when"):
        pieces += ["; only if ", code(retry["when"])]
    for limit in limits:
        kind = [code(limit["code"])] if "code" in limit else ["failures where ", code(limit["when"])]
        pieces += ["; for ", *kind, f" up to {_attempts(limit['max_attempts'])}"]
    if retry.get("non_retryable"):
        pieces += ["; never after ", *listed(retry["non_retryable"])]
    return sentence(*pieces)


def _attempts(number: int) -> str:
    return "1 attempt" if number == 1 else f"{number} attempts"


def join_words(written: Mapping[str, Any], *, what: str) -> Sentence:
    """Say what is waited for, empty where it is simply all of them.

    Args:
        written: a step, or the value of ``parallel``, as dumped.
        what: what is counted: ``steps`` or ``branches``.
    """
    join = written.get("join", "all")
    pieces = {"all": "", "any": f"goes on when one of these {what} has completed"}.get(
        join if isinstance(join, str) else "",
        f"goes on when {join['at_least']} of these {what} have completed" if isinstance(join, Mapping) else "",
    )
    more = [pieces] if pieces else []
    if written.get("rest") == "cancel":
        more.append("the others are cancelled")
    if written.get("tolerate"):
        more.append(f"{written['tolerate']} may fail")
    if written.get("join_deadline"):
        more.append(f"the waiting ends after {written['join_deadline']}")
    return sentence("; ".join(more))


def error_words(on_error: Any) -> Sentence:
    """Say what a failure beyond the retries means."""
    if isinstance(on_error, list):
        told = [span for case in on_error for span in _case_words(case)]
        always = on_error[-1].keys() == {"then"}
        return sentence(*told[:-1]) if always else sentence(*told, "otherwise the instance fails")
    if on_error is None or on_error == "fail":
        return sentence("the instance fails")
    if on_error == "continue":
        return sentence("the step counts as failed and the instance goes on")
    if isinstance(on_error, Mapping) and "goto" in on_error:
        return sentence("goes on at ", code(on_error["goto"]), "; what stands between is skipped")
    if isinstance(on_error, Mapping) and "fallback" in on_error:
        return sentence("performs ", code(on_error["fallback"]["activity"]), " instead")
    return sentence("goes on with an output that is written here")


def _case_words(case: Mapping[str, Any]) -> Sentence:
    """Say what one case of ``on_error`` asks for and what follows then."""
    asked: list[tuple[str | Span, ...]] = []
    if "codes" in case:
        asked.append(("after ", *listed(case["codes"])))
    if "when" in case:
        asked.append(("where ", code(case["when"])))
    if "attempts" in case:
        within = case["attempts"].get("within")
        number = _attempts(case["attempts"]["at_least"])
        asked.append((f"once {number} failed{f' within {within}' if within else ''}",))
    pieces = [piece for place, each in enumerate(asked) for piece in ((" and ", *each) if place else each)]
    return sentence(*(pieces or ["otherwise"]), ": ", *error_words(case["then"]), "; ")


def undo_words(undo: Any) -> Sentence:
    """Say how a completed step is undone."""
    if undo == "irreversible":
        return sentence("cannot be undone")
    pieces: list[str | Span] = ["performs ", code(undo["activity"])]
    if undo.get("timeout"):
        pieces.append(f", at most {undo['timeout']} an attempt")
    if undo.get("when"):
        pieces += ["; needed only if ", code(undo["when"])]
    return sentence(*pieces)
