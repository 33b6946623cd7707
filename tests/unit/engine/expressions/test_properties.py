"""Laws that hold for any expression and any data."""

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from workflows_app.engine import expressions
from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions import limits
from workflows_app.engine.expressions.expression import compile_cel
from workflows_app.engine.expressions.limits import Meter

settings.register_profile("expressions", deadline=None, derandomize=True, database=None)
RULES = settings(settings.get_profile("expressions"), max_examples=150)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(limits.INT_MIN, limits.INT_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
KEYS = st.sampled_from(["a", "b", "in", "null", "x y", "1"])
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)
ATOMS = st.sampled_from(
    ["input.a", "input.b", "input.a[0]", "input['x y']", "vars.v", "1", "2.5", "'s'", "''", "null", "true", "x", "[]"]
)


SIGNS = ["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||", "in"]


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(SIGNS), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("!({})".format),
        st.tuples(inner, inner, inner).map(lambda three: "({} ? {} : {})".format(*three)),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        inner.map("{{'k': {}}}.k".format),
        st.tuples(st.sampled_from(["size", "string", "sum", "sort", "min", "lower", "type", "has", "int"]), inner).map(
            lambda pair: "{}({})".format(*pair)
        ),
        st.tuples(inner, inner).map(lambda pair: "default({}, {})".format(*pair)),
        st.tuples(inner, st.sampled_from(["map", "filter", "all", "exists", "exists_one"]), inner).map(
            lambda three: "({}).{}(x, {})".format(*three)
        ),
    )


SOURCES = st.recursive(ATOMS, _grow, max_leaves=8)


def outcome(expression, names, meter=None):
    """The answer as comparable text, or the refusal."""
    try:
        return json.dumps(expression.measure(names, meter or Meter()), sort_keys=True)
    except ExpressionError as fault:
        return (type(fault), fault.message, fault.details)


@RULES
@given(source=SOURCES, data=st.dictionaries(KEYS, DATA, max_size=4))
def test_the_same_expression_on_the_same_data_gives_the_same_answer_at_the_same_cost(source, data):
    names = {"input": data, "vars": {"v": data}}
    first, second = Meter(), Meter()
    try:
        compiled = compile_cel(source), compile_cel(source)
    except ExpressionError:
        return

    answers = outcome(compiled[0], names, first), outcome(compiled[1], names, second)

    assert answers[0] == answers[1]
    assert (first.steps, first.produced) == (second.steps, second.produced)
    assert compiled[0].reads == compiled[1].reads


@st.composite
def paths(draw):
    keys = draw(st.lists(KEYS | st.integers(0, 2), max_size=4))
    text = draw(st.sampled_from(["input", "vars", "nowhere"]))
    for key in keys:
        dotted = isinstance(key, str) and key.isalpha() and draw(st.booleans())
        text += f".{key}" if dotted else f"[{json.dumps(key)}]"
    return text


@RULES
@given(path=paths(), data=DATA)
def test_a_plain_reference_answers_as_the_interpreter_does(path, data):
    names = {"input": data, "vars": {"a": data}}
    short, long = expressions.compile_expression(path), compile_cel(path)

    assert outcome(short, names) == outcome(long, names)
    assert short.reads == long.reads


LITERALS = (
    st.integers(limits.INT_MIN - 2, limits.INT_MAX + 2).map(str)
    | st.floats(0, allow_infinity=False).map(repr)
    | st.text(max_size=12).map(lambda text: json.dumps(text, ensure_ascii=False))
    | st.sampled_from(["true", "false", "null", "0x10", "-0x10", "-1.5", "1e3", "'it''s'", "r'\\d'", "1e999"])
)


@RULES
@given(literal=LITERALS)
def test_a_constant_answers_as_the_interpreter_does(literal):
    def tried(compiler):
        try:
            return outcome(compiler(literal), {})
        except ExpressionError as fault:
            return (type(fault), fault.message)

    assert tried(expressions.compile_expression) == tried(compile_cel)


@RULES
@given(text=st.text(max_size=60) | st.text("${}[]()'\"\\.,+-!?:ainput01 rn&|=<", max_size=40) | SOURCES)
def test_any_text_compiles_or_is_refused_and_evaluates_or_fails_cleanly(text):
    for compiler in (expressions.compile_expression, expressions.compile_value):
        with contextlib.suppress(ExpressionError):
            compiler(text).evaluate({"input": {"a": [1, "x"], "b": None}, "vars": {"v": 1.5}})


@RULES
@given(source=SOURCES, data=st.dictionaries(KEYS, DATA, max_size=4))
def test_reads_hold_every_name_that_an_evaluation_asks_for(source, data):
    asked = set()

    class Watched(dict):
        def __contains__(self, root):
            asked.add(root)
            return super().__contains__(root)

    try:
        expression = compile_cel(source)
    except ExpressionError:
        return

    outcome(expression, Watched(input=data, vars={"v": data}))

    assert asked <= {reference.root for reference in expression.reads}


@settings(RULES, max_examples=25)
@given(
    size=st.integers(1_000, 4_000),
    body=st.sampled_from(["q", "q + r", "[q, r]", "q == r", "input.rows", "string(q)", "q in input.rows"]),
    macro=st.sampled_from(["map", "filter", "all", "exists", "exists_one"]),
)
def test_the_budget_ends_every_evaluation_at_a_bounded_number_of_nodes(size, body, macro):
    test = body if macro == "map" else f"{body} == {body}"
    expression = expressions.compile_expression(f"input.rows.{macro}(r, input.rows.map(q, {test}) == [])")
    meter = Meter()

    try:
        expression.measure({"input": {"rows": list(range(size))}}, meter)
    except ExpressionLimit:
        assert meter.steps > limits.MAX_STEPS or meter.produced > limits.MAX_PRODUCED
    except ExpressionError:
        pass

    assert meter.steps <= limits.MAX_STEPS + size + 1


@RULES
@given(text=st.text(max_size=40) | st.text("${}$a ", max_size=20))
def test_escaped_text_comes_back_as_it_was(text):
    value = expressions.compile_value(text.replace("${", "$${"))

    assert value.is_constant
    assert value.evaluate({}) == text


@RULES
@given(value=DATA)
def test_a_document_without_expressions_comes_back_as_it_was(value):
    escaped = json.loads(json.dumps(value).replace("${", "$${"))

    assert expressions.compile_value(escaped).evaluate({}) == value
