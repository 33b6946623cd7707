"""Callbacks: some step hands out the address of each step that waits, and not after that has waited."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import chain

from workflows_app.engine import expressions
from workflows_app.engine.definition.model import ReceiveBody
from workflows_app.engine.definition.places import Place, places
from workflows_app.engine.errors import ExpressionError, Problem
from workflows_app.engine.values import join_path
from workflows_app.engine.verifier.data import templates
from workflows_app.engine.verifier.machine_places import machine_places
from workflows_app.engine.verifier.order import Upstream
from workflows_app.engine.verifier.outline import Keys, Outline

NOT_CONFIGURED = "CALLBACKS_NOT_CONFIGURED"


def problems(outline: Outline, configured: bool) -> Iterator[Problem]:
    """Yield the errors ``UNKNOWN_CALLBACK``, ``CALLBACK_PLACE`` and ``CALLBACK_CACHED``, and the warnings
    ``CALLBACK_UNUSED`` and ``CALLBACKS_NOT_CONFIGURED``.

    Args:
        configured: whether this installation knows the address under which it is reached.
    """
    upstream = Upstream(outline)
    waiting = {name for name, placed in outline.steps.items() if _waits(placed.step.body)}
    used: set[str] = set()
    for place, keys, name in _named(outline):
        path = join_path("", *keys)
        used.add(name)
        wrong = _wrong(outline, upstream, waiting, place, name)
        if not place.takes_secrets or "compensate" in place.keys:
            message = "the address of a callback may stand in the `with` of an activity or a fallback only"
            yield Problem(code="CALLBACK_PLACE", path=path, message=message)
        elif wrong is not None:
            yield Problem(code="UNKNOWN_CALLBACK", path=path, message=wrong)
        elif place.reader is not None and outline.steps[place.reader].step.cache is not None:
            message = "a reused result sends no call, so nobody would answer; leave out `cache` or `callback()`"
            yield Problem(code="CALLBACK_CACHED", path=path, message=message)
        elif not configured:
            message = (
                "this installation does not know its own address; set ORCHESTRATOR_PUBLIC_URL before the step runs"
            )
            yield Problem(code=NOT_CONFIGURED, path=path, message=message, severity="warning")
    for name in sorted(waiting - used):
        message = f'no step hands out its address with callback("{name}"), so that nobody can answer'
        where = outline.steps[name].path("receive", "callback")
        yield Problem(code="CALLBACK_UNUSED", path=where, message=message, severity="warning")


def _waits(body: object) -> bool:
    return isinstance(body, ReceiveBody) and body.callback is not None


def _named(outline: Outline) -> Iterator[tuple[Place, Keys, str]]:
    """Yield every place that names a callback; texts that do not compile are reported elsewhere."""
    for place in chain(places(outline), machine_places(outline.definition)):
        if place.is_template:
            texts = templates(place.value, place.keys)
        else:
            texts = iter([(place.keys, f"${{ {place.value} }}")])
        for keys, text in texts:
            try:
                found = expressions.compile_value(text).secrets
            except ExpressionError:
                continue
            yield from ((place, keys, str(each.name)) for each in sorted(found, key=repr) if each.root == "callback")


def _wrong(outline: Outline, upstream: Upstream, waiting: set[str], place: Place, name: str) -> str | None:
    """Say why the address cannot be that of the step."""
    if name not in waiting:
        close = get_close_matches(name[:100], sorted(waiting), n=1)
        guess = f"; did you mean `{close[0]}`?" if close else ""
        what = "is no step that receives a callback" if name in outline.steps else "is no step"
        return f"`{name[:100]}` {what}{guess}"
    if place.reader is None:
        return "a state machine's action has no step that waits for its answer"
    if [step.id for step in outline.repeats(name)] != [step.id for step in outline.repeats(place.reader)]:
        return f"`{name}` must stand in the same iteration as `{place.reader}`, which hands out its address"
    if name == place.reader or upstream.holds(name, place.reader):
        return f"`{name}` waits before `{place.reader}` has handed out its address"
    return None
