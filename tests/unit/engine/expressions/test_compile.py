"""What is known of an expression before it runs: its reads, and what is refused."""

import pytest

from workflows_app.engine import expressions
from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.expressions import Reference


def reads(source: str) -> set[Reference]:
    return set(expressions.compile_expression(source).reads)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("steps.x.output.json.id", {Reference("steps", "x", ("output", "json", "id"))}),
        ("input.a.b", {Reference("input", None, ("a", "b"))}),
        ("vars.v", {Reference("vars", "v", ())}),
        ("now", {Reference("now", None, ())}),
        ("1 + 2", set()),
        ("input.a[0]['b c'] + 1", {Reference("input", None, ("a", 0, "b c"))}),
        ("input.rows[index].id", {Reference("input", None, ("rows",)), Reference("index", None, ())}),
        ("steps[input.which].output", {Reference("steps", None, ()), Reference("input", None, ("which",))}),
        ("steps['x'].output", {Reference("steps", "x", ("output",))}),
        ("input.rows.map(r, r.id + vars.n)", {Reference("input", None, ("rows",)), Reference("vars", "n", ())}),
        ("[1].map(input, input.x)", set()),
        ("input.map(input, input.x)", {Reference("input", None, ())}),
        ("has(steps.x.output.id)", {Reference("steps", "x", ("output", "id"))}),
        ("default(error.code, vars.c)", {Reference("error", None, ("code",)), Reference("vars", "c", ())}),
        ("type(1) == int", set()),
        ('secret("shop")', {Reference("secret", "shop", ())}),
        ('secret("shop").keys[0]["a b"]', {Reference("secret", "shop", ("keys", 0, "a b"))}),
        ("secret.shop", {Reference("secret", None, ("shop",))}),
        ("size(input).foo", {Reference("input", None, ())}),
        ("imput.a && os", {Reference("imput", None, ("a",)), Reference("os", None, ())}),
    ],
)
def test_reads_name_every_path(source, expected):
    assert reads(source) == expected


def test_names_outside_the_language_can_be_listed():
    expression = expressions.compile_expression("imput.a + input.b + os.environ")

    unknown = expressions.check_names(expression, {"input", "vars"})

    assert [each.root for each in unknown] == ["imput", "os"]


@pytest.mark.parametrize("source", ["a.b", "${ a.b }", "${a.b}", "  ${\n a.b }\n"])
def test_an_expression_may_stand_bare_or_wrapped(source):
    assert expressions.compile_expression(source).source == "a.b"


def test_a_compiled_expression_is_kept():
    assert expressions.compile_expression("input.a + 41") is expressions.compile_expression("${ input.a + 41 }")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "empty"),
        ("${ }", "empty"),
        ("${ a } == ${ b }", "one expression"),
        ("${ a", "no closing"),
        ("a b", "operator is missing before 'b' at character 3"),
        ("a ==", "not complete"),
        ("a == == b", "character 6"),
        ("a = 1", "'=' at character 3"),
        ("(a", "never closed"),
        ("a)", "closes nothing"),
        ("[a}", "closes nothing"),
        ("'abc", "never closed"),
        ("'a\nb'", "never closed"),
        (r"'\q'", "Unknown escape"),
        (r"'\ud800'", "not a Unicode"),
        ("9223372036854775808", "64 bit"),
        ("-9223372036854775809", "64 bit"),
        ("1e999", "range"),
        ("b'a'", "Bytes"),
        ("1u", "operator is missing"),
        ("Message{a: 1}", "Messages"),
        (".input", "package names"),
        ("size()", "size(x) -> int"),
        ("has(1)", "has() needs"),
        ("default(1)", "default() needs"),
        ("secret(input.name)", "secret() needs"),
        ("[1].map(1, 2)", "name of a variable"),
        ("[1].map(x)", "map() needs"),
        ("x.reduce(a, b, 0, a + b)", "no function 'reduce'"),
        ("1 in2", "operator is missing"),
    ],
)
def test_a_refusal_gives_the_reason(source, reason):
    with pytest.raises(ExpressionError) as caught:
        expressions.compile_expression(source)

    assert reason in caught.value.message


@pytest.mark.parametrize(
    "source",
    [
        "input.__class__",
        "''.__class__.__mro__[1].__subclasses__()",
        "__import__('os')",
        "input.map(__x, 1)",
        "'{0.__class__}'.format(input)",
        "input.a.format_map(input)",
        "input.mro()",
        "'a'.join(['b'])",
        "input.keys()",
        "size.__globals__",
        "(1).real",
        "'a'.upper",
        "lambda x: x",
        "import os",
        "[x for x in input]",
        "open('/etc/passwd')",
        "eval('1')",
        "getattr(input, 'x')",
        "f'{input}'",
        "input; input",
        "input if true else 1",
        "9**9**9",
        "(() => 1)()",
    ],
)
def test_python_and_javascript_are_refused_at_publish(source):
    with pytest.raises(ExpressionError):
        expressions.compile_expression(source)


@pytest.mark.parametrize("source", [1, None, True, ["a"], {"a": 1}])
def test_what_is_not_text_is_refused(source):
    with pytest.raises(ExpressionError, match="text"):
        expressions.compile_expression(source)
