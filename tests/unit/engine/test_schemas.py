"""JSON Schema: exact places, words for people, and no schema that fetches, hangs or never ends."""

import socket
import time

import pytest

from workflows_app.engine import schemas
from workflows_app.engine.schemas import check_schema, validate

ORDER = {
    "type": "object",
    "required": ["id", "lines"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^[A-Z]+-[0-9]+$", "maxLength": 10},
        "lines": {
            "type": "array",
            "minItems": 1,
            "items": {"required": ["sku"], "properties": {"sku": {"type": "string"}, "count": {"minimum": 1}}},
        },
        "tags": {"type": "array", "uniqueItems": True},
        "kind": {"enum": ["express", "normal"]},
    },
}


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"lines": [{"sku": "a"}]}, "input.id", "is missing"),
        ({"id": 5, "lines": [{"sku": "a"}]}, "input.id", "must be text, found the number 5"),
        ({"id": "x", "lines": [{"sku": "a"}]}, "input.id", "must match the pattern"),
        ({"id": "A-1", "lines": []}, "input.lines", "must not be empty"),
        ({"id": "A-1", "lines": [{}, {"sku": 1}]}, "input.lines[0].sku", "is missing"),
        ({"id": "A-1", "lines": [{"sku": "a", "count": 0}]}, "input.lines[0].count", "must be at least 1"),
        ({"id": "A-1", "lines": [{"sku": "a"}], "tagz": []}, "input.tagz", "did you mean `tags`"),
        ({"id": "A-1", "lines": [{"sku": "a"}], "tags": [{"a": 1}, 2, {"a": 1.0}]}, "input.tags[2]", "repeats entry 0"),
        ({"id": "A-1", "lines": [{"sku": "a"}], "kind": "expres"}, "input.kind", "did you mean `express`"),
        ([], "input", "must be a mapping, found a list"),
    ],
)
def test_a_refusal_names_the_exact_place_and_the_reason(value, path, message):
    problems = validate(value, ORDER)
    assert any(problem.path == path and message in problem.message for problem in problems), problems


def test_all_faults_of_a_value_are_listed_at_once():
    problems = validate({"id": 1, "lines": [{}], "x": 1}, ORDER)
    assert {problem.path for problem in problems} == {"input.id", "input.lines[0].sku", "input.x"}


def test_the_list_of_faults_is_bounded_and_says_so():
    problems = validate(["x"] * 1000, {"items": {"type": "integer"}})
    assert len(problems) == 51
    assert "more problems" in problems[-1].message


def test_messages_stay_short_for_huge_values():
    problems = validate({"a": "x" * 10**6}, {"properties": {"a": {"type": "integer"}}, "maxProperties": 0})
    assert all(len(problem.message) < 300 for problem in problems)


def test_an_alternative_is_explained_by_the_one_that_was_meant():
    schema = {"anyOf": [{"enum": ["all", "any"]}, {"type": "object", "required": ["at_least"]}]}
    assert [problem.path for problem in validate({}, schema)] == ["input.at_least"]
    assert "one of all, any" in validate("al", schema)[0].message


@pytest.mark.parametrize(
    ("schema", "code", "path"),
    [
        ({"$ref": "http://example.com/s.json"}, "REMOTE_REF", "input.$ref"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "REMOTE_REF", "input.properties.a.$ref"),
        ({"$dynamicRef": "other.json#a"}, "REMOTE_REF", "input.$dynamicRef"),
        ({"$ref": "#/$defs/nowhere"}, "UNKNOWN_REF", "input.$ref"),
        ({"$ref": "#"}, "REF_CYCLE", "input"),
        ({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}, "REF_CYCLE", "input.$defs.a"),
        ({"pattern": "(?=x)y"}, "UNSUPPORTED_PATTERN", "input.pattern"),
        ({"pattern": "("}, "UNSUPPORTED_PATTERN", "input.pattern"),
        ({"patternProperties": {"(?<!a)b": {}}}, "UNSUPPORTED_PATTERN", 'input.patternProperties["(?<!a)b"]'),
        ({"type": "strin"}, "INVALID_SCHEMA", "input.type"),
        ({"properties": {"a": 3}}, "INVALID_SCHEMA", "input.properties.a"),
        ({"required": "a"}, "INVALID_SCHEMA", "input.required"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "INVALID_SCHEMA", "input.$schema"),
        (
            {"items": {"$schema": "http://json-schema.org/draft-07/schema#"}},
            "INVALID_SCHEMA",
            "input.items.$schema",
        ),
        ({"items": {"$id": "http://example.com/"}}, "INVALID_SCHEMA", "input.items.$id"),
        ("a string", "INVALID_SCHEMA", "input"),
        (None, "INVALID_SCHEMA", "input"),
        ({"const": float("nan")}, "INVALID_SCHEMA", "input.const"),
        ({"enum": ["x" * 300_000]}, "INVALID_SCHEMA", "input"),
    ],
)
def test_an_unsound_schema_is_refused_with_its_place(schema, code, path):
    problems = check_schema(schema)
    assert [(problem.code, problem.path) for problem in problems] == [(code, path)]


