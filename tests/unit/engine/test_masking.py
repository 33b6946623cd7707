"""Masking: no form of a secret that libraries make comes through, and nothing else is touched."""

from __future__ import annotations

import base64
import json
import pprint
import re
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows_app.engine.errors import ActivityError
from workflows_app.engine.masking import Masks

SECRET = 'pa"ss/wörd+ &\\<7>'
WAYS = {
    "as it is": str,
    "json": json.dumps,
    "json in json": lambda text: json.dumps({"a": json.dumps(text)}),
    "json with letters": lambda text: json.dumps(text, ensure_ascii=False),
    "repr": repr,
    "repr of bytes": lambda text: repr(text.encode()),
    "pprint": lambda text: pprint.pformat({"key": text}, width=400),
    "quoted": quote,
    "quoted whole": lambda text: quote(text, safe=""),
    "quoted in lower case": lambda text: re.sub("%..", lambda found: found.group().lower(), quote(text)),
    "form": lambda text: urlencode({"a": text}),
    "plus": quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 without padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "url-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


def masks(*secrets: str) -> Masks:
    found = Masks()
    found.add(secrets)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_masked_however_it_is_written(way):
    text = f"before {WAYS[way](SECRET)} after"

    result = masks(SECRET).text(text)

    assert result.startswith("before ")
    assert result.endswith(" after")
    assert "***" in result
    assert not re.search("ss|rd|cGEi|7", result)


@given(
    st.binary(max_size=12), st.text(st.characters(max_codepoint=0x17F), min_size=6, max_size=40), st.binary(max_size=9)
)
def test_a_secret_inside_something_encoded_leaves_at_most_the_edges(before, secret, after):
    encoded = base64.b64encode(before + secret.encode() + after).decode()

    result = masks(secret).text(encoded)

    kept = len(base64.b64encode(before)) + len(base64.b64encode(after)) + 4
    assert len(result.replace("***", "")) <= kept


def test_every_line_of_a_key_is_masked():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n}\n-----END KEY-----\n"

    result = masks(key).text("line 2 was kqhkiG9w0BAQEF, line 3 was }")

    assert result == "line 2 was ***, line 3 was }"


def test_the_longest_of_several_is_masked_first():
    assert masks("horse-1", "horse-1-and-cart").text("a horse-1-and-cart") == "a ***"


def test_values_are_masked_in_keys_and_however_deep_and_other_values_stay():
    value = {"a": [1, None, True, 2.5, ("tok-123456",)], "tok-123456": {"b": "x tok-123456 y"}}

    result = masks("tok-123456").value(value, limit=1000)

    assert result == {"a": [1, None, True, 2.5, ["***"]], "***": {"b": "x *** y"}}


def test_what_shares_itself_endlessly_ends():
    doubled: list[object] = ["tok-123456"]
    for _ in range(60):
        doubled = [doubled, doubled]
    circle: list[object] = []
    circle += [circle, circle]

    for value in (doubled, circle):
        with pytest.raises(ActivityError) as refused:
            masks("tok-123456").value(value, limit=10_000)
        assert (refused.value.code, refused.value.recoverable) == ("TOO_LARGE", False)


def test_what_is_no_json_stays_for_whoever_refuses_it():
    strange = object()

    assert masks("tok-123456").value([strange, "tok-123456"], limit=100) == [strange, "***"]


def test_without_secrets_a_value_is_the_same_object():
    value = {"a": 1}

    assert Masks().value(value, limit=1) is value
