"""The page as Markdown: complete, and without a text in a definition that becomes anything but text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.strategies import joins
from tests.strategies.definitions import definitions
from workflows_app.engine import definition
from workflows_app.engine.documentation import describe, diagram, markdown
from workflows_app.engine.documentation.diagram import label
from workflows_app.engine.documentation.markdown import inline, prose

NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "<https://evil.example>",
    "see https://evil.example and www.evil.example",
    "&lt;script&gt;",
    "# a heading",
    "- an entry",
    "1. an entry",
    "> a quotation",
    "---",
    "===",
    "    indented",
    "a\n\n# new\n\n```\nfence",
    "```\n<b>\n```",
    "`code` ``two``",
    "| a | b |",
    "**bold** _it_ ~~no~~",
    "[ref]: http://evil.example",
    "[^1]: note",
    "{{7*7}} {% include 'x' %} $x^2$",
    "\u202egnp.exe \x1b[2J",
    "ends with a backslash \\",
    "<!-- comment",
    ":::danger",
    "end",
    'n1"]; click n1 "javascript:alert(1)"',
    "%%{init: {'securityLevel': 'loose'}}%%",
]
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = {"paragraph", "heading", "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td", "strong"}
ALONE = {"inline", "text", "code_inline", "fence", "softbreak"}


def page(**document: Any) -> str:
    whole = {"workflow": "w", "version": "1.0.0", "steps": [{"id": "a", "activity": "core.echo"}]}
    return markdown(describe(definition.parse({**whole, **document})))


def tokens(text: str) -> list[Token]:
    found: list[Token] = []
    for token in READER.parse(text):
        found += [token, *(token.children or ())]
    return found


def kinds(text: str) -> list[str]:
    return [token.type for token in tokens(text)]


def hostile(text: str) -> dict[str, Any]:
    line = text[:200]
    return {
        "title": line,
        "description": text,
        "metadata": {"owner": text, line: [text, text]},
        "input": {
            "type": "object",
            "properties": {line: {"type": "string", "description": text, "default": text, "enum": [text]}},
        },
        "variables": {"v": text},
        "steps": [
            {
                "id": "a",
                "name": line,
                "description": text,
                "notes": text,
                "when": f"input.x == {json.dumps(text)}",
                "activity": "core.echo",
                "with": {line: text},
            },
            {"id": "pick", "choice": [{"when": text, "steps": [{"id": "b", "fail": {"code": "X", "message": text}}]}]},
        ],
        "output": {line: text},
    }  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_no_text_of_a_definition_becomes_markup(text: str) -> None:
    plain, nasty = page(**hostile("plain")), page(**hostile(text))

    assert kinds(nasty).count("fence") == kinds(plain).count("fence")
    assert [kind for kind in kinds(nasty) if "heading" in kind] == [kind for kind in kinds(plain) if "heading" in kind]
    for kind in kinds(nasty):
        assert kind in ALONE or kind.removesuffix("_open").removesuffix("_close") in OURS, kind
    assert "\x1b" not in nasty
    assert "\u202e" not in nasty


@given(st.text())
def test_prose_reads_as_it_was_written(text: str) -> None:
    found = tokens(f"{prose(text)} end")

    shown = "".join(token.content for token in found if token.type == "text")
    assert {token.type for token in found} == {"paragraph_open", "inline", "text", "paragraph_close"}
    if text.isprintable():
        assert shown == " ".join([*text.split(), "end"]) or not text.split()


@given(st.text(alphabet=st.sampled_from("`a |\\*<\n")))
def test_code_in_a_line_reads_as_it_was_written(text: str) -> None:
    found = [token.content for token in tokens(f"x {inline(text)} y") if token.type == "code_inline"]

    assert found == ([" ".join(text.split())] if text.split() else [])


def test_addresses_in_prose_are_not_linked_by_readers_that_look_for_them() -> None:
    assert not re.search(r"https?://|www\.", prose("http://a.example HTTPS://b www.c.example"))


def test_a_page_says_what_the_definition_says() -> None:
    text = page(
        title="Booking",
        description="Books a journey.",
        metadata={"owner": "sales", "data_sensitivity": "internal"},
        timeout="1d",
        defaults={"timeout": "15s", "retry": {"max_attempts": 4, "when": "error.code == 'X'"}},
        input={"type": "object", "required": ["city"], "properties": {"city": {"type": "string", "minLength": 2}}},
        steps=[
            {"id": "hotel", "activity": "core.echo", "compensate": {"activity": "core.log", "with": {"message": "x"}}},
            {
                "id": "size",
                "choice": [
                    {"when": "input.city == 'Rome'", "steps": [{"id": "wait_here", "wait": {"for": "2d"}}]},
                    {"steps": [{"id": "stop", "fail": {"code": "NO_SUCH_PLACE"}}]},
                ],
            },
            {"id": "tell", "needs": ["hotel"], "activity": "core.log", "on_error": "continue", "deadline": "5m"},
        ],
        output={"hotel": "${ steps.hotel.output }"},
    )  # fmt: skip

    for said in (
        "# Booking",
        "Books a journey.",
        "- **Owner:** sales",
        "- **Data sensitivity:** internal",
        "- **On failure:** what completed is undone",
        "| `city` | string | yes |  | from 2 characters on |",
        "### 1 hotel",
        "- **Time-out:** 15s an attempt",
        "- **Undone by:** performs `core.log`",
        "#### 2.1 When `input.city == 'Rome'`",
        "##### 2.1.1 wait\\_here",
        "#### 2.2 Otherwise",
        "Ends the instance as failed with `NO_SUCH_PLACE`.",
        "- **Follows:** `hotel`",
        "- **On error:** the step counts as failed and the instance goes on",
        "- **Deadline:** 5m, attempts and pauses together",
        "only if `error.code == 'X'`",
        "hotel: ${ steps.hotel.output }",
    ):
        assert said in text


@given(definitions() | joins.joining())
def test_every_definition_has_a_page_with_each_of_its_steps(drawn: definition.Definition) -> None:
    described = describe(drawn)

    ids = {section.id for section in described.steps if section.id}
    assert ids == {step["id"] for _, step in definition_steps(drawn)}
    assert markdown(described).endswith("\n")


def definition_steps(drawn: definition.Definition) -> Any:
    from workflows_app.engine.definition.shape import walk

    return walk(definition.dump(drawn)["steps"], ())


@given(definitions() | joins.joining())
def test_every_diagram_is_balanced_and_names_only_its_own_nodes(drawn: definition.Definition) -> None:
    lines = [line.strip() for line in diagram(drawn).splitlines()]

    assert lines[0] == "flowchart TD"
    assert sum(line.startswith("subgraph ") for line in lines) == lines.count("end")
    made = {found[1] for line in lines if (found := re.match(r"(?:subgraph )?(n\d+)\W", line)) and "--" not in line}
    for line in lines:
        if edge := re.fullmatch(r'(n\d+) (?:-->|-\.->)(?:\|"[^"]*"\|)? (n\d+)', line):
            assert {edge[1], edge[2]} <= made


@pytest.mark.parametrize("text", NASTY)
def test_a_label_ends_nowhere_but_at_its_end(text: str) -> None:
    assert not re.search(r'["<>\n`%{}\[\]|]', label(text))
    assert label(text).isprintable()


def test_deep_and_circular_schemas_end() -> None:
    circle = {"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}
    itself = {"properties": {"a": {"$ref": "#/properties/a"}}}
    wide = {"properties": {f"p{number}": {"type": "string"} for number in range(1000)}}

    assert "Any input" not in page(input=itself)
    assert page(input=circle)
    assert page(input=wide).count("\n| `p") == 200
