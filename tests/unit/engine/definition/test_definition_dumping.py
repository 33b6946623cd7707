"""Dumping: parse ∘ dump changes nothing, and what is dumped is plain, short and loadable."""

import json

import yaml
from hypothesis import given, settings

from tests.strategies.definitions import definitions, documents
from workflows_app.engine import definition
from workflows_app.engine.schemas import validate


@given(definitions(events=True, people=True))
@settings(max_examples=150, deadline=None)
def test_parsing_a_dump_gives_the_same_definition(drawn):
    assert definition.parse(definition.dump(drawn)) == drawn


@given(definitions(max_steps=6, events=True, people=True))
@settings(max_examples=40, deadline=None)
def test_a_dump_survives_json_and_yaml(drawn):
    dumped = definition.dump(drawn)
    assert definition.load(json.dumps(dumped)) == dumped
    assert definition.parse(definition.load(yaml.safe_dump(dumped, allow_unicode=True))) == drawn


@given(documents(max_steps=5, events=True, people=True))
@settings(max_examples=30, deadline=None)
def test_what_parses_is_valid_under_the_published_schema(document):
    dumped = definition.dump(definition.parse(document))
    assert validate(document, definition.language_schema()) == []
    assert validate(dumped, definition.language_schema()) == []


def test_a_dump_leaves_out_what_the_document_left_out():
    document = {
        "workflow": "a",
        "version": "1.0.0",
        "steps": [
            {"id": "x", "activity": "core.echo", "with": {"a": 1}},
            {"id": "c", "needs": [], "choice": [{"when": "true", "steps": [{"id": "y", "return": {}}]}]},
            {"id": "w", "wait": {"for": "2d"}},
        ],
    }
    assert definition.dump(definition.parse(document)) == document
