"""Types of secrets: what each accepts, what a step gets, and refusals that never repeat the value."""

from __future__ import annotations

import pytest

from workflows_app.engine import credentials
from workflows_app.engine.credentials import SecretInvalid, SecretType


@pytest.mark.parametrize(
    ("kind", "text", "value", "in_text"),
    [
        ("text", "two words\nand a line", "two words\nand a line", "two words\nand a line"),
        ("token", "abc.DEF-123", "abc.DEF-123", "abc.DEF-123"),
        ("basic", "ada:a:b c d", {"username": "ada", "password": "a:b c d"}, "YWRhOmE6YiBjIGQ="),
        (
            "basic",
            '{"username": "ada", "password": "correct"}',
            {"username": "ada", "password": "correct"},
            "YWRhOmNvcnJlY3Q=",
        ),
        ("json", '{"b": ["longer"], "a": 1}', {"b": ["longer"], "a": 1}, '{"a":1,"b":["longer"]}'),
    ],
)
def test_a_step_gets_what_the_type_says(kind, text, value, in_text):
    found = credentials.read(SecretType(kind), text)

    assert found == value
    assert credentials.in_text(found) == in_text


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("text", "", "6 characters"),
        ("text", "shrt1", "6 characters"),
        ("text", "x" * 70_000, "bytes at most"),
        ("text", "NUL \0 canary", "cannot be stored"),
        ("text", "half \ud800 canary", "cannot be stored"),
        ("token", "has space canary", "without spaces"),
        ("token", "umläut-canary", "without spaces"),
        ("basic", "canarycanary", "USER:PASSWORD"),
        ("basic", "user:short", "6 characters"),
        ("basic", '{"username": "canary"}', "USER:PASSWORD"),
        ("json", "{canary", "no JSON"),
        ("json", '"canary"', "object or a list"),
        ("json", '{"a": "canar"}', "6 characters"),
        ("json", '{"canary": 1e999, "b": "canary"}', "cannot be stored"),
        ("json", "[" * 100_000, "bytes at most"),
        ("json", "[" * 50_000, "no JSON"),
    ],
)
def test_what_cannot_be_kept_or_masked_is_refused_without_repeating_it(kind, text, reason):
    with pytest.raises(SecretInvalid) as refused:
        credentials.read(SecretType(kind), text)

    assert reason in refused.value.message
    assert "canary" not in refused.value.message


@pytest.mark.parametrize("name", ["a", "API_KEY", "bank.token-1"])
def test_names_are_words(name):
    credentials.check_name(name)


@pytest.mark.parametrize("name", ["", "1a", "a b", "ä", "a" * 101, "a\n", "${x}"])
def test_other_names_are_refused(name):
    with pytest.raises(SecretInvalid):
        credentials.check_name(name)


def test_of_a_document_every_text_that_is_long_enough_is_confidential():
    value = credentials.read(SecretType.JSON, '{"type": "svc", "key": "long enough", "more": [{"id": "abcdef"}, 7]}')

    assert set(credentials.confidential(value)) == {"long enough", "abcdef"}


def test_a_field_is_named_by_its_path():
    value = {"keys": [{"id": "a"}]}

    assert credentials.field_of(value, ("keys", 0, "id")) == "a"
    for path in (("keys", "0"), ("keys", 1), ("x",), ("keys", 0, "id", "a")):
        with pytest.raises(LookupError):
            credentials.field_of(value, path)
