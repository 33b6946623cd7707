"""No expression outlives its budget: of text before parsing, of nodes and bytes while running."""

import logging
import subprocess
import sys
import threading
import time

import pytest

from workflows_app.engine import expressions
from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions import limits
from workflows_app.engine.expressions.evaluator import _environment

ROWS = [{"id": number, "text": "x" * 20} for number in range(10_000)]
NAMES = {"input": {"rows": ROWS, "big": "y" * 900_000}}
SOON = 10
"""Seconds of the processor: a second at most on an idle machine; without a budget there would be no end."""


@pytest.mark.parametrize(
    "source",
    [
        "a" * 20_000,
        "-" * 20_000 + "1",
        "-" * 3_000 + "1",
        "!" * 3_000 + "true",
        "(" * 5_000 + "1" + ")" * 5_000,
        "(" * 1_000 + "1" + ")" * 1_000,
        "[" * 1_500 + "]" * 1_500,
        "{'a':" * 500 + "1" + "}" * 500,
        "a" + ".a" * 1_900,
        "a" + "[0]" * 1_000,
        "size(" * 500 + "1" + ")" * 500,
        "true?1:" * 500 + "2",
        "[" + "1," * 1_500 + "1]",
        "1" + "+1" * 1_500,
        "a" + "||a" * 1_000,
        "[1].map(a,[1].map(b,[1].map(c,[1].map(d,1))))",
        '"' + "x" * 20_000 + '"',
        '"' + "\\n" * 1_999,
        "r'" + "\\'" * 1_900,
        "'''" + "\\'" * 1_900,
    ],
    ids=lambda source: source[:20],
)
def test_too_long_too_deep_or_unfinished_is_refused_soon(source):
    began = time.process_time()

    with pytest.raises(ExpressionError):
        expressions.compile_expression(source)

    assert time.process_time() - began < SOON


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("(" * 40 + "[1].map(x, {'a': [x, size([!!true ? 1 : 2])]})" + ")" * 40, [{"a": [1, 1]}]),
        ("true && (" * 48 + "true" + ")" * 48, True),
        ("size([" * 24 + "])" * 24, 1),
        ("true ? (" * 48 + "7" + ") : 0" * 48, 7),
        ("default(" * 48 + "7" + ", 1)" * 48, 7),
        ("-(" * 24 + "7" + ")" * 24, 7),
    ],
    ids=lambda source: str(source)[:20],
)
def test_the_deepest_expressions_allowed_fit_on_a_stack_that_is_mostly_used(source, expected):
    def below(levels: int) -> object:
        return below(levels - 1) if levels else expressions.compile_expression(source).evaluate({})

    assert below(sys.getrecursionlimit() - 450) == expected


@pytest.mark.parametrize(
    "source",
    [
        "input.rows.map(r, input.rows.map(q, q.id))",
        "input.rows.map(a, input.rows.map(b, input.rows.map(c, 1)))",
        "input.rows.all(r, input.rows == input.rows)",
        "input.rows.map(r, r in input.rows)",
        "input.rows.map(r, sort(input.rows.map(q, q.text)))",
        "input.rows.map(r, sum(input.rows.map(q, q.id)))",
        "input.rows.map(r, input.big)",
        "input.rows.map(r, input.big + 'a')",
        "input.rows.map(r, input.big.upper())",
        "input.rows.map(r, input.big.split(''))",
        "input.rows.map(r, input.big.contains('yx'))",
        "input.rows.map(r, input.big == input.big + '')",
        "input.rows.map(r, input.big.matches('(y|yy)*(x{1,20}){1,20}z'))",
        "input.rows.map(r, input.rows + input.rows)",
        "[" + ",".join(["input.rows"] * 350) + "]",
        "[1,2,3,4,5,6,7,8,9].map(i, [1,2,3,4,5,6,7,8,9].map(j, [1,2,3,4,5,6,7,8,9].map(k, input.big)))",
    ],
)
def test_a_hungry_expression_stops_soon(source):
    expression = expressions.compile_expression(source)
    began = time.process_time()

    with pytest.raises(ExpressionLimit) as caught:
        expression.evaluate(NAMES)

    assert time.process_time() - began < SOON
    assert caught.value.code == "EXPRESSION_LIMIT"


