"""State machines: states that exist and can be reached, ends that are ends, transitions that can be told apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from difflib import get_close_matches

from workflows_app.engine.definition.machine import Machine
from workflows_app.engine.definition.model import Definition
from workflows_app.engine.errors import Problem
from workflows_app.engine.values import join_path
from workflows_app.engine.verifier.machine_places import actions


def problems(definition: Definition) -> Iterator[Problem]:
    """Yield what is wrong with a state machine; nothing of a flow.

    Errors: ``UNKNOWN_STATE``, ``TERMINAL_STATE``, ``AMBIGUOUS_TRANSITION``; warnings: ``UNREACHABLE``, ``DEAD_END``,
    ``NOTHING_TO_UNDO``, ``UNDECLARED_VARIABLE``.
    """
    machine = definition.machine
    if machine is None:
        return
    unknown = list(_unknown(machine))
    yield from unknown
    yield from _terminal(machine)
    yield from _ambiguous(machine)
    if not unknown:
        yield from _unreachable(machine)
    yield from _dead_ends(machine)
    undoable = any(action.compensate for action in machine.actions)
    for index, transition in enumerate(machine.transitions):
        if transition.compensate and not undoable:
            message = "no action has a compensation: there is nothing to undo"
            yield _warning("NOTHING_TO_UNDO", message, "transitions", index, "compensate")
    yield from _undeclared(definition, machine)


def _unknown(machine: Machine) -> Iterator[Problem]:
    named: list[tuple[tuple[str | int, ...], str | None]] = [(("initial",), machine.initial)]
    named += [(("states", name, "on_timeout"), state.on_timeout) for name, state in machine.states.items()]
    for index, transition in enumerate(machine.transitions):
        several = len(transition.sources) > 1
        for place, source in enumerate(transition.sources):
            named.append((("transitions", index, "from", *((place,) if several else ())), source))
        named.append((("transitions", index, "to"), transition.target))
    for keys, state in named:
        if state is not None and state not in machine.states:
            close = get_close_matches(state, list(machine.states)[:200], n=1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            yield _error("UNKNOWN_STATE", f"there is no state `{state}`{hint}", *keys)


def _terminal(machine: Machine) -> Iterator[Problem]:
    ends = {name for name, state in machine.states.items() if state.terminal}
    if machine.initial in ends:
        yield _error("TERMINAL_STATE", f"`{machine.initial}` is terminal: the machine would end at once", "initial")
    for name in machine.states:
        if name in ends and machine.states[name].timeout is not None:
            yield _error("TERMINAL_STATE", f"`{name}` is terminal: nothing leads out of it", "states", name, "timeout")
    for index, transition in enumerate(machine.transitions):
        for source in transition.sources:
            if source in ends:
                message = f"`{source}` is terminal: nothing leads out of it"
                yield _error("TERMINAL_STATE", message, "transitions", index, "from")


def _ambiguous(machine: Machine) -> Iterator[Problem]:
    """Of several transitions for one state and event the first whose condition holds is taken."""
    always: dict[tuple[str, str], int] = {}
    for index, transition in enumerate(machine.transitions):
        for source in transition.sources:
            first = always.get((source, transition.event))
            if first is not None:
                message = (
                    f"never taken from `{source}`: transitions[{first}] takes `{transition.event}` there "
                    "whatever the case; give that one a `when`, or write it last"
                )
                yield _error("AMBIGUOUS_TRANSITION", message, "transitions", index)
                break
        if transition.when is None:
            for source in transition.sources:
                always.setdefault((source, transition.event), index)


def _unreachable(machine: Machine) -> Iterator[Problem]:
    reached = {machine.initial}
    todo = deque(reached)
    while todo:
        name = todo.popleft()
        on_timeout = machine.states[name].on_timeout
        following = {each.target for each in machine.leaving(name)} | ({on_timeout} if on_timeout else set())
        todo.extend(sorted(following - reached))
        reached |= following
    for name in machine.states:
        if name not in reached:
            yield _warning("UNREACHABLE", f"nothing leads to `{name}`", "states", name)


def _dead_ends(machine: Machine) -> Iterator[Problem]:
    for name, state in machine.states.items():
        if not state.terminal and state.timeout is None and not machine.leaving(name):
            message = f"nothing leads out of `{name}`, and it is not terminal: a machine in it would wait for ever"
            yield _warning("DEAD_END", message, "states", name)


def _undeclared(definition: Definition, machine: Machine) -> Iterator[Problem]:
    known = set(definition.variables)
    message = "`variables` does not declare `{}`; reading it before it has a value fails"
    for index, transition in enumerate(machine.transitions):
        for name in transition.assignments:
            if name not in known:
                known.add(name)
                yield _warning("UNDECLARED_VARIABLE", message.format(name), "transitions", index, "set", name)
    for keys, step in actions(definition):
        if step.result is not None and step.result not in known:
            known.add(step.result)
            yield _warning("UNDECLARED_VARIABLE", message.format(step.result), *keys, "result")


def _error(code: str, message: str, *keys: str | int) -> Problem:
    return Problem(code=code, path=join_path("", *keys), message=message)


def _warning(code: str, message: str, *keys: str | int) -> Problem:
    return Problem(code=code, path=join_path("", *keys), message=message, severity="warning")
