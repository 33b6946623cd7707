"""Places: every expression and every template of a definition, with what may be read there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workflows_app.engine.definition.model import (
    ActivityBody,
    AdhocBody,
    CallBody,
    ChoiceBody,
    DecideBody,
    EmitBody,
    FailBody,
    ForeachBody,
    LoopBody,
    ReceiveBody,
    Retry,
    ReturnBody,
    SetBody,
    Step,
    WaitBody,
)
from workflows_app.engine.definition.reactions import OnError

if TYPE_CHECKING:
    from workflows_app.engine.verifier.outline import Outline

Keys = tuple[str | int, ...]

EVERYWHERE = frozenset({"input", "vars", "steps", "instance", "now"})
WITH_ERROR = EVERYWHERE | {"error"}
IN_CONCURRENCY = frozenset({"input"})
"""All that there is before an instance starts."""
IN_CACHE = frozenset({"input", "instance", "with"})
"""What stays as it is between the look into the cache and the result; the rest comes in by `with`."""
IN_IDEMPOTENCY_KEY = (EVERYWHERE | {"with"}) - {"now"}
"""All that a step's parameters may read but the time: with it, the same work would have another key each time."""
WITH_EVENT = EVERYWHERE | {"event"}
IN_UNDO = WITH_ERROR | {"output", "with"}
IN_MACHINE = (EVERYWHERE - {"steps"}) | {"state"}


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
        reads_inside: whether the reader repeats steps, whose results of the same iteration may be read.
    """

    keys: Keys
    value: Any
    is_template: bool
    reader: str | None
    roots: frozenset[str] = field(default=EVERYWHERE)
    reads_itself: bool = False
    reads_inside: bool = False

    @property
    def takes_secrets(self) -> bool:
        """Whether a worker evaluates it for an attempt: the parameters of an activity, a fallback or an undo."""
        return self.is_template and self.keys[-1:] == ("with",)


def places(outline: Outline) -> Iterator[Place]:
    """Yield every place of the definition in the order of the document."""
    definition = outline.definition
    # It goes for many steps, so it can name none of them.
    yield from of_retry(("defaults", "retry"), definition.default_retry, None, WITH_ERROR - {"steps"})
    if definition.concurrency is not None and definition.concurrency.key is not None:
        key = definition.concurrency.key
        yield Place(keys=("concurrency", "key"), value=key, is_template=True, reader=None, roots=IN_CONCURRENCY)
    for placed in outline.steps.values():
        around = frozenset(name for step in outline.repeats(placed.step.id) for name in _repeated(step))
        for place in of_step(placed.step, placed.keys):
            # Of an ad-hoc section, each choice has an item; the section as a whole has none.
            inside = place.reads_inside and not isinstance(placed.step.body, AdhocBody)
            own = frozenset(_repeated(placed.step)) if inside else frozenset()
            yield replace(place, roots=place.roots | around | own)
    if definition.output is not None:
        roots = EVERYWHERE if definition.machine is None else IN_MACHINE
        yield Place(keys=("output",), value=definition.output, is_template=True, reader=None, roots=roots)


def _repeated(step: Step) -> tuple[str, ...]:
    """Return the names that exist inside a step that repeats others."""
    match step.body:
        case ForeachBody(name=name):
            return (name, "index")
        case LoopBody():
            return ("iteration",)
        case AdhocBody():
            return ("item", "index")
        case _:
            return ()


def of_step(step: Step, keys: Keys = ()) -> Iterator[Place]:
    """Yield the places of one step, steps inside it apart; ``keys`` is where it stands in the document.

    ``roots`` leaves out the names that repeats around the step give.
    """
    name = step.id
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
        case ForeachBody():
            yield from _foreach((*keys, "foreach"), step.body, name)
        case LoopBody():
            yield from _loop((*keys, "loop"), step.body, name)
        case AdhocBody(complete_when=condition, assign=assign):
            where = (*keys, "adhoc")
            if condition is not None:
                place = (*where, "complete_when")
                yield Place(keys=place, value=condition, is_template=False, reader=name, reads_inside=True)
            for key, value in (assign or {}).items():
                yield Place(keys=(*where, "assign", key), value=value, is_template=key != "expression", reader=name)
        case WaitBody(duration=str() as length):
            yield Place(keys=(*keys, "wait", "for"), value=length, is_template=True, reader=name)
        case WaitBody(until=str() as until):
            yield Place(keys=(*keys, "wait", "until"), value=until, is_template=True, reader=name)
        case ReceiveBody(correlate=key, where=where):
            yield Place(keys=(*keys, "receive", "correlate"), value=key, is_template=True, reader=name)
            if where is not None:
                place = (*keys, "receive", "where")
                yield Place(keys=place, value=where, is_template=False, reader=name, roots=WITH_EVENT)
        case EmitBody(data=data, correlate=key):
            yield Place(keys=(*keys, "emit", "data"), value=data, is_template=True, reader=name)
            yield Place(keys=(*keys, "emit", "correlate"), value=key, is_template=True, reader=name)
        case CallBody(input=given):
            yield Place(keys=(*keys, "call", "input"), value=given, is_template=True, reader=name)
        case DecideBody(input=given):
            yield Place(keys=(*keys, "decide", "input"), value=given, is_template=True, reader=name)
        case ReturnBody(output=output):
            yield Place(keys=(*keys, "return", "output"), value=output, is_template=True, reader=name)
        case FailBody(message=message):
            yield Place(keys=(*keys, "fail", "message"), value=message, is_template=True, reader=name)
    yield from of_retry((*keys, "retry"), step.retry, name)
    if step.cache is not None and step.cache.key is not None:
        where = (*keys, "cache", "key")
        yield Place(keys=where, value=step.cache.key, is_template=True, reader=name, roots=IN_CACHE)
    if step.idempotency_key is not None:
        where = (*keys, "idempotency_key")
        yield Place(keys=where, value=step.idempotency_key, is_template=True, reader=name, roots=IN_IDEMPOTENCY_KEY)
    yield from _on_error(keys, step)
    if step.compensate is not None:
        yield Place(
            keys=(*keys, "compensate", "with"),
            value=dict(step.compensate.parameters),
            is_template=True,
            reader=name,
            roots=IN_UNDO,
            reads_itself=True,
        )
        if step.compensate.when is not None:
            where, condition = (*keys, "compensate", "when"), step.compensate.when
            yield Place(keys=where, value=condition, is_template=False, reader=name, roots=IN_UNDO, reads_itself=True)
        yield from of_retry((*keys, "compensate", "retry"), step.compensate.retry, name)


def _on_error(keys: Keys, step: Step) -> Iterator[Place]:
    for place, case in enumerate(step.on_error.cases):
        if case.when is not None:
            where = (*keys, "on_error", place, "when")
            yield Place(keys=where, value=case.when, is_template=False, reader=step.id, roots=WITH_ERROR)
    for inner, reaction in step.on_error.written():
        if reaction.kind is OnError.OUTPUT:
            where, value = (*keys, *inner, "output"), reaction.output
            yield Place(keys=where, value=value, is_template=True, reader=step.id, roots=WITH_ERROR)
        if reaction.fallback is not None:
            where, value = (*keys, *inner, "fallback", "with"), dict(reaction.fallback.parameters)
            yield Place(keys=where, value=value, is_template=True, reader=step.id, roots=WITH_ERROR)


def _foreach(keys: Keys, body: ForeachBody, reader: str) -> Iterator[Place]:
    if isinstance(body.items, str):
        yield Place(keys=(*keys, "items"), value=body.items, is_template=False, reader=reader)
    else:
        yield Place(keys=(*keys, "items"), value=list(body.items), is_template=True, reader=reader)
    if body.collect is not None:
        where = (*keys, "collect")
        yield Place(keys=where, value=body.collect, is_template=True, reader=reader, reads_inside=True)


def _loop(keys: Keys, body: LoopBody, reader: str) -> Iterator[Place]:
    if body.condition is not None:
        roots = EVERYWHERE | {"iteration"}
        yield Place(keys=(*keys, "while"), value=body.condition, is_template=False, reader=reader, roots=roots)
    if body.until is not None:
        yield Place(keys=(*keys, "until"), value=body.until, is_template=False, reader=reader, reads_inside=True)
    if isinstance(body.times, str):
        yield Place(keys=(*keys, "times"), value=body.times, is_template=False, reader=reader)


def of_retry(
    keys: Keys, retry: Retry | None, reader: str | None, roots: frozenset[str] = WITH_ERROR
) -> Iterator[Place]:
    """Yield the conditions of a retry policy; ``keys`` is where it stands in the document."""
    if retry is None:
        return
    conditions: list[tuple[Keys, str | None]] = [(("when",), retry.when)]
    conditions += [(("limits", place, "when"), limit.when) for place, limit in enumerate(retry.limits)]
    for where, condition in conditions:
        if condition is not None:
            yield Place(keys=(*keys, *where), value=condition, is_template=False, reader=reader, roots=roots)
