"""State machines on the page: states and transitions as sections, and the picture of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from workflows_app.engine.definition.machine import Machine, Transition
from workflows_app.engine.definition.yaml_writing import write_yaml
from workflows_app.engine.documentation.diagram import label
from workflows_app.engine.documentation.spans import Block, Fact, Sentence, Span, code, listed, sentence
from workflows_app.engine.documentation.steps import Defaults, Section, sections
from workflows_app.engine.durations import format_duration

OF_ACTIONS = frozenset({"Time-out", "Attempts", "Undone by", "Undo is tried"})
"""What is said of a step that an action has as well."""


def machine_sections(machine: Machine, document: Mapping[str, Any], defaults: Defaults) -> Iterator[Section]:
    """Yield a section for each state, then one for each transition with its actions in it.

    Args:
        machine: of a parsed definition.
        document: the same definition, dumped.
    """
    for number, name in enumerate(machine.states, 1):
        yield _state(machine, name, str(number))
    written = zip(machine.transitions, document["transitions"], strict=True)
    for number, (transition, dumped) in enumerate(written, len(machine.states) + 1):
        yield _transition(transition, dumped, str(number))
        actions = [*dumped.get("do", ()), *dumped.get("then", ())]
        steps = [
            {
                "id": step.id,
                "description": f"Its result becomes the variable {step.result}." if step.result else "",
                **raw,
            }
            for step, raw in zip(transition.actions, actions, strict=True)
        ]
        for section in sections(steps, defaults, number=f"{number}.", depth=1):
            # An action follows the one before it, and its failure is the transition's: nothing of it is its own.
            yield replace(section, facts=tuple(fact for fact in section.facts if fact.label in OF_ACTIONS))


def _result(variable: str | None) -> str:
    return "" if variable is None else f"Its result becomes the variable {variable}."


def _state(machine: Machine, name: str, number: str) -> Section:
    state = machine.states[name]
    events = list(dict.fromkeys(each.event for each in machine.leaving(name)))
    facts = [Fact("Events", sentence(*listed(events)))] if events else []
    if state.timeout is not None:
        words = (f"after {format_duration(state.timeout)} the machine moves to ", code(state.on_timeout))
        facts.append(Fact("Time-out", sentence(*words)))
    does = "The machine ends here." if state.terminal else "The machine waits here for an event."
    begins = "The machine begins here. " if name == machine.initial else ""
    return Section(
        number=number,
        depth=0,
        id=name,
        title=name,
        kind="state",
        does=sentence(f"State. {begins}{does}"),
        description=state.description or "",
        facts=tuple(facts),
    )


def _transition(transition: Transition, dumped: Mapping[str, Any], number: str) -> Section:
    facts = []
    if transition.when is not None:
        facts.append(Fact("Only if", sentence(code(transition.when))))
    for heading, steps in (("Before the move", transition.before), ("After the move", transition.after)):
        if steps:
            facts.append(Fact(heading, sentence(*listed(step.id for step in steps))))
    if transition.compensate:
        facts.append(Fact("Undo", sentence("what was done so far is undone before the move, the latest first")))
    return Section(
        number=number,
        depth=0,
        id=transition.id,
        title=transition.name or transition.id,
        kind="transition",
        does=_moves(transition),
        description=transition.description or "",
        facts=tuple(facts),
        blocks=(Block("Variables", write_yaml(dumped["set"])),) if dumped.get("set") else (),
    )


def _moves(transition: Transition) -> Sentence:
    sources: list[str | Span] = listed(transition.sources)
    return sentence("Transition. On ", code(transition.event), " from ", *sources, " to ", code(transition.target), ".")


def machine_diagram(machine: Machine) -> str:
    """Return the Mermaid text of a machine.

    >>> from workflows_app.engine.definition import parse
    >>> document = {"workflow": "w", "version": "1.0.0", "kind": "state_machine", "initial": "end"}
    >>> document["states"] = {"end": {"timeout": "2h", "on_timeout": "over"}, "over": {"terminal": True}}
    >>> document["transitions"] = [{"from": "end", "to": "over", "event": "go", "when": "event.data > 1"}]
    >>> print(machine_diagram(parse(document).machine))
    stateDiagram-v2
        state "end" as s1
        state "over" as s2
        [*] --> s1
        s1 --> s2 : go, if event.data #gt; 1
        s1 --> s2 : after 2h
        s2 --> [*]
    """
    names = {name: f"s{number}" for number, name in enumerate(machine.states, 1)}
    lines = [f'    state "{label(name)}" as {own}' for name, own in names.items()]
    lines.append(f"    [*] --> {names.get(machine.initial, machine.initial)}")
    for transition in machine.transitions:
        condition = f", if {transition.when}" if transition.when else ""
        for source in transition.sources:
            words = label(f"{transition.event}{condition}")
            lines.append(f"    {names[source]} --> {names[transition.target]} : {words}")
    for name, state in machine.states.items():
        if state.timeout is not None and state.on_timeout is not None:
            words = label(f"after {format_duration(state.timeout)}")
            lines.append(f"    {names[name]} --> {names[state.on_timeout]} : {words}")
    lines += [f"    {names[name]} --> [*]" for name, state in machine.states.items() if state.terminal]
    return "\n".join(["stateDiagram-v2", *lines])
