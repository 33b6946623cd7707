"""The picture: a definition's steps and what follows what, as Mermaid text; dotted where that is inferred.

Names of nodes are made here (``n1``, ``n2`` …), for an id may be a word of Mermaid's (``end``). Labels stand in quotes
and in Mermaid's own entities, so that no text can end a label, begin markup or reach the page around the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from workflows_app.engine import needs
from workflows_app.engine.definition.dumping import dump
from workflows_app.engine.definition.model import Definition
from workflows_app.engine.definition.shape import inner_lists
from workflows_app.engine.documentation.steps import branch_words, kind_of

LONGEST_LABEL = 60
_SHAPES = {
    "activity": ("[", "]"),
    "set": ("[/", "/]"),
    "wait": ("([", "])"),
    "receive": ("([", "])"),
    "emit": ("([", "])"),
    "return": ("((", "))"),
    "fail": ("{{", "}}"),
}


def diagram(definition: Definition) -> str:
    """Return the Mermaid text of a definition.

    >>> from workflows_app.engine.definition import parse
    >>> steps = [{"id": "a", "set": {"v": 1}}, {"id": "b", "when": "vars.v > 0", "activity": "core.echo"}]
    >>> print(diagram(parse({"workflow": "w", "version": "1.0.0", "variables": {"v": 0}, "steps": steps})))
    flowchart TD
        n1(["start"])
        n2[/"a"/]
        n3["b"]
        n4(["end"])
        n1 --> n2
        n2 -->|"vars.v #gt; 0"| n3
        n3 --> n4
    """
    return _Drawing(needs.of_definition(definition)).draw(dump(definition)["steps"])


def label(text: str) -> str:
    r"""Return text as a label: one short line; what Mermaid, HTML or Markdown could read is written out.

    >>> label('a "b" <i>'), label("`x`\n#1"), label("%%{init}%%")
    ('a #quot;b#quot; #lt;i#gt;', '#96;x#96; #35;1', '#37;#37;#123;init#125;#37;#37;')
    """
    plain = " ".join(text.split())
    short = plain if len(plain) <= LONGEST_LABEL else f"{plain[: LONGEST_LABEL - 1]}…"
    return "".join(_ENTITIES.get(character) or _tame(character) for character in short)


_NAMED = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;"}
_ENTITIES = {character: f"#{ord(character)};" for character in "#;`%{}[]|\\*~"} | _NAMED

First = tuple[str, str | None]
"""A node that waits for nothing in its list, and its condition."""


def _tame(character: str) -> str:
    return character if character.isprintable() else f"#92;u{ord(character):04x}"


class _Drawing:
    """Nodes and edges as they are met; edges follow the nodes, as Mermaid puts a node where it first meets it."""

    def __init__(self, waits: Mapping[str, needs.Needs]) -> None:
        self.waits = waits
        self.numbers = count(1)
        self.nodes: list[str] = []
        self.edges: list[str] = []

    def draw(self, steps: Sequence[Mapping[str, Any]]) -> str:
        start = self.name()
        self.nodes.append(f'    {start}(["start"])')
        first, last = self.steps(steps, "    ")
        end = self.name()
        self.nodes.append(f'    {end}(["end"])')
        edges, self.edges = self.edges, []
        for name, condition in first:
            self.edge(start, name, condition)
        self.edges += edges
        for name in last:
            self.edge(name, end, None)
        return "\n".join(["flowchart TD", *self.nodes, *self.edges])

    def name(self) -> str:
        return f"n{next(self.numbers)}"

    def steps(self, steps: Sequence[Mapping[str, Any]], indent: str) -> tuple[list[First], list[str]]:
        """Draw a list; return its nodes that wait for nothing, and those that nothing waits for."""
        names = {step["id"]: self.name() for step in steps}
        needed: set[str] = set()
        first: list[First] = []
        for step in steps:
            name, waits = names[step["id"]], self.waits[step["id"]]
            self.node(step, name, indent)
            known = [need for need in waits.all if need in names]
            for need in known:
                self.edge(names[need], name, step.get("when"), dotted=need in waits.inferred)
            needed.update(known)
            if not known:
                first.append((name, step.get("when")))
        return first, [names[step["id"]] for step in steps if step["id"] not in needed]

    def node(self, step: Mapping[str, Any], name: str, indent: str) -> None:
        title = f'"{label(step.get("name") or step["id"])}"'
        lists = inner_lists(step)
        if not lists:
            before, after = _SHAPES.get(kind_of(step), ("[", "]"))
            self.nodes.append(f"{indent}{name}{before}{title}{after}")
        else:
            self.nodes.append(f"{indent}subgraph {name}[{title}]")
            for keys, entries in lists:
                heading = "".join(span.text for span in branch_words(step, keys))
                inner = indent + "    "
                if heading:
                    self.nodes.append(f'{inner}subgraph {self.name()}["{label(heading)}"]')
                    self.steps(entries, inner + "    ")
                    self.nodes.append(f"{inner}end")
                else:
                    self.steps(entries, inner)
            self.nodes.append(f"{indent}end")
        undo = step.get("compensate")
        if isinstance(undo, Mapping):
            undoing = self.name()
            self.nodes.append(f'{indent}{undoing}>"{label(undo["activity"])}"]')
            self.edges.append(f'    {name} -.->|"undo"| {undoing}')

    def edge(self, source: str, target: str, condition: str | None, *, dotted: bool = False) -> None:
        words = f'|"{label(condition)}"| ' if condition else " "
        self.edges.append(f"    {source} {'-.->' if dotted else '-->'}{words}{target}")
