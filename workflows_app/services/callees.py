"""Callees: which version each call of a definition runs, found when it is published."""

from __future__ import annotations

from typing import Any

from workflows_app.engine import definition
from workflows_app.engine.callee import Callee, key, of
from workflows_app.engine.definition.model import CallBody, Step
from workflows_app.engine.errors import NotFound
from workflows_app.engine.verifier.outline import Outline
from workflows_app.services import graphs, versions

Found = dict[str, Callee | str]
"""By ``callee.key``: the version that a call runs, or the reason why there is none."""


def look_up(parsed: definition.Definition) -> Found:
    """Find what a definition calls.

    A call of the workflow itself without a version, or with its own, runs the very version that is being published.

    """
    # Not the graph: what is asked here need not be sound yet.
    steps = [placed.step for placed in Outline(parsed).steps.values()]
    found: Found = {}
    itself: list[str] = []
    for body in (step.body for step in steps):
        if isinstance(body, CallBody):
            name = key(body.workflow, body.version)
            if body.workflow == parsed.name and body.version in (None, parsed.version):
                itself.append(name)
            elif name not in found:
                found[name] = _find(body)
    own = Callee(
        workflow=parsed.name,
        version=parsed.version,
        input_schema=parsed.input_schema,
        undoable=any(_may_be_undone(step, found) for step in steps),
        takes=_takes(parsed, steps, found),
    )
    return {**found, **dict.fromkeys(itself, own)}


def _may_be_undone(step: Step, found: Found) -> bool:
    """Whether a step may have something to undo; a call of the workflow itself has if any other step has."""
    body = step.body
    if step.compensate is not None or step.irreversible or not (isinstance(body, CallBody) and body.wait):
        return step.compensate is not None
    called = found.get(key(body.workflow, body.version))
    return isinstance(called, Callee) and called.undoable


def _takes(parsed: definition.Definition, steps: list[Step], found: Found) -> tuple[str, ...]:
    """Name the workflows whose common places an instance of this one waits for; see ``Callee.takes``."""
    names = {parsed.name} if parsed.concurrency is not None and parsed.concurrency.key is None else set()
    for body in (step.body for step in steps):
        if isinstance(body, CallBody) and body.wait:
            called = found.get(key(body.workflow, body.version))
            names.update(called.takes if isinstance(called, Callee) else ())
    return tuple(sorted(names))


def stored(found: Found) -> dict[str, Any]:
    """Return what is kept with the version: each call runs the same version for ever."""
    return {name: callee.stored() for name, callee in found.items() if isinstance(callee, Callee)}


def _find(body: CallBody) -> Callee | str:
    try:
        version = versions.find(name=body.workflow, version=body.version)
    except NotFound as missing:
        return missing.message
    graph = graphs.of_version(version.pk)
    parsed = graph.definition
    steps = [placed.step for placed in Outline(parsed).steps.values()]
    called: Found = {name: of(*_named(name), version.calls) for name in version.calls}
    return Callee(
        workflow=body.workflow,
        version=version.version,
        input_schema=parsed.input_schema,
        undoable=graph.undoable,
        deprecated=version.deprecated,
        takes=_takes(parsed, steps, called),
    )


def _named(name: str) -> tuple[str, str | None]:
    """Take ``callee.key`` apart."""
    workflow, _, version = name.partition("@")
    return workflow, version or None
