"""The chart of a state machine: its states, and the transitions between them."""

from __future__ import annotations

from collections.abc import Iterator

from workflows_app.drawing.chart import STATE, Chart, Edge, Vertex
from workflows_app.engine.definition.machine import Machine, MachineState
from workflows_app.engine.durations import format_duration

TIMEOUT = "timeout:"
"""Begins the id of a transition that a state's time-out makes."""


def chart(machine: Machine) -> Chart:
    """Return the chart of a state machine."""
    vertices = {
        name: Vertex(
            id=name,
            name=name,
            kind=STATE,
            detail=_detail(state),
            initial=name == machine.initial,
            terminal=state.terminal,
        )
        for name, state in machine.states.items()
    }
    return Chart(vertices=vertices, roots=tuple(vertices), edges=tuple(_edges(machine)))


def _detail(state: MachineState) -> str:
    if state.terminal:
        return "end"
    return f"at most {format_duration(state.timeout)}" if state.timeout else ""


def _edges(machine: Machine) -> Iterator[Edge]:
    for each in machine.transitions:
        for source in each.sources:
            yield Edge(
                source=source,
                target=each.target,
                condition=each.when,
                transition=each.id,
                event=each.event,
                actions=len(each.actions),
            )
    for name, state in machine.states.items():
        if state.on_timeout and state.timeout:
            event = f"after {format_duration(state.timeout)}"
            yield Edge(source=name, target=state.on_timeout, transition=TIMEOUT + name, event=event)
