"""Rendering: what stands in the document, what is refused at which place, and what a bomb comes to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows_app.engine import templates
from workflows_app.engine.errors import Refused

EACH, EACH_PLAN, IF = "{{ for x in lines }}", "{{ for x in plan }}", "{{ if flag }}"
TYPES = {"text": "string", "amount": "number", "flag": "boolean", "lines": "array", "plan": "object"}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def template(document: Any, **parameters: Any) -> templates.Template:
    given = parameters or {name: {"type": kind} for name, kind in TYPES.items()}
    whole = {"template": "t", "version": "1.0.0", "title": "T", "category": "c", "pattern": "p"}
    return templates.parse({**whole, "parameters": given, "document": {"at": document}})


def render(document: Any, arguments: dict[str, Any], **limits: int) -> Any:
    return templates.render(template(document), arguments, **limits)["at"]


def refusal(document: Any, arguments: dict[str, Any], **limits: int) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        templates.render(template(document), arguments, **limits)
    (problem,) = refused.value.problems
    assert refused.value.code == problem.code
    return problem.code, problem.path


@given(JSON)
def test_a_placeholder_alone_keeps_the_type_of_its_value(value: Any) -> None:
    assert json.dumps(render("{{ plan.x }}", {"plan": {"x": value}})) == json.dumps(value)


@given(TEXT)
def test_what_a_value_holds_is_never_read_as_a_placeholder(value: str) -> None:
    tricky = value + "{{ amount }}{{ for x in lines }}${ input }"

    assert render({"a": "<{{ text }}>", "k": "{{ text }}"}, {"text": tricky}) == {"a": f"<{tricky}>", "k": tricky}


@pytest.mark.parametrize(
    ("document", "arguments", "rendered"),
    [
        ("a {{ text }} {{ amount }} {{ flag }}", {"text": "b", "amount": 1.5, "flag": True}, "a b 1.5 true"),
        ({"k_{{ text }}": 1}, {"text": "b"}, {"k_b": 1}),
        ({"{{ amount }}": 1}, {"amount": 7}, {"7": 1}),
        ("{{ plan.lines[1].sku }}", {"plan": {"lines": [{}, {"sku": "x"}]}}, "x"),
        ([["{{ lines[0] }}"]], {"lines": [[1]]}, [[[1]]]),
        ("${ input.x > {{ amount }} }", {"amount": 3}, "${ input.x > 3 }"),
        ("vars.kind == {{ text | json }}", {"text": 'a"b'}, 'vars.kind == "a\\"b"'),
        ("in {{ lines | json }}", {"lines": [1, None]}, "in [1, null]"),
        ("{{{{ text }}", {}, "{{ text }}"),
        ("$${ {{ text }} }", {"text": "x"}, "$${ x }"),
        ({"a": "{{ text? }}", "b": 1}, {}, {"b": 1}),
        (["{{ text? }}", 1], {}, [1]),
        ({"{{ text? }}": 1}, {}, {}),
        ("a{{ text? }}b", {}, "ab"),
        ({"a": "{{ plan.x? }}"}, {"plan": {"x": None}}, {"a": None}),
        ([{"{{ for x, i in lines }}": ["{{ i }}", "{{ x }}"]}, "z"], {"lines": ["a", "b"]}, [0, "a", 1, "b", "z"]),
        ([{"{{ for line in lines }}": {"id": "{{ line }}"}}], {"lines": ["a", "b"]}, [{"id": "a"}, {"id": "b"}]),
        ({"{{ for line in lines }}": {"{{ line }}": 1}, "x": 2}, {"lines": ["a", "b"]}, {"a": 1, "b": 1, "x": 2}),
        (
            [{"{{ for row in lines }}": [{"{{ for cell in row.cells }}": ["{{ row.n }}{{ cell }}"]}]}],
            {"lines": [{"n": 1, "cells": ["a", "b"]}, {"n": 2, "cells": ["c"]}]},
            ["1a", "1b", "2c"],
        ),
        ([{"{{ for line in plan.lines? }}": ["x"]}], {"plan": {}}, []),
        ({"{{ if flag }}": {"a": 1}, "{{ unless flag }}": {"b": 1}}, {"flag": False}, {"b": 1}),
        ({"{{ if text is fast }}": {"a": 1}, "{{ unless text is fast }}": {"b": 1}}, {"text": "fast"}, {"a": 1}),
        ([{"{{ if lines }}": ["x"]}, {"{{ if text }}": ["y"]}], {"lines": []}, []),
        ([{"{{ if amount is 3 }}": ["z"]}, {"{{ unless amount is 3 }}": ["y"]}], {"amount": 3}, ["z"]),
    ],
)  # fmt: skip
def test_what_is_written_becomes_what_is_meant(document: Any, arguments: dict[str, Any], rendered: Any) -> None:
    assert json.dumps(render(document, arguments)) == json.dumps(rendered)


@pytest.mark.parametrize(
    ("document", "arguments", "code", "path"),
    [
        ({"a": ["{{ text }}"]}, {}, "TEMPLATE_PARAMETER_MISSING", "document.at.a[0]"),
        ("x {{ text }}", {}, "TEMPLATE_PARAMETER_MISSING", "document.at"),
        ("{{ plan.a.b }}", {"plan": {"a": {}}}, "TEMPLATE_VALUE_MISSING", "document.at"),
        ("{{ lines[2] }}", {"lines": [1]}, "TEMPLATE_VALUE_MISSING", "document.at"),
        ("{{ plan[0] }}", {"plan": {"0": 1}}, "TEMPLATE_VALUE_MISSING", "document.at"),
        ("x {{ plan }}", {"plan": {}}, "TEMPLATE_VALUE_NOT_TEXT", "document.at"),
        ({"{{ lines }}": 1}, {"lines": []}, "TEMPLATE_VALUE_NOT_TEXT", 'document.at["{{ lines }}"]'),
        ([{EACH_PLAN: ["a"]}], {"plan": {}}, "TEMPLATE_NOT_A_LIST", f'document.at[0]["{EACH_PLAN}"]'),
        ({EACH: {"k": 1}}, {"lines": [1, 2]}, "TEMPLATE_DUPLICATE_KEY", f'document.at["{EACH}"].k'),
        ({IF: ["k"], "b": 1}, {"flag": True}, "TEMPLATE_ENTRIES_MISPLACED", f'document.at["{IF}"]'),
        ("x", {"text": 1}, "TEMPLATE_PARAMETER_TYPE", "parameters.text"),
        ("x", {"flag": "true"}, "TEMPLATE_PARAMETER_TYPE", "parameters.flag"),
        ("x", {"amount": True}, "TEMPLATE_PARAMETER_TYPE", "parameters.amount"),
        ("x", {"amuont": 1}, "TEMPLATE_PARAMETER_UNKNOWN", "parameters.amuont"),
        ("x", {"amount": float("nan")}, "NOT_JSON", "parameters.amount"),
        ("x", {"amount": 2**70}, "INTEGER_RANGE", "parameters.amount"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_place_and_the_reason(
    document: Any, arguments: dict[str, Any], code: str, path: str
) -> None:
    assert refusal(document, arguments) == (code, path)


def test_every_missing_parameter_is_named_at_once_with_what_it_is_for() -> None:
    asked = template(
        "x",
        a={"type": "string", "required": True, "description": "the source"},
        b={"type": "array", "required": True},
    )

    with pytest.raises(Refused) as refused:
        templates.render(asked, {})

    assert refused.value.code == "TEMPLATE_PARAMETER_MISSING"
    assert [(problem.path, problem.message) for problem in refused.value.problems] == [
        ("parameters.a", "is required: the source"),
        ("parameters.b", "is required"),
    ]


def test_a_default_stands_for_what_is_not_given_also_null_free_and_falsy_ones() -> None:
    made = template(["{{ a }}", "{{ b }}"], a={"type": "number", "default": 0}, b={"type": "array", "default": []})

    assert templates.render(made, {}) == {"at": [0, []]}
    assert templates.render(made, {"a": 1}) == {"at": [1, []]}


def test_an_argument_must_meet_the_schema_of_its_parameter() -> None:
    made = template("{{ mode }}", mode={"type": "string", "schema": {"enum": ["fast", "slow"]}})

    assert templates.render(made, {"mode": "fast"}) == {"at": "fast"}
    with pytest.raises(Refused, match=r"parameters\.mode"):
        templates.render(made, {"mode": "quick"})


NESTED = [
    {"{{ for a in lines }}": [{"{{ for b in lines }}": [{"{{ for c in lines }}": [{"{{ for d in lines }}": []}]}]}]}
]


@pytest.mark.parametrize(
    ("document", "arguments"),
    [
        (NESTED, {"lines": [1] * 1000}),
        ([{"{{ for a in lines }}": ["{{ lines }}"]}], {"lines": ["x" * 50] * 1000}),
        ([{"{{ for a in lines }}": ["{{ text }}{{ text }}"]}], {"lines": [1] * 500, "text": "x" * 5000}),
        ("{{ text }}" * 300, {"text": "x" * 50_000}),
        ([{EACH: [{"{{ for y in lines }}": [{"{{ if x }}": ["x"]}]}]}], {"lines": [[]] * 2000}),
        ("{{ lines | json }} {{ lines | json }}", {"lines": ["x" * 300_000]}),
    ],
)  # fmt: skip
def test_a_bomb_is_refused_before_it_grows(document: Any, arguments: dict[str, Any]) -> None:
    code, path = refusal(document, arguments, limit_bytes=500_000)

    assert code == "TEMPLATE_TOO_LARGE"
    assert path.startswith("document.at")


def test_an_argument_that_is_too_large_or_too_deep_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(150):
        deep = [deep]

    assert refusal("x", {"text": "x" * 1000}, limit_bytes=500) == ("TOO_LARGE", "parameters")
    assert refusal("x", {"lines": deep})[0] == "TOO_DEEP"


def test_arguments_that_nest_deeply_where_they_stand_are_refused() -> None:
    fits: Any = 1
    for _ in range(80):
        fits = [fits]
    place: Any = "{{ plan.x }}"
    for _ in range(40):
        place = {"a": place}

    assert refusal(place, {"plan": {"x": fits}})[0] == "TEMPLATE_TOO_DEEP"


def test_neither_the_template_nor_the_arguments_are_changed() -> None:
    document = [{"{{ for line in lines }}": [{"id": "{{ line.id }}", "all": "{{ lines }}"}]}]
    arguments = {"lines": [{"id": "a"}]}
    before = json.dumps([document, arguments])

    render(document, arguments)

    assert json.dumps([document, arguments]) == before
