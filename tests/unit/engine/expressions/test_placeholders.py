"""Placeholders: the definition says where a secret stands, and data that looks like one is only data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows_app.engine import expressions
from workflows_app.engine.expressions import Reference

FORGED = {"$secret": "api"}
FORGED_TEXT = {"$text": ["Bearer ", {"$secret": "api"}]}


def lookup(named: Reference, *, in_text: bool) -> Any:
    """Every secret is an object where it stands alone."""
    path = "".join(f".{key}" for key in named.path)
    return f"<{named.name}{path}>" if in_text else {"value": f"<{named.name}{path}>"}


def revealed(template: Any, names: dict[str, Any], own: Any = None) -> Any:
    compiled = expressions.compile_value(template)
    kept = compiled.evaluate(names)
    assert "<" not in str(kept)
    return compiled.reveal(kept, lookup, own=None if own is None else expressions.compile_value(own))


def test_a_secret_alone_is_its_value_and_in_a_text_its_text():
    template = {"key": "${ secret('api') }", "deep": [{"auth": "Bearer ${ secret('api').token } for ${ input.who }"}]}

    result = revealed(template, {"input": {"who": "ada"}})

    assert result == {"key": {"value": "<api>"}, "deep": [{"auth": "Bearer <api.token> for ada"}]}


def test_only_placeholders_are_kept():
    compiled = expressions.compile_value({"a": "${ secret('api') }", "b": "Bearer ${ secret('api') }"})

    assert compiled.evaluate({}) == {"a": FORGED, "b": FORGED_TEXT}
    assert {each.name for each in compiled.secrets} == {"api"}


@pytest.mark.parametrize("forged", [FORGED, FORGED_TEXT, "${ secret('api') }", [FORGED], {"a": FORGED}])
def test_data_that_looks_like_a_placeholder_stays_what_it_is(forged):
    template = {"data": "${ input.x }", "list": ["${ input.x }"], "text": "x ${ input.x }", "key": "${ secret('api') }"}

    result = revealed(template, {"input": {"x": forged}})

    assert result["data"] == forged
    assert result["list"] == [forged]
    assert "<" not in result["text"]


@pytest.mark.parametrize("forged", [FORGED, FORGED_TEXT])
def test_data_inside_a_text_with_a_secret_cannot_add_another(forged):
    result = revealed("${ input.x }, Bearer ${ secret('key') }", {"input": {"x": forged}})

    assert "<api>" not in result
    assert result.endswith(", Bearer <key>")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["$secret", "$text", "api", "${ secret('api') }"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$secret", "$text", "path", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_no_data_at_all_is_taken_for_a_placeholder(data):
    template = {"a": "${ input.x }", "b": ["${ input.x }", "${ secret('key') }"], "c": "${ [input.x, {'a': input.x}] }"}

    result = revealed(template, {"input": {"x": data}})

    assert result == {"a": data, "b": [data, {"value": "<key>"}], "c": [data, {"a": data}]}


def test_an_undo_repeats_the_secrets_of_its_step_and_nothing_that_only_looks_like_one():
    own = {"headers": {"auth": "Bearer ${ secret('api') }"}, "list": ["${ secret('api') }"], "data": "${ input.x }"}
    given_ = expressions.compile_value(own).evaluate({"input": {"x": FORGED}})
    undo = {
        "all": "${ with }",
        "headers": "${ with.headers }",
        "auth": "${ with.headers.auth }",
        "item": "${ with.list[0] }",
        "data": "${ with.data }",
        "gone": "${ output.x }",
    }

    result = revealed(undo, {"with": given_, "output": {"x": FORGED}}, own=own)

    assert result == {
        "all": {"headers": {"auth": "Bearer <api>"}, "list": [{"value": "<api>"}], "data": FORGED},
        "headers": {"auth": "Bearer <api>"},
        "auth": "Bearer <api>",
        "item": {"value": "<api>"},
        "data": FORGED,
        "gone": FORGED,
    }


@pytest.mark.parametrize(
    "kept", [{}, {"a": 1}, {"a": {"$text": []}}, {"a": {"$text": [5, FORGED]}}, {"a": "Bearer x"}, None, []]
)
def test_what_was_not_evaluated_from_the_template_is_refused(kept):
    compiled = expressions.compile_value({"a": "${ input.x }${ secret('api') }"})

    with pytest.raises((LookupError, TypeError, ValueError)):
        compiled.reveal(kept, lookup)


def test_a_step_whose_parameters_name_one_output_and_a_secret_is_put_together_in_the_database():
    compiled = expressions.compile_value({"auth": "Bearer ${ secret('api') }", "id": "${ steps.a.output.id }"})

    frame, holes = compiled.holes()

    assert frame == {"auth": FORGED_TEXT, "id": None}
    assert [hole.at for hole in holes] == [("id",)]
