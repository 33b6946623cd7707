"""The dialect's schema of schemas in one piece finds the same faults at the same places as its seven vocabularies."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema_specifications import REGISTRY

from workflows_app.engine.schemas import check_schema
from workflows_app.engine.schemas.rules import dialect

AS_PUBLISHED = Draft202012Validator(Draft202012Validator.META_SCHEMA)
PUBLISHED = [contents for uri in REGISTRY if "2020-12" in uri and (contents := REGISTRY.contents(uri))]
KEYWORDS = st.sampled_from(sorted({keyword for each in PUBLISHED for keyword in each.get("properties", {})}))
PLAIN = st.sampled_from([None, True, False, 0, -1, 1.5, "", "a", "object", "#/a", "^a$", [], {}, ["a", "a"], ["a", 1]])
SCHEMAS = st.recursive(
    st.dictionaries(KEYWORDS, PLAIN, max_size=3),
    lambda inner: st.dictionaries(
        KEYWORDS,
        inner | PLAIN | st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        max_size=4,
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS)
def test_both_find_the_same_faults_at_the_same_places(schema):
    in_one_piece = Draft202012Validator(dialect())

    def places(validator):
        return {(tuple(error.absolute_path), error.message) for error in validator.iter_errors(schema)}

    assert places(in_one_piece) == places(AS_PUBLISHED)


def test_what_the_dialect_forbids_is_found_once_at_any_depth():
    schema = {"properties": {"a": {"items": {"type": "nothing"}}}, "allOf": [{"minLength": -1}]}

    found = [(problem.code, problem.path) for problem in check_schema(schema)]

    assert sorted(found) == [
        ("INVALID_SCHEMA", "input.allOf[0].minLength"),
        ("INVALID_SCHEMA", "input.properties.a.items.type"),
    ]
