"""YAML for people: whatever a document holds, the text is read back as the same document."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies.definitions import documents
from workflows_app.engine import definition
from workflows_app.engine.definition.yaml_writing import write_yaml

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00")) | st.text(" \n\t#:-'\"|>ab", max_size=30)
LOOKALIKES = st.from_regex(r"[-+]?[0-9.]{0,3}([eExXo_:-][-+]?[0-9]{0,3})?", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS | LOOKALIKES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | LOOKALIKES, inner, max_size=3),
)  # fmt: skip


def exact(document: object) -> str:
    """JSON with the order of keys, in which 1, 1.0 and true differ."""
    return json.dumps(document)


@given(documents(events=True, people=True))
@settings(max_examples=100, deadline=None)
def test_a_published_document_is_read_back_as_it_is(document):
    stored = definition.dump(definition.parse(document))

    assert exact(definition.load(write_yaml(stored))) == exact(stored)


@given(VALUES)
@settings(max_examples=500, deadline=None)
def test_every_value_is_read_back_as_it_is(value):
    document = {"workflow": "w", "metadata": {"value": value, "list": [value]}}

    assert exact(definition.load(write_yaml(document))) == exact(document)


@pytest.mark.parametrize(
    "text",
    ["yes", "on", "null", "~", "", "012", "089", "0o17", "0x1F", "1e3", "1.", ".5", "-.inf", "1_000", "12:30",
     "2026-01-31", "<<", "=", "- a", "a: b", "# a", "${ input.a }", " a", "a ", "a\n", "\na", " a\nb", "a\n b\n\n",
     "a\tb", "\x85", "\u2028", "\ufeff", "\x1b[2J", "😀", "word " * 50, "x" * 300, "a\n" + "word " * 50],
)  # fmt: skip
def test_text_stays_text(text):
    document = {"workflow": "w", text: text, "list": [text, {text: [text]}]}

    assert exact(definition.load(write_yaml(document))) == exact(document)


def test_a_document_reads_like_one_that_people_write():
    document = {
        "workflow": "order",
        "version": "1.0.0",
        "description": "First line.\nSecond line.",
        "steps": [
            {"id": "a", "activity": "core.echo", "with": {"text": "Hello ${ input.name }", "none": {}}},
            {"id": "b", "needs": [], "wait": {"for": "2h"}},
        ],
    }

    assert write_yaml(document) == (
        "workflow: order\n"
        "version: 1.0.0\n"
        "description: |-\n"
        "  First line.\n"
        "  Second line.\n"
        "steps:\n"
        "  - id: a\n"
        "    activity: core.echo\n"
        "    with:\n"
        "      text: Hello ${ input.name }\n"
        "      none: {}\n"
        "  - id: b\n"
        "    needs: []\n"
        "    wait:\n"
        "      for: 2h\n"
    )


def test_what_occurs_twice_is_written_twice():
    shared = {"a": 1}

    assert "&" not in write_yaml({"one": shared, "two": shared})
