"""Where the actions of a state machine stand in its document, and every expression and template of it."""

from __future__ import annotations

from collections.abc import Iterator

from workflows_app.engine.definition.model import ActivityBody, Definition, Step
from workflows_app.engine.definition.places import IN_MACHINE, Place, of_retry
from workflows_app.engine.verifier.outline import Keys

WITH_EVENT = IN_MACHINE | {"event"}
IN_TRANSITION = WITH_EVENT | {"index"}


def actions(definition: Definition) -> Iterator[tuple[Keys, Step]]:
    """Yield every action with its keys in the document; none of a flow."""
    for index, transition in enumerate(definition.machine.transitions if definition.machine else ()):
        for key, steps in (("do", transition.before), ("then", transition.after)):
            for place, step in enumerate(steps):
                yield ("transitions", index, key, place), step


def machine_places(definition: Definition) -> Iterator[Place]:
    """Yield every place of a state machine but the document's output; none of a flow."""
    for index, transition in enumerate(definition.machine.transitions if definition.machine else ()):
        keys: Keys = ("transitions", index)
        if transition.when is not None:
            where = (*keys, "when")
            yield Place(keys=where, value=transition.when, is_template=False, reader=None, roots=WITH_EVENT)
        if transition.assignments:
            where, value = (*keys, "set"), dict(transition.assignments)
            yield Place(keys=where, value=value, is_template=True, reader=None, roots=IN_TRANSITION)
    for keys, step in actions(definition):
        yield from _of_action(keys, step)


def _of_action(keys: Keys, step: Step) -> Iterator[Place]:
    if isinstance(step.body, ActivityBody):
        value = dict(step.body.parameters)
        yield Place(keys=(*keys, "with"), value=value, is_template=True, reader=None, roots=IN_TRANSITION)
    yield from of_retry((*keys, "retry"), step.retry, None, IN_TRANSITION | {"error"})
    if step.compensate is not None:
        where, value = (*keys, "compensate"), dict(step.compensate.parameters)
        roots = IN_TRANSITION | {"output", "with", "error"}
        yield Place(keys=(*where, "with"), value=value, is_template=True, reader=None, roots=roots)
        if step.compensate.when is not None:
            condition = step.compensate.when
            yield Place(keys=(*where, "when"), value=condition, is_template=False, reader=None, roots=roots)
        yield from of_retry((*where, "retry"), step.compensate.retry, None, IN_TRANSITION | {"error"})