def test_a_schema_is_refused_beyond_its_depth():
    schema = {}
    for _ in range(60):
        schema = {"items": schema}
    assert "levels deep" in check_schema(schema)[0].message


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        ORDER,
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:x", "type": "object"},
        {"$defs": {"tree": {"properties": {"left": {"$ref": "#/$defs/tree"}}}}, "$ref": "#/$defs/tree"},
        {"$defs": {"a": {"$anchor": "here"}}, "$ref": "#here"},
        {"enum": [{"$ref": "http://example.com"}], "examples": [{"pattern": "("}]},
        {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}},
        {"$defs": {"a/b~c": {}}, "$ref": "#/$defs/a~1b~0c"},
    ],
)
def test_a_sound_schema_is_accepted(schema):
    assert check_schema(schema) == []


def test_nothing_is_ever_fetched(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert check_schema({"$ref": "https://example.com/s.json"})


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^(a+)+$"},
        {"properties": {"$schema": True}, "items": {"pattern": "(a*)*b"}},
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "items": {"$ref": "#/$defs/p"},
            "$defs": {"p": {"pattern": "^(a|aa)+$"}},
        },
        {"patternProperties": {"^(a+)+$": False}, "additionalProperties": False},
    ],
)
def test_a_catastrophic_pattern_ends_at_once(schema):
    evil = "a" * 5000 + "!"
    started = time.process_time()
    for value in (evil, [evil], {evil: 1}):
        validate(value, schema)
    assert check_schema(schema) == []
    assert time.process_time() - started < 10


def test_a_schema_that_multiplies_work_stops_at_its_budget():
    parts = {"a0": {"type": "integer"}}
    for level in range(1, 31):
        parts[f"a{level}"] = {"allOf": [{"$ref": f"#/$defs/a{level - 1}"}] * 2}
    schema = {"$defs": parts, "$ref": "#/$defs/a30"}
    assert check_schema(schema) == []
    assert [problem.code for problem in validate(1, schema)] == ["SCHEMA_LIMIT"]


def test_a_recursive_schema_copes_with_the_deepest_value():
    value = {}
    for _ in range(98):
        value = {"next": value}
    schema = {"properties": {"next": {"$ref": "#"}}, "additionalProperties": False}
    assert validate(value, schema) in ([], [p for p in validate(value, schema) if p.code == "SCHEMA_LIMIT"])


def test_equality_follows_json_and_not_python():
    assert validate([1, True, 0, False, "1", None], {"uniqueItems": True}) == []
    assert validate([1, 1.0], {"uniqueItems": True})
    assert validate(True, {"enum": [1]})


def test_unknown_values_pass_and_known_ones_are_still_checked():
    value = {"id": schemas.ANYTHING, "lines": [{"sku": 5}], "kind": schemas.ANYTHING, "tags": [1, schemas.ANYTHING]}
    found = list(schemas.explain(value, ORDER, partial=True))
    assert [failure.keys for failure in found] == [("lines", 0, "sku")]


def test_alternatives_that_only_runtime_decides_pass():
    schema = {
        "oneOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"a": {"const": 2}}}],
        "not": {"required": ["b"]},
    }
    assert list(schemas.explain({"a": schemas.ANYTHING}, schema, partial=True)) == []
