"""Parsing a template: every problem at once, at its place, before anybody gives it arguments."""

from __future__ import annotations

from typing import Any

import pytest

from workflows_app.engine import templates
from workflows_app.engine.errors import DefinitionInvalid

SOUND: dict[str, Any] = {
    "template": "etl",
    "version": "1.0.0",
    "title": "ETL",
    "category": "data",
    "pattern": "etl",
    "parameters": {
        "source": {"type": "string", "required": True, "description": "where from"},
        "steps": {"type": "array", "default": [], "schema": {"items": {"type": "object"}}},
    },
    "document": {"workflow": "{{ source }}"},
}


def problems(**changed: Any) -> list[tuple[str, str]]:
    with pytest.raises(DefinitionInvalid) as refused:
        templates.parse({**SOUND, **changed})
    assert refused.value.code == "TEMPLATE_INVALID"
    return [(problem.code, problem.path) for problem in refused.value.problems]


def test_a_sound_template_says_what_it_asks_for() -> None:
    parsed = templates.parse(SOUND)

    assert parsed.as_dict()["parameters"] == {
        "source": {"type": "string", "required": True, "description": "where from"},
        "steps": {
            "type": "array",
            "required": False,
            "default": [],
            "description": "",
            "schema": {"items": {"type": "object"}},
        },
    }
    assert (parsed.category, parsed.pattern) == ("data", "etl")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ nobody }}", "TEMPLATE_UNKNOWN_NAME"),
        ("{{ source", "TEMPLATE_SYNTAX"),
        ("{{ source + 1 }}", "TEMPLATE_SYNTAX"),
        ("{{ source.__class__ | upper }}", "TEMPLATE_SYNTAX"),
        ("{{ source() }}", "TEMPLATE_SYNTAX"),
        ("{{}}", "TEMPLATE_SYNTAX"),
        ("{{ 7*7 }}", "TEMPLATE_SYNTAX"),
        ("{{ steps[-1] }}", "TEMPLATE_SYNTAX"),
        ("{{ " + "a" * 400 + " }}", "TEMPLATE_SYNTAX"),
        ("a {{ for x in steps }}", "TEMPLATE_SYNTAX"),
    ],
)
def test_what_is_no_placeholder_is_refused_in_strings_and_in_keys(text: str, code: str) -> None:
    assert problems(document={"a": [text]}) == [(code, "document.a[0]")]
    (found,) = problems(document={text: 1})
    assert found[0] == code


@pytest.mark.parametrize(
    "key",
    [
        "{{ for x }}",
        "{{ for x in }}",
        "{{ for x, x in steps }}",
        "{{ for source in steps }}",
        "{{ if }}",
        "{{ if source == 'a' }}",
        "{{ for x in steps }} and more",
    ],
)
def test_a_key_that_repeats_or_tests_must_be_whole_and_take_new_names(key: str) -> None:
    assert [code for code, _ in problems(document={"a": [{key: ["x"]}]})] == ["TEMPLATE_SYNTAX"]


def test_what_repeats_needs_entries() -> None:
    assert problems(document={"a": [{"{{ for x in steps }}": "{{ x }}"}]}) == [
        ("TEMPLATE_SYNTAX", 'document.a[0]["{{ for x in steps }}"]')
    ]


def test_an_element_is_known_below_its_repetition_and_nowhere_else() -> None:
    inside = {"{{ for x, i in steps }}": ["{{ x.id }}{{ i }}"]}

    assert templates.parse({**SOUND, "document": {"a": [inside]}}).document == {"a": [inside]}
    assert problems(document={"a": [inside, "{{ x.id }}"]}) == [("TEMPLATE_UNKNOWN_NAME", "document.a[1]")]


@pytest.mark.parametrize(
    ("parameter", "code", "path"),
    [
        ({"type": "date"}, "SCHEMA", "parameters.p.type"),
        ({}, "SCHEMA", "parameters.p.type"),
        ({"type": "string", "colour": 1}, "SCHEMA", "parameters.p.colour"),
        ({"type": "string", "default": 1}, "TEMPLATE_DEFAULT_INVALID", "parameters.p.default"),
        ({"type": "number", "default": True}, "TEMPLATE_DEFAULT_INVALID", "parameters.p.default"),
        ({"type": "array", "example": {}}, "TEMPLATE_DEFAULT_INVALID", "parameters.p.example"),
        ({"type": "string", "required": True, "default": "a"}, "TEMPLATE_DEFAULT_INVALID", "parameters.p.default"),
        ({"type": "string", "schema": {"$ref": "http://x.example/s"}}, "REMOTE_REF", "parameters.p.schema.$ref"),
    ],
)
def test_a_parameter_is_checked(parameter: dict[str, Any], code: str, path: str) -> None:
    assert problems(parameters={"p": parameter}, document={"a": 1}) == [(code, path)]


@pytest.mark.parametrize("key", ["template", "version", "title", "category", "pattern", "document"])
def test_what_every_template_has_is_demanded(key: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        templates.parse({name: value for name, value in SOUND.items() if name != key})

    assert [problem.path for problem in refused.value.problems] == [key]


def test_every_problem_is_named_at_once() -> None:
    assert problems(document={"a": "{{ x }}", "b": ["{{ }}", {"{{ if y }}": {}}]}) == [
        ("TEMPLATE_UNKNOWN_NAME", "document.a"),
        ("TEMPLATE_SYNTAX", "document.b[0]"),
        ("TEMPLATE_UNKNOWN_NAME", 'document.b[1]["{{ if y }}"]'),
    ]
