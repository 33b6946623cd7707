"""Secrets: each one named is set on this installation, and an undo repeats those of its step whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from typing import Any

from workflows_app.engine import expressions
from workflows_app.engine.definition.model import ActivityBody, ReceiveBody, Step
from workflows_app.engine.errors import ExpressionError, Problem
from workflows_app.engine.expressions import Value
from workflows_app.engine.values import join_path
from workflows_app.engine.verifier.data import templates
from workflows_app.engine.verifier.machine_places import actions
from workflows_app.engine.verifier.outline import Keys, Outline


def problems(outline: Outline, known_secrets: Callable[[], Collection[str]] | None) -> Iterator[Problem]:
    """Yield ``UNKNOWN_SECRET``, a warning as secrets are no part of a definition, and ``SECRET_IN_PARTS``."""
    known: Collection[str] | None = None
    written = ((placed.keys, placed.step) for placed in outline.steps.values())
    for keys, step in chain(written, actions(outline.definition)):
        for where, parameters in _parameters(keys, step):
            for at, value in _compiled(parameters, where):
                named = {str(each.name) for each in value.secrets if each.root == "secret"}
                if named and known_secrets is not None:
                    known = known_secrets() if known is None else known
                    for name in sorted(named.difference(known)):
                        yield _unknown(at, name, known)
        yield from _repeated(keys, step)
        signed = step.body.callback.secret if isinstance(step.body, ReceiveBody) and step.body.callback else None
        if signed is not None and known_secrets is not None:
            known = known_secrets() if known is None else known
            if signed not in known:
                yield _unknown((*keys, "receive", "callback", "secret"), signed, known)


def _parameters(keys: Keys, step: Step) -> Iterator[tuple[Keys, Mapping[str, Any]]]:
    if isinstance(step.body, ActivityBody):
        yield (*keys, "with"), step.body.parameters
    for inner, reaction in step.on_error.written():
        if reaction.fallback is not None:
            yield (*keys, *inner, "fallback", "with"), reaction.fallback.parameters
    if step.compensate is not None:
        yield (*keys, "compensate", "with"), step.compensate.parameters


def _compiled(parameters: Mapping[str, Any], keys: Keys) -> Iterator[tuple[Keys, Value]]:
    """Yield every string with an expression in it; those that do not compile are reported elsewhere."""
    for at, text in templates(dict(parameters), keys):
        try:
            yield at, expressions.compile_value(text)
        except ExpressionError:
            continue


def _unknown(at: Keys, name: str, known: Collection[str]) -> Problem:
    close = get_close_matches(name[:100], sorted(known)[:200], n=1)
    hint = f"; did you mean `{close[0]}`?" if close else "; set it before the step runs"
    message = f"no secret `{name[:100]}` is set on this installation{hint}"
    return Problem(code="UNKNOWN_SECRET", path=join_path("", *at), message=message, severity="warning")


def _repeated(keys: Keys, step: Step) -> Iterator[Problem]:
    """Hold what an undo reads of its step's ``with`` against the places that only placeholders stand in."""
    if not isinstance(step.body, ActivityBody) or step.compensate is None:
        return
    try:
        sealed = expressions.compile_value(dict(step.body.parameters)).sealed()
    except ExpressionError:
        return
    if not sealed:
        return
    for at, value in _compiled(step.compensate.parameters, (*keys, "compensate", "with")):
        paths = [each.path for each in value.reads if each.root == "with"]
        # Named alone, a part of `with` is repeated with all secrets in it; but a field of a secret is in no row.
        alone = value.reference is not None
        for path in (path for path in paths if any(_takes_apart(path, secret, alone=alone) for secret in sealed)):
            shown = join_path("with", *path)
            message = f'`{shown}` holds a secret: repeat it alone (${{ {shown} }}), or write secret("name") here too'
            yield Problem(code="SECRET_IN_PARTS", path=join_path("", *at), message=message)
    yield from _asked(keys, step.compensate.when, sealed)


def _asked(keys: Keys, condition: str | None, sealed: Iterable[tuple[str | int, ...]]) -> Iterator[Problem]:
    """Refuse the condition of an undo that compares what only a placeholder stands for."""
    try:
        reads = expressions.compile_expression(condition).reads if condition is not None else ()
    except ExpressionError:
        return
    for path in (each.path for each in reads if each.root == "with"):
        if any(_takes_apart(path, secret, alone=False) for secret in sealed):
            message = f"`{join_path('with', *path)}` holds a secret, which no condition can read"
            yield Problem(code="SECRET_IN_PARTS", path=join_path("", *keys, "compensate", "when"), message=message)


def _takes_apart(path: tuple[str | int, ...], secret: tuple[str | int, ...], *, alone: bool) -> bool:
    """Whether reading ``path`` of a step's ``with`` does something else with a secret in it than to repeat it."""
    meets = secret[: len(path)] == path[: len(secret)]
    return meets and (not alone or len(path) > len(secret))
