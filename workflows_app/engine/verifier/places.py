"""Places: every expression and every template of a definition, with what may be read there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workflows_app.engine.definition.model import (
    ActivityBody,
    ChoiceBody,
    FailBody,
    OnError,
    Retry,
    ReturnBody,
    SetBody,
    WaitBody,
)
from workflows_app.engine.verifier.outline import Keys, Outline, Placed

EVERYWHERE = frozenset({"input", "vars", "steps", "instance", "now"})
WITH_ERROR = EVERYWHERE | {"error"}
IN_UNDO = EVERYWHERE | {"output", "with"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place that reads.

    Args:
        keys: where it stands in the document.
        value: the text of an expression, or a JSON value with ``${ }`` in its strings.
        is_template: whether ``value`` is such a JSON value.
        reader: the step from which reading happens; ``None`` for the document's own output, read at the end.
        roots: names that exist here.
        reads_itself: whether the reader's own result may be read.
    """

    keys: Keys
    value: Any
    is_template: bool
    reader: str | None
    roots: frozenset[str] = field(default=EVERYWHERE)
    reads_itself: bool = False


def places(outline: Outline) -> Iterator[Place]:
    """Yield every place of the definition in the order of the document."""
    definition = outline.definition
    default = definition.default_retry
    if default is not None and default.when is not None:
        # It goes for many steps, so it can name none of them.
        keys = ("defaults", "retry", "when")
        roots = WITH_ERROR - {"steps"}
        yield Place(keys=keys, value=default.when, is_template=False, reader=None, roots=roots)
    for placed in outline.steps.values():
        yield from _of_step(placed)
    if definition.output is not None:
        yield Place(keys=("output",), value=definition.output, is_template=True, reader=None)


def _of_step(placed: Placed) -> Iterator[Place]:
    step, keys, name = placed.step, placed.keys, placed.step.id
    if step.when is not None:
        yield Place(keys=(*keys, "when"), value=step.when, is_template=False, reader=name)
    match step.body:
        case ActivityBody(parameters=parameters):
            yield Place(keys=(*keys, "with"), value=dict(parameters), is_template=True, reader=name)
        case SetBody(assignments=assignments):
            yield Place(keys=(*keys, "set"), value=dict(assignments), is_template=True, reader=name)
        case ChoiceBody(cases=cases):
            for index, case in enumerate(cases):
                if case.when is not None:
                    where = (*keys, "choice", index, "when")
                    yield Place(keys=where, value=case.when, is_template=False, reader=name)
        case WaitBody(duration=str() as length):
            yield Place(keys=(*keys, "wait", "for"), value=length, is_template=True, reader=name)
        case WaitBody(until=str() as until):
            yield Place(keys=(*keys, "wait", "until"), value=until, is_template=True, reader=name)
        case ReturnBody(output=output):
            yield Place(keys=(*keys, "return", "output"), value=output, is_template=True, reader=name)
        case FailBody(message=message):
            yield Place(keys=(*keys, "fail", "message"), value=message, is_template=True, reader=name)
    yield from _retry((*keys, "retry"), step.retry, name)
    if step.on_error is OnError.OUTPUT:
        where = (*keys, "on_error", "output")
        yield Place(keys=where, value=step.on_error_output, is_template=True, reader=name, roots=WITH_ERROR)
    if step.compensate is not None:
        yield Place(
            keys=(*keys, "compensate", "with"),
            value=dict(step.compensate.parameters),
            is_template=True,
            reader=name,
            roots=IN_UNDO,
            reads_itself=True,
        )
        yield from _retry((*keys, "compensate", "retry"), step.compensate.retry, name)


def _retry(keys: Keys, retry: Retry | None, reader: str) -> Iterator[Place]:
    if retry is not None and retry.when is not None:
        yield Place(keys=(*keys, "when"), value=retry.when, is_template=False, reader=reader, roots=WITH_ERROR)
