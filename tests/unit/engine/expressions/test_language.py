"""What expressions mean: operators, functions, missing fields, names."""

import datetime

import pytest

from workflows_app.engine import expressions
from workflows_app.engine.errors import ExpressionError

NOW = datetime.datetime(2026, 3, 1, 12, 0, 0, tzinfo=datetime.UTC)
NAMES = {
    "input": {
        "amount": 12,
        "rate": 0.5,
        "name": "Zoë",
        "note": None,
        "tags": ["b", "a"],
        "lines": [{"price": 2.5, "count": 2}, {"price": 1, "count": 3}],
        "in": 3,
        "true": 4,
        "a-b": {"c": [10, 20]},
    },
    "vars": {"receipt": "R1", "null": 7},
    "steps": {"pay": {"output": {"id": 9}, "state": "completed", "error": None, "attempts": 1}, "if": {"output": 1}},
    "instance": {"id": "i1", "started_at": "2026-03-01T11:00:00Z"},
    "now": NOW,
    "error": {"code": "TIMEOUT", "details": {"status": 0}},
    "output": {"id": "o"},
    "with": {"order": "w"},
    "event": {"data": {"x": 1}},
    "item": {"id": 5},
    "index": 2,
    "iteration": 0,
}


def value_of(source: str) -> object:
    return expressions.compile_expression(source).evaluate(NAMES)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("input.amount * input.rate", 6.0),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("7 / 2.0", 3.5),
        ("1 == 1.0 && 1 < 1.5 && 2.5 >= 2", True),
        ("2 -1", 1),
        ("--5", 5),
        ("'a' + \"b\"", "ab"),
        ("[1] + [2, 'x']", [1, 2, "x"]),
        ("'b' in input.tags && 'name' in input", True),
        ("2 in [1.0, 2.0]", True),
        ("true ? 'yes' : 1 / 0 > 0 ? 'no' : 'never'", "yes"),
        ("{'a': 1, 'b': [{'c': '}'}]}", {"a": 1, "b": [{"c": "}"}]}),
        ("[1, 'a', null, {'k': 1}] == [1.0, 'a', null, {'k': 1}]", True),
        ("true == 1", False),
        ("'1' == 1", False),
        ("input.note == null && input.name != null && steps.pay.output != null", True),
        ("null == null", True),
        (r"'\u00e9\n\x41\101' + r'\n'", "é\nAA\\n"),
        ("'''it's\n\"fine\"'''", 'it\'s\n"fine"'),
        ("0x1F + 1", 32),
        ("1 // a comment\n + 1", 2),
        ("input['a-b'].c[1]", 20),
        ("input.lines[0]['price']", 2.5),
        ("(input.tags)[0]", "b"),
    ],
)
def test_operators_and_literals(source, expected):
    result = value_of(source)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("size(input.name) + input.tags.size() + size({'a': 1})", 6),
        ("input.name.contains('o') && input.name.startsWith('Z') && input.name.endsWith('ë')", True),
        ("input.tags.contains('a')", True),
        ("input.name.matches('^Z.ë$') && !input.name.matches('^o')", True),
        ("lower('ÀB') + upper('ç')", "àbÇ"),
        ("split('a,b,,c', ',')", ["a", "b", "", "c"]),
        ("'abc'.split('')", ["a", "b", "c"]),
        ("sum([])", 0),
        ("sum([1, 2.5])", 3.5),
        ("min(3, 1.5) + max([1, 4])", 5.5),
        ("sort(input.tags)", ["a", "b"]),
        ("sort([3, 1.5, 2])", [1.5, 2, 3]),
        ("sort([])", []),
        ("flatten([[1, 2], [], [3]])", [1, 2, 3]),
        ("flatten([[[1]], [2]])", [[1], 2]),
        ("flatten([])", []),
        ("""parseJson('{"a": [1, 2.5, null, "x"]}')""", {"a": [1, 2.5, None, "x"]}),
        ("parseJson('7') + 1", 8),
        ("parseJson(toJson({'b': 1, 'a': [true]})).a[0]", True),
        ("toJson({'b': 1, 'a': 'x'})", '{"a":"x","b":1}'),
        ("toJson('x')", '"x"'),
        ("merge({'a': 1, 'b': 1}, {'b': 2})", {"a": 1, "b": 2}),
        ("merge({}, {})", {}),
        ("default(input.note, 'none')", "none"),
        ("default(input.nothing.at.all, 1)", 1),
        ("default(input.amount, 1 / 0)", 12),
        ("default(iteration, 9)", 0),
        ("default(missing_root.x, 'd')", "d"),
        ("has(input.name) && has(input.note) && !has(input.nothing.deep)", True),
        ("int('12') + int(3.9) + int(-3.9)", 12),
        ("double('1.5') + double(1)", 2.5),
        ("string(1) + string(1.0) + string(true) + string(now)", "11.0true2026-03-01T12:00:00Z"),
        ("bool('true') && !bool('false')", True),
        ("type(1) == int && type('') == string && type(null) == null_type && type(now) == timestamp", True),
        ("type(1.0)", "double"),
        ("dyn(1) + 1", 2),
        ("int(timestamp('1970-01-01T00:01:00Z'))", 60),
    ],
)
def test_functions(source, expected):
    assert value_of(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("sum(input.lines.map(line, line.price * line.count))", 8.0),
        ("input.lines.filter(l, l.count > 2).map(l, l.price)", [1]),
        ("[1, 2, 3, 4].map(n, n % 2 == 0, n * 10)", [20, 40]),
        ("input.lines.all(l, l.count > 0) && input.lines.exists(l, l.count == 3)", True),
        ("[1, 2, 1].exists_one(n, n == 1)", False),
        ("{'x': 1, 'y': 2}.map(k, k)", ["x", "y"]),
        ("[[1, 2], [3]].map(row, row.map(n, n + size(row)))", [[3, 4], [4]]),
        ("[1, 2].map(item, [9].map(item, item)[0] + item)", [10, 11]),
        ("[1, 0].exists(n, 1 / n > 0)", True),
        ("[0, 1].exists(n, 1 / n > 0)", True),
        ("[].all(n, n)", True),
    ],
)
def test_macros(source, expected):
    assert value_of(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("now", "2026-03-01T12:00:00Z"),
        ("now - duration('90m')", "2026-03-01T10:30:00Z"),
        ("now - timestamp(instance.started_at)", "3600s"),
        ("duration('1h') > duration('59m') && timestamp(instance.started_at) < now", True),
        ("duration('1.5s')", "1.5s"),
        ("duration('-250ms')", "-0.25s"),
        ("duration('1w') - duration('6d')", "86400s"),
        ("duration(90).getMinutes()", 1),
        ("timestamp('2026-03-01T01:30:00.250+02:00')", "2026-02-28T23:30:00.250000Z"),
        ("now.getFullYear() * 100 + now.getMonth()", 202602),
        ("now.getHours('Europe/Berlin') + now.getHours('-02:00')", 23),
        ("now.getDate() + now.getDayOfMonth() + now.getDayOfWeek() + now.getDayOfYear()", 60),
    ],
)
def test_times_and_durations(source, expected):
    assert value_of(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("with.order + output.id", "wo"),
        ("error.code == 'TIMEOUT' && error.details.status == 0", True),
        ("event.data.x + item.id + index", 8),
        ("input.in + input.true + vars.null", 14),
        ("steps.if.output", 1),
        ("steps.pay.attempts", 1),
    ],
)
def test_names_that_other_languages_reserve_are_plain_names(source, expected):
    assert value_of(source) == expected


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("input.missing", "input.missing"),
        ("input.missing + 1", "input.missing"),
        ("input.note.x", "input.note.x"),
        ("1 + input.lines[0].weight", "input.lines[0].weight"),
        ("input.lines[7]", "input.lines[7]"),
        ('input["no such"]', 'input["no such"]'),
        ("steps.ship.output.id", "steps.ship"),
        ("nowhere.x", "nowhere"),
    ],
)
def test_reading_what_is_missing_names_the_path(source, path):
    with pytest.raises(ExpressionError) as caught:
        value_of(source)

    assert f"`{path}`" in caught.value.message
    assert caught.value.details["path"] == path


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "Division by zero"),
        ("1.0 / 0.0", "Division by zero"),
        ("9223372036854775807 + 1", "64 bit"),
        ("-9223372036854775807 - 2", "64 bit"),
        ("4000000000 * 4000000000", "64 bit"),
        ("1e308 * 10.0", "not finite"),
        ("1 + 'a'", "int + string"),
        ("'a' * 1000", "string * int"),
        ("!1", "!(int)"),
        ("-'a'", "-(string)"),
        ("1 && true", "not a bool"),
        ("'a' < 1", "string < int"),
        ("input.tags['x']", "does not select"),
        ("input.tags[true]", "does not select"),
        ("int('1_000')", "cannot read"),
        ("int(1e300)", "64 bit"),
        ("timestamp('now')", "not a time"),
        ("timestamp('2026-02-30T00:00:00Z')", "not a time"),
        ("duration('soon')", "not a duration"),
        ("now.getHours('../../etc/passwd')", "time zone"),
        ("'a'.matches('(?=a)')", "RE2"),
        ("sort([1, 'a'])", "cannot order"),
        ("flatten([1])", "needs a list, not an int"),
        ("parseJson('{')", "cannot read the text"),
        ("parseJson('NaN')", "is not JSON"),
        ("parseJson('99999999999999999999')", "64"),
        ("merge({}, [])", "needs a map"),
        ("min([])", "at least one"),
        ("[1, 2].filter(n, n)", "not a bool"),
        ("5.map(n, n)", "operator is missing"),
        ("(5).map(n, n)", "needs a list"),
        ("{'a': 1, 'a': 2}", "twice"),
        ("{1: 2}", "strings"),
        ("secret('shop') + 'x'", "stands alone"),
        ("secret('shop') == 'x'", "stands alone"),
        ("secret('shop').startsWith('x')", "stands alone"),
        ("{'key': secret('shop')}", "stands alone"),
        ("input.live ? secret('shop') : 'x'", "stands alone"),
        ("[1].map(n, secret('shop'))", "stands alone"),
        ("secret('shop')[input.key]", "stands alone"),
        ("size(secret('shop').key)", "stands alone"),
    ],
)
def test_an_error_gives_its_reason(source, reason):
    with pytest.raises(ExpressionError) as caught:
        value_of(source)

    assert reason in caught.value.message
    assert caught.value.code == "EXPRESSION_ERROR"


def test_a_boolean_operand_that_fails_counts_only_when_nothing_decides():
    assert value_of("input.missing > 1 || true") is True
    assert value_of("false && input.missing > 1") is False
    with pytest.raises(ExpressionError):
        value_of("input.missing > 1 || false")


def test_a_secret_comes_to_a_placeholder_whatever_the_data_says():
    secret = expressions.compile_expression('secret("shop").key')

    result = secret.evaluate({"secret": {"shop": "mine"}, "shop": "mine"})

    assert result == {"$secret": "shop", "path": ["key"]}


def test_names_may_be_lazy_mappings():
    class Steps(dict):
        pass

    lazy = Steps(pay={"output": {"id": 1}})

    assert expressions.compile_expression("steps.pay.output.id + 1").evaluate({"steps": lazy}) == 2


def test_every_function_is_documented_with_signature_and_sentence():
    rows = expressions.functions()

    assert {"split", "lower", "upper", "sum", "min", "max", "sort", "default", "size", "has", "matches", "map"} <= {
        name for name, _, _ in rows
    }
    assert all(name in signature and sentence.endswith(".") for name, signature, sentence in rows)
    assert len({name for name, _, _ in rows}) == len(rows)
