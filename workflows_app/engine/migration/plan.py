"""The plan: what a migration would do to each step of one instance, or why it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workflows_app.engine import schemas
from workflows_app.engine.errors import Problem
from workflows_app.engine.migration import begun, order
from workflows_app.engine.migration.standing import Standing, problem
from workflows_app.engine.snapshot import NOT_LOADED
from workflows_app.engine.states import InstanceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would become of an instance.

    Args:
        problems: every reason why it cannot be migrated; none, and the rest holds.
        gone: steps of the old version, by path, that are in the history only from then on.
        moved: what steps that have begun are called then, by their path before.
        passed: steps of the new version that are recorded as skipped, with the reason, in document order.
        anew: failed steps that a retry evaluates again, as the new version gives them something else to do.
        variables: all variables with their values then.
        added: the names of those that get their initial value, and
        dropped: of those that go.
    """

    problems: tuple[Problem, ...]
    gone: tuple[str, ...]
    moved: Mapping[str, str]
    passed: Mapping[str, str]
    anew: tuple[str, ...]
    variables: Mapping[str, Any]
    added: tuple[str, ...]
    dropped: tuple[str, ...]


def plan(standing: Standing, *, now: datetime) -> Plan:
    """Hold an instance against the version that it is to go on by.

    Args:
        standing: the instance between the two; its input must be loaded where the input schemas differ.
        now: the database's time.
    """
    new = standing.new.definition
    coming, unclear = order.coming(standing)
    problems = [*_renames(standing), *begun.problems(standing), *unclear, *_names(standing)]
    problems += [*_input(standing), *_time(standing, now)]
    if not problems:
        problems += order.problems(standing, coming)
    # Of what has not begun nothing can have changed a variable.
    has = {} if standing.instance.state is InstanceState.PENDING else standing.instance.variables
    kept = {name: has.get(name, initial) for name, initial in new.variables.items()}
    moved = {path: name for path, name in standing.renames.items() if name != path and standing.has_begun(path)}
    rows = [path for path in standing.old.nodes if path in standing.steps and path not in moved]
    forgotten = {path for path in standing.pending if not standing.has_begun(path)}
    return Plan(
        problems=tuple(dict.fromkeys(problems)),
        gone=tuple(path for path in rows if standing.target(path) != path or path in forgotten),
        moved=moved,
        passed=coming.passed,
        anew=tuple(_anew(standing)),
        variables=kept,
        added=tuple(name for name in kept if name not in has),
        dropped=tuple(name for name in standing.instance.variables if name not in new.variables),
    )


def _renames(standing: Standing) -> Iterator[Problem]:
    """Look at what the operator says that steps are called."""
    old, new = standing.old, standing.new
    taken: set[str] = set()
    for name, other in standing.renames.items():
        place = f"map.{name}"
        if name not in old.nodes or old.nodes[name].is_part:
            where = "inside a block that repeats" if name in old.written else f"in {old.definition.version}"
            message = f"there is no step {name} {where}" if name not in old.written else f"{name} stands {where}"
            yield problem("UNKNOWN_STEP", place, message)
        elif other not in new.nodes or new.nodes[other].is_part:
            message = f"there is no step {other} outside of repeats in {new.definition.version}"
            yield problem("UNKNOWN_STEP", place, message)
        elif other in taken or (other in old.nodes and other not in standing.renames and standing.has_begun(other)):
            yield problem("CANNOT_BE_RENAMED", place, f"{other} has run itself; two steps cannot become one")
        elif other in standing.renames and other != name and standing.has_begun(other):
            yield problem("CANNOT_BE_RENAMED", place, f"{other} is renamed as well; rename one after the other")
        taken.add(other)


def _names(standing: Standing) -> Iterator[Problem]:
    """Look for steps that would go by the name of another one that has run: its record, and its keys, are theirs."""
    kept = {path for path in standing.old.nodes if standing.target(path) == path} | set(standing.renames.values())
    for path in standing.new.nodes:
        if path in standing.used and path not in kept:
            version = standing.new.definition.version
            message = f"has run by another version, and would run once more in {version}; give the step another name"
            yield problem("NAME_USED", path, message)


def _input(standing: Standing) -> Iterator[Problem]:
    """Look whether the new version takes the input that the instance was started with."""
    schema = standing.new.definition.input_schema
    if standing.instance.input is NOT_LOADED or schema is None:
        return
    for each in schemas.validate(standing.instance.input, schema):
        yield problem("INPUT_INVALID", each.path, f"{each.message}, as {standing.new.definition.version} wants it")


def due_at(standing: Standing) -> datetime | None:
    """Return when the time of the whole instance is over by the new version; ``None`` where it has none."""
    seconds, since = standing.new.definition.timeout, standing.instance.started_at
    return None if seconds is None or since is None else since + timedelta(seconds=seconds)


def is_timed_anew(standing: Standing) -> bool:
    """Whether the two versions give the whole instance another time."""
    return standing.old.definition.timeout != standing.new.definition.timeout


def _time(standing: Standing, now: datetime) -> Iterator[Problem]:
    due = due_at(standing)
    if due is not None and is_timed_anew(standing) and standing.instance.ending is None and due <= now:
        version, seconds = standing.new.definition.version, standing.new.definition.timeout
        yield problem("TIMEOUT", "timeout", f"it has taken longer already than the {seconds:g} s that {version} grants")


def _anew(standing: Standing) -> Iterator[str]:
    """Yield the steps that a retry would hand out again as they were, though the new version says otherwise."""
    for path in sorted(standing.pending):
        target = standing.target(path) if path in standing.old.nodes else None
        if target is None or standing.row(path).generation == 0:
            continue
        node, there = standing.old.nodes[path], standing.new.nodes[target]
        if (node.step.body, node.step.idempotency_key) != (there.step.body, there.step.idempotency_key):
            yield target
