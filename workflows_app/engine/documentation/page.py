"""The page of one definition: its parts, ready to be written as Markdown or HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows_app.engine import needs
from workflows_app.engine.definition.dumping import dump
from workflows_app.engine.definition.model import Definition
from workflows_app.engine.definition.retention import parse_retention, retention_words
from workflows_app.engine.definition.shape import written_steps
from workflows_app.engine.definition.yaml_writing import write_yaml
from workflows_app.engine.documentation.diagram import diagram
from workflows_app.engine.documentation.fields import Field, fields
from workflows_app.engine.documentation.machines import machine_diagram, machine_sections
from workflows_app.engine.documentation.policies import retry_words
from workflows_app.engine.documentation.spans import Fact, code, listed, sentence
from workflows_app.engine.documentation.steps import Defaults, Section, sections

_ENDINGS = {"on_failure": "On failure", "on_cancel": "On cancellation", "on_timeout": "On time-out"}
_WORDS = {"compensate": "what completed is undone", "stop": "nothing is undone"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The parts of a page.

    Args:
        name: of the workflow.
        version: the one that is described.
        title: what people call it, else the name.
        purpose: the definition's own words, empty where it has none.
        facts: owner and other metadata, time-out, what endings do.
        input: rows of the input's table.
        input_schema: the whole schema as YAML, empty where any input is taken.
        variables: names with their first values as YAML.
        steps: sections in order, blocks before what stands in them; of a state machine its states and transitions.
        output: the instance's output as YAML, empty where it has none.
        diagram: Mermaid text.
        parts: what the sections are about.
    """

    name: str
    version: str
    title: str
    purpose: str
    facts: tuple[Fact, ...]
    input: tuple[Field, ...]
    input_schema: str
    variables: str
    steps: tuple[Section, ...]
    output: str
    diagram: str
    parts: str = "Steps"


def describe(definition: Definition, *, activities: Mapping[str, str] | None = None) -> Page:
    """Make the page of a definition.

    Args:
        definition: a parsed definition.
        activities: what activities do, one sentence by name as the definition writes it; others go without.

    >>> from workflows_app.engine.definition import parse
    >>> page = describe(parse({"workflow": "w", "version": "1.0.0", "steps": [{"id": "a", "activity": "core.echo"}]}))
    >>> page.title, [(section.number, section.id) for section in page.steps]
    ('w', [('1', 'a')])
    """
    document = dump(definition)
    given = document.get("defaults", {})
    defaults = Defaults(
        timeout=given.get("timeout"),
        retry=given.get("retry"),
        activities=activities or {},
        needs=needs.of_definition(definition),
    )
    schema = definition.input_schema
    return Page(
        name=definition.name,
        version=definition.version,
        title=definition.title or definition.name,
        purpose=definition.description or "",
        facts=tuple(_facts(document)),
        input=tuple(fields(schema)),
        input_schema=write_yaml(schema) if isinstance(schema, Mapping) and schema else "",
        variables=write_yaml(document["variables"]) if document.get("variables") else "",
        steps=tuple(
            sections(document["steps"], defaults)
            if definition.machine is None
            else machine_sections(definition.machine, document, defaults)
        ),
        output=_yaml(document.get("output")),
        diagram=diagram(definition) if definition.machine is None else machine_diagram(definition.machine),
        parts="Steps" if definition.machine is None else "States and transitions",
    )


def _facts(document: Mapping[str, Any]) -> list[Fact]:
    found = [
        Fact("Workflow", sentence(code(document["workflow"]))),
        Fact("Version", sentence(code(document["version"]))),
    ]
    for key, value in document.get("metadata", {}).items():
        label = str(key).replace("_", " ")
        words = (
            listed(value) if isinstance(value, list) and value else [value if isinstance(value, str) else code(value)]
        )
        found.append(Fact(label[:1].upper() + label[1:], sentence(*words)))
    if document.get("timeout"):
        found.append(Fact("Time-out", sentence(f"{document['timeout']} for the whole instance")))
    if retention := parse_retention(document.get("retention")):
        found.append(Fact("Finished instances", sentence(retention_words(retention))))
    undoable = any(isinstance(step.get("compensate"), Mapping) for step in written_steps(document))
    for key, label in _ENDINGS.items():
        choice = document.get(key) or ("compensate" if undoable else "stop")
        found.append(Fact(label, sentence(_WORDS[choice])))
    defaults = document.get("defaults", {})
    if defaults.get("retry"):
        found.append(Fact("Attempts, unless a step says otherwise", retry_words(defaults["retry"])))
    return found


def _yaml(value: Any) -> str:
    if value is None:
        return ""
    return write_yaml(value) if isinstance(value, Mapping) else write_yaml({"output": value})
