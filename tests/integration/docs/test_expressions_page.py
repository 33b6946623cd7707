"""The page on expressions: every example gives what it says, every function and every limit is the real one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.docs.pages import DOCS, blocks, code, table
from workflows_app.engine import expressions
from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.expressions import limits

PAGE = DOCS / "guides" / "expressions.md"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def values() -> dict[str, Any]:
    (shown,) = [block for block in blocks(PAGE) if block.info == "json"]
    return {**json.loads(shown.text), "now": NOW}


@pytest.mark.parametrize(("source", "result"), table(PAGE, "Values"))
def test_an_example_gives_the_shown_result(values: dict[str, Any], source: str, result: str) -> None:
    answer = expressions.compile_expression(code(source)).evaluate(values)

    assert json.dumps(answer) == json.dumps(json.loads(code(result)))


@pytest.mark.parametrize(("text", "result"), table(PAGE, "Templates"))
def test_a_template_gives_the_shown_value(values: dict[str, Any], text: str, result: str) -> None:
    answer = expressions.compile_value(code(text)).evaluate(values)

    assert f"`{answer if isinstance(answer, str) else json.dumps(answer)}`" in result


@pytest.mark.parametrize(("source", "error", "message"), table(PAGE, "Errors"))
def test_a_bad_expression_is_refused_with_the_shown_words(source: str, error: str, message: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        expressions.compile_expression(code(source))

    assert (refused.value.code, refused.value.message) == (code(error), message)


@pytest.mark.parametrize(("source", "error", "message"), table(PAGE, "Errors", number=1))
def test_a_failing_expression_fails_with_the_shown_words(
    values: dict[str, Any], source: str, error: str, message: str
) -> None:
    compiled = expressions.compile_expression(code(source))

    with pytest.raises(ExpressionError) as failed:
        compiled.evaluate(values)

    assert (failed.value.code, failed.value.message) == (code(error), message.replace("\\`", "`"))


def test_every_function_is_listed() -> None:
    shown = [(code(signature), sentence) for signature, sentence in table(PAGE, "Functions")]

    assert shown == [(signature, sentence) for _, signature, sentence in expressions.functions()]


def test_the_limits_are_the_real_ones() -> None:
    shown = [int(number.replace(",", "")) for _, number in table(PAGE, "Limits")]

    assert shown == [
        limits.MAX_LENGTH,
        limits.MAX_DEPTH,
        limits.MAX_MACRO_DEPTH,
        limits.MAX_LITERAL,
        limits.MAX_STEPS,
        limits.MAX_PRODUCED,
        limits.MAX_PATTERN,
        limits.MAX_TEMPLATE_EXPRESSIONS,
        limits.MAX_VALUE_DEPTH,
    ]