def test_doubling_strings_stops():
    source = "+".join(["input.big"] * 10)

    with pytest.raises(ExpressionLimit):
        expressions.compile_expression(source).evaluate(NAMES)


def test_an_ordinary_table_of_ten_thousand_rows_is_within_the_budget():
    expression = expressions.compile_expression("input.rows.filter(r, r.id % 2 == 0).map(r, {'id': r.id, 't': r.text})")

    assert len(expression.evaluate(NAMES)) == 5_000


def test_the_caller_may_stop_an_evaluation_at_any_node():
    answers = iter([False] * 20 + [True])
    expression = expressions.compile_expression("input.rows.map(r, r.id)")

    with pytest.raises(ExpressionLimit, match="stopped"):
        expression.evaluate(NAMES, should_stop=lambda: next(answers))


def test_what_the_caller_raises_while_polled_passes_through():
    def should_stop() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        expressions.compile_expression("input.rows").evaluate(NAMES, should_stop=should_stop)


def test_a_plain_reference_neither_copies_nor_walks_its_value():
    expression = expressions.compile_expression("input.rows")

    assert expression.evaluate(NAMES) is ROWS


def test_parallel_evaluations_do_not_meet():
    expression = expressions.compile_expression("input.rows.map(r, r.id * input.factor).filter(n, n > 0)")
    results: dict[int, object] = {}

    def run(factor: int) -> None:
        names = {"input": {"rows": ROWS[:300], "factor": factor}}
        results[factor] = [expression.evaluate(names) for _ in range(5)]

    threads = [threading.Thread(target=run, args=(factor,)) for factor in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for factor in range(1, 5):
        assert results[factor] == [[number * factor for number in range(1, 300)]] * 5


def test_the_interpreter_s_recursion_limit_is_left_alone():
    before = sys.getrecursionlimit()
    _environment.cache_clear()

    expressions.compile_expression("input.left_alone + 1")

    assert sys.getrecursionlimit() == before


def test_no_log_shows_the_data(caplog):
    caplog.set_level(logging.DEBUG)

    expressions.compile_expression("input.card + '!'").evaluate({"input": {"card": "4111-CANARY"}})
    with pytest.raises(ExpressionError):
        expressions.compile_expression("input.card.number + 1").evaluate({"input": {"card": "4111-CANARY"}})

    assert "CANARY" not in caplog.text


def test_importing_and_using_it_is_quiet():
    code = (
        "from workflows_app.engine import expressions as e;"
        "e.compile_expression(\"'a'.matches('(') || 1 + 1 == 2\").evaluate({})"
    )

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_bounds_are_as_documented():
    assert (limits.MAX_LENGTH, limits.MAX_DEPTH, limits.MAX_STEPS) == (4_000, 50, 300_000)


@pytest.mark.parametrize(
    "source",
    [
        "input.rows.map(r, toJson(input.rows))",
        "parseJson(toJson(input.rows.map(r, input.rows)))",
        "input.rows.map(r, parseJson(toJson(input.rows)))",
        "input.rows.map(r, merge(r, r)).map(r, input.rows.map(q, merge(q, r)))",
        "parseJson('" + "[" * 2000 + "')",
    ],
)
def test_structures_cost_what_they_make(source: str) -> None:
    rows = [{f"key{n}": "x" * 40 for n in range(20)} for _ in range(300)]
    began = time.process_time()

    with pytest.raises((ExpressionLimit, ExpressionError)):
        expressions.compile_expression(source).evaluate({"input": {"rows": rows}})
    assert time.process_time() - began < SOON
