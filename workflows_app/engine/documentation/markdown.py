"""The page as Markdown (CommonMark with GitHub's tables), in which no text of a definition can be anything but text.

Prose: whatever could begin markup is written as a character reference or behind a backslash, and angle brackets and
ampersands always as references, as not every reader of Markdown honours a backslash before them. Code: a fence is
longer than any run of backticks inside. Lines: only code has several; what cannot be printed, as a character that
turns the direction of writing, is spelled out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from workflows_app.engine.documentation.fields import Field
from workflows_app.engine.documentation.page import Page
from workflows_app.engine.documentation.spans import Block, Fact, Sentence
from workflows_app.engine.documentation.steps import Section

_REFERENCES = {character: f"&#{ord(character)};" for character in "<>&|${}@"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_BACKSLASHED = frozenset("\\`*_[]#~!")
_BEGINS = re.compile(r"^(?:[-+=:]|\d+[.)])")
_ADDRESS = re.compile(r"(?i)(?<![a-z])(https?|ftp|mailto|xmpp|www)([:.])")
_RUNS = re.compile(r"`+")
DEEPEST_HEADING = 6


def markdown(page: Page) -> str:
    """Return a page as Markdown text that ends with a line feed."""
    parts = [f"# {prose(page.title)}"]
    if page.purpose:
        parts.append(prose(page.purpose))
    parts.append("\n".join(_facts(page.facts)))
    parts += ["## Diagram", fenced(page.diagram, "mermaid")]
    parts.append("## Input")
    parts.append("\n".join(_table(page.input)) if page.input else "Any input is taken.")
    if page.input and page.input_schema:
        parts += ["The whole schema:", fenced(page.input_schema, "yaml")]
    elif page.input_schema:
        parts[-1] = "The input meets this schema:"
        parts.append(fenced(page.input_schema, "yaml"))
    if page.variables:
        parts += ["## Variables", fenced(page.variables, "yaml")]
    parts.append(f"## {page.parts}")
    for section in page.steps:
        parts += _section(section)
    parts += ["## Output", fenced(page.output, "yaml") if page.output else "The instance has no output."]
    return "\n\n".join(parts) + "\n"


def prose(text: str) -> str:
    r"""Return text as prose of one line.

    >>> print(prose("<b>*bold*</b> [x](javascript:1)"))
    &lt;b&gt;\*bold\*&lt;/b&gt; \[x\](javascript:1)
    >>> print(prose("1. one"), prose("- two"), prose("see https://example.com"))
    1\. one \- two see https&#58;//example.com
    """
    return _BEGINS.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", _escaped(text))


def _escaped(text: str) -> str:
    line = _tame(" ".join(text.split()))
    escaped = "".join(_REFERENCES.get(c) or (f"\\{c}" if c in _BACKSLASHED else c) for c in line)
    return _ADDRESS.sub(lambda found: f"{found[1]}&#{ord(found[2])};", escaped)


def inline(text: str, *, in_table: bool = False) -> str:
    r"""Return text as code inside a line.

    >>> print(inline("a `b`\nc"), inline("a|b", in_table=True))
    `` a `b` c `` `a\|b`
    """
    line = _tame(" ".join(text.split()))
    if not line:
        return ""
    if in_table:
        line = line.replace("|", "\\|")
    fence = "`" * (max((len(run) for run in _RUNS.findall(line)), default=0) + 1)
    space = " " if "`" in (line[0], line[-1]) or len(fence) > 1 else ""
    return f"{fence}{space}{line}{space}{fence}"


def fenced(text: str, language: str) -> str:
    """Return text as a block of code."""
    fence = "`" * max(3, *(len(run) + 1 for run in _RUNS.findall(text)), 3)
    lines = "\n".join(_tame(line) for line in text.rstrip("\n").split("\n"))
    return f"{fence}{language}\n{lines}\n{fence}"


def _tame(line: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _sentence(says: Sentence) -> str:
    pieces = (inline(span.text) if span.code else _inner(span.text, begins=not n) for n, span in enumerate(says))
    return "".join(pieces)


def _inner(text: str, *, begins: bool) -> str:
    """Return prose inside a sentence, with the spaces at its ends; only what begins a line can begin a list."""
    before, after = " " * text.startswith(" "), " " * (text.endswith(" ") and len(text.strip()) > 0)
    return f"{before}{prose(text) if begins else _escaped(text)}{after}"


def _facts(facts: tuple[Fact, ...]) -> Iterator[str]:
    for fact in facts:
        yield f"- **{prose(fact.label)}:** {_sentence(fact.says)}"


def _table(rows: tuple[Field, ...]) -> Iterator[str]:
    yield "| name | type | required | default | description |"
    yield "| --- | --- | --- | --- | --- |"
    for row in rows:
        words = "; ".join(prose(part) for part in (row.description, row.bounds) if part)
        cells = (inline(row.name, in_table=True), prose(row.type), "yes" if row.required else "no")
        yield f"| {' | '.join((*cells, inline(row.default, in_table=True), words))} |"


def _section(section: Section) -> list[str]:
    level = "#" * min(3 + section.depth, DEEPEST_HEADING)
    if section.heading:
        return [f"{level} {section.number} {_sentence(section.heading)}"]
    name = f" {inline(section.id)}" if section.title != section.id else ""
    parts = [f"{level} {section.number} {prose(section.title)}{name}", _sentence(section.does)]
    if section.description:
        parts.append(prose(section.description))
    parts.append("\n".join(_facts(section.facts)))
    parts += [part for block in section.blocks for part in _block(block)]
    return [part for part in parts if part]


def _block(block: Block) -> list[str]:
    return [f"{prose(block.label)}:", fenced(block.text, "yaml")]
