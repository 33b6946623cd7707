"""State machines: from a document to the model and back; the document is known to have the right shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workflows_app.engine.definition.machine import MACHINE, MOVE, Machine, MachineState, Transition, ids
from workflows_app.engine.definition.model import Step
from workflows_app.engine.durations import format_duration, parse_duration

Document = dict[str, Any]
Parse = Callable[[Mapping[str, Any]], Step]
Dump = Callable[[Step], Document]


def parse_machine(document: Mapping[str, Any], step: Parse) -> Machine:
    """Return the machine that a document of kind ``state_machine`` describes.

    Args:
        step: makes the step of an action, which is one of kind ``activity`` and has an id.
    """
    written = document["transitions"]
    names = ids((raw["event"] for raw in written), taken=MACHINE)
    return Machine(
        initial=document["initial"],
        states={name: _state(raw) for name, raw in document["states"].items()},
        transitions=tuple(_transition(name, raw, step) for name, raw in zip(names, written, strict=True)),
    )


def _state(raw: Mapping[str, Any]) -> MachineState:
    return MachineState(
        description=raw.get("description"),
        terminal=raw.get("terminal", False),
        timeout=parse_duration(raw["timeout"]) if "timeout" in raw else None,
        on_timeout=raw.get("on_timeout"),
    )


def _transition(name: str, raw: Mapping[str, Any], step: Parse) -> Transition:
    sources, condition = raw["from"], raw.get("when")
    before, after = raw.get("do", []), raw.get("then", [])
    activities = (each["activity"].partition("@")[0].rpartition(".")[2] for each in (*before, *after))
    actions = [
        step({"id": name, **each}) for name, each in zip(ids(activities, taken=MOVE), (*before, *after), strict=True)
    ]
    return Transition(
        id=name,
        event=raw["event"],
        sources=(sources,) if isinstance(sources, str) else tuple(sources),
        target=raw["to"],
        name=raw.get("name"),
        description=raw.get("description"),
        when=str(condition).lower() if isinstance(condition, bool) else condition,
        before=tuple(actions[: len(before)]),
        after=tuple(actions[len(before) :]),
        assignments=raw.get("set", {}),
        compensate=raw.get("compensate", False),
    )


def dump_machine(machine: Machine, step: Dump) -> Document:
    """Return the keys of the document that a machine adds to those of every kind.

    Args:
        step: returns the document of an action's step.
    """
    return {
        "initial": machine.initial,
        "states": {name: _dumped_state(state) for name, state in machine.states.items()},
        "transitions": [_dumped(each, step) for each in machine.transitions],
    }


def _dumped_state(state: MachineState) -> Document:
    return _filled(
        description=state.description,
        terminal=state.terminal or None,
        timeout=None if state.timeout is None else format_duration(state.timeout),
        on_timeout=state.on_timeout,
    )


def _dumped(transition: Transition, step: Dump) -> Document:
    def actions(steps: tuple[Step, ...]) -> list[Document] | None:
        return [{key: part for key, part in step(each).items() if key != "id"} for each in steps] or None

    sources = transition.sources
    return _filled(
        **{
            "name": transition.name,
            "description": transition.description,
            "from": sources[0] if len(sources) == 1 else list(sources),
            "to": transition.target,
            "event": transition.event,
            "when": transition.when,
            "do": actions(transition.before),
            "set": dict(transition.assignments) or None,
            "compensate": transition.compensate or None,
            "then": actions(transition.after),
        }
    )


def _filled(**keys: Any) -> Document:
    return {key: value for key, value in keys.items() if value is not None}
