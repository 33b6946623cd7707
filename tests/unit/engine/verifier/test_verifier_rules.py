"""Data, activities, branches and the input's schema: every fault with its place and the reason."""

import pytest

from workflows_app.engine import definition
from workflows_app.engine.verifier import ActivityInfo, verify

PAY = {
    "type": "object",
    "required": ["amount"],
    "additionalProperties": False,
    "properties": {
        "amount": {"type": "number", "minimum": 0},
        "currency": {"enum": ["EUR", "USD"]},
        "lines": {"type": "array", "items": {"type": "object", "required": ["sku"]}},
        "to": {"oneOf": [{"type": "string"}, {"type": "array"}]},
    },
}
ACTIVITIES = {
    "bank.pay": ActivityInfo("bank.pay", "1.1.0", PAY),
    "bank.pay@1.0.0": ActivityInfo("bank.pay", "1.0.0", PAY),
    "bank.pay@1.1.0": ActivityInfo("bank.pay", "1.1.0", PAY),
    "core.echo": ActivityInfo("core.echo", "1.0.0", None),
}


def check(*steps, activities=ACTIVITIES, **keys):
    document = {"workflow": "a", "version": "1.0.0", "variables": {"v": 0}, "steps": list(steps), **keys}
    return verify(definition.parse(document), activities=activities)


def echo(value=1, name="x", **keys):
    return {"id": name, "activity": "core.echo", "with": {"value": value}, **keys}


def pay(**parameters):
    return {"id": "x", "activity": "bank.pay", "with": parameters}


ROOMS = {"type": "object", "properties": {"room": {}}, "additionalProperties": False}

TWO = [echo(name="a", needs=[]), echo(name="b", needs=[])]
BRANCHES = {"left": [echo(name="l")], "right": [echo(name="r")]}

FAULTS = {
    "more than there are": (
        [*TWO, echo(needs=["a", "b"], join={"at_least": 3})],
        {},
        "JOIN_UNREACHABLE",
        "steps[2].join",
        "at least 3 of 2",
    ),
    "more branches than there are": (
        [{"id": "p", "parallel": {"branches": BRANCHES, "join": {"at_least": 3}}}],
        {},
        "JOIN_UNREACHABLE",
        "steps[0].parallel.join",
        "at least 3 of 2 branches",
    ),
    "a rest of none": ([*TWO, echo(needs=["a", "b"], rest="cancel")], {}, "REST_UNUSED", "steps[2].rest", "at_least"),
    "a rest of no branches": (
        [{"id": "p", "parallel": {"branches": BRANCHES, "rest": "cancel"}}],
        {},
        "REST_UNUSED",
        "steps[0].parallel.rest",
        "",
    ),
    "forgiving twice": (
        [*TWO, echo(needs=["a", "b"], join="any", tolerate=1)],
        {},
        "TOLERATE_UNUSED",
        "steps[2].tolerate",
        "",
    ),
    "goto itself": ([echo(on_error={"goto": "x"})], {}, "GOTO_TARGET", "steps[0].on_error.goto", "later step"),
    "goto nowhere": ([echo(on_error={"goto": "y"})], {}, "GOTO_TARGET", "steps[0].on_error.goto", "`y`"),
    "goto back": ([echo(name="y"), echo(on_error={"goto": "y"})], {}, "GOTO_TARGET", "steps[1].on_error.goto", ""),
    "goto nowhere in a case": (
        [echo(on_error=[{"codes": ["A"], "then": "continue"}, {"then": {"goto": "y"}}])],
        {},
        "GOTO_TARGET",
        "steps[0].on_error[1].then.goto",
        "`y`",
    ),
    "an unknown fallback in a case": (
        [echo(on_error=[{"codes": ["A"], "then": {"fallback": {"activity": "core.ecko"}}}])],
        {},
        "UNKNOWN_TASK_TYPE",
        "steps[0].on_error[0].then.fallback.activity",
        "core.echo",
    ),
    "a case that hides those after it": (
        [echo(on_error=[{"then": "continue"}, {"codes": ["A"], "then": "fail"}])],
        {},
        "ELSE_NOT_LAST",
        "steps[0].on_error[0]",
        "only the last case",
    ),
    "a misspelt name in a case": (
        [echo(on_error=[{"when": "eror.code == 'A'", "then": "continue"}])],
        {},
        "UNKNOWN_NAME",
        "steps[0].on_error[0].when",
        "did you mean `error`",
    ),
    "goto beside": (
        [echo(on_error={"goto": "y"}), echo(name="y", needs=[])],
        {},
        "GOTO_TARGET",
        "steps[0].on_error.goto",
        "depends on `x`",
    ),
    "goto into a block": (
        [echo(on_error={"goto": "l"}), {"id": "p", "parallel": {"branches": BRANCHES}}],
        {},
        "GOTO_TARGET",
        "steps[0].on_error.goto",
        "",
    ),
    "expression that does not parse": ([echo("${ 1 + }")], {}, "EXPRESSION_ERROR", "steps[0].with.value", "complete"),
    "expression that does not end": ([echo(["a", "${ input.a"])], {}, "EXPRESSION_ERROR", "steps[0].with.value[1]", ""),
    "expression too long": ([echo("${ " + "1 + " * 5000 + "1 }")], {}, "EXPRESSION_LIMIT", "steps[0].with.value", ""),
    "too many expressions": ([echo(["${ vars.v }"] * 1001)], {}, "EXPRESSION_LIMIT", "steps[0].with", "1,000"),
    "a bad condition": ([echo(when="input.a ==")], {}, "EXPRESSION_ERROR", "steps[0].when", ""),
    "reaching into Python": ([echo("${ ().__class__ }")], {}, "EXPRESSION_ERROR", "steps[0].with.value", ""),
    "unknown function": ([echo("${ open('x') }")], {}, "EXPRESSION_ERROR", "steps[0].with.value", ""),
    "unknown name": ([echo("${ imput.a }")], {}, "UNKNOWN_NAME", "steps[0].with.value", "did you mean `input`"),
    "unknown step": ([echo(), echo("${ steps.y.output }", "z")], {}, "UNKNOWN_STEP", "steps[1].with.value", "`y`"),
    "step by a computed name": (
        [echo(), echo("${ steps[input.name].output }", "z")],
        {},
        "UNKNOWN_STEP",
        "steps[1].with.value",
        "by its id",
    ),
    "unknown field of a step": (
        [echo(), echo("${ steps.x.result }", "z")],
        {},
        "UNKNOWN_NAME",
        "steps[1].with.value",
        "steps.x.output",
    ),
    "unknown variable": ([echo("${ vars.w }")], {}, "UNKNOWN_VARIABLE", "steps[0].with.value", "`w`"),
    "unknown field of the instance": ([echo("${ instance.name }")], {}, "UNKNOWN_NAME", "steps[0].with.value", "id,"),
    "field that the input cannot have": (
        [echo("${ input.rom }")],
        {"input": ROOMS},
        "INVALID_INPUT_SOURCE",
        "steps[0].with.value",
        "did you mean `room`",
    ),
    "output outside an undo": ([echo("${ output.id }")], {}, "UNKNOWN_NAME", "steps[0].with.value", "compensate"),
    "error outside a retry": ([echo("${ error.code }")], {}, "UNKNOWN_NAME", "steps[0].with.value", "retry.when"),
    "a step that is not upstream in the condition of an undo": (
        [echo(compensate={"activity": "core.echo", "when": "steps.y.output.n > 0"}), echo(name="y")],
        {},
        "NOT_UPSTREAM",
        "steps[0].compensate.when",
        "not upstream",
    ),
    "a misspelt name in the condition of an undo": (
        [echo(compensate={"activity": "core.echo", "when": "outptu.n > 0"})],
        {},
        "UNKNOWN_NAME",
        "steps[0].compensate.when",
        "did you mean `output`",
    ),
    "an event where none arrives": (
        [echo("${ event.data }")],
        {},
        "UNKNOWN_NAME",
        "steps[0].with.value",
        "receive.where",
    ),
    "an event in its own key": (
        [{"id": "r", "receive": {"event": "e", "correlate": "${ event.id }"}}],
        {},
        "UNKNOWN_NAME",
        "steps[0].receive.correlate",
        "receive.where",
    ),
    "a condition that reads too far": (
        [{"id": "r", "receive": {"event": "e", "where": "steps.y.output == event.data"}}],
        {},
        "UNKNOWN_STEP",
        "steps[0].receive.where",
        "`y`",
    ),
    "an event made of what is not there": (
        [{"id": "s", "emit": {"event": "e", "data": {"a": ["${ vars.w }"]}}}],
        {},
        "UNKNOWN_VARIABLE",
        "steps[0].emit.data.a[0]",
        "`w`",
    ),
    "item outside a foreach": ([echo("${ item.a }")], {}, "UNKNOWN_NAME", "steps[0].with.value", "foreach"),
    "a secret where it would be stored": (
        [{"id": "s", "set": {"v": "${ secret('key') }"}}],
        {"variables": {"v": None}},
        "SECRET_PLACE",
        "steps[0].set.v",
        "`with` only",
    ),
    "a secret in a condition": (
        [{**echo(), "when": "${ secret('key') }"}],
        {},
        "SECRET_PLACE",
        "steps[0].when",
        "`with` only",
    ),
    "a secret for a sub-workflow": (
        [{"id": "s", "call": {"workflow": "w", "input": {"key": "Bearer ${ secret('key') }"}}}],
        {},
        "SECRET_PLACE",
        "steps[0].call.input.key",
        "`with` only",
    ),
    "a secret in a cache's key": (
        [{**echo(), "cache": {"ttl": "1h", "key": "${ secret('key') }"}}],
        {},
        "SECRET_PLACE",
        "steps[0].cache.key",
        "`with` only",
    ),
    "a secret in an expression": (
        [echo("${ 'Bearer ' + secret('key') }")],
        {},
        "EXPRESSION_ERROR",
        "steps[0].with.value",
        "stands alone",
    ),
    "the word alone": ([echo("${ secret.key }")], {}, "UNKNOWN_NAME", "steps[0].with.value", 'secret("name")'),
    "a first value that is an expression": (
        [echo()],
        {"variables": {"total": "${ input.a }"}},
        "NOT_AVAILABLE",
        "variables.total",
        "constants",
    ),
    "output that reads nothing": (
        [echo()],
        {"output": {"a": "${ steps.y.output }"}},
        "UNKNOWN_STEP",
        "output.a",
        "`y`",
    ),
    "a limit of a default retry that reads a step": (
        [echo()],
        {"defaults": {"retry": {"limits": [{"when": "steps.x.output", "max_attempts": 2}]}}},
        "UNKNOWN_NAME",
        "defaults.retry.limits[0].when",
        "no step",
    ),
    "a limit with a name that nobody knows": (
        [echo(retry={"limits": [{"code": "A", "max_attempts": 1}, {"when": "eror.code == 'A'", "max_attempts": 2}]})],
        {},
        "UNKNOWN_NAME",
        "steps[0].retry.limits[1].when",
        "eror",
    ),
    "a default retry that reads a step": (
        [echo()],
        {"defaults": {"retry": {"when": "steps.x.output"}}},
        "UNKNOWN_NAME",
        "defaults.retry.when",
        "no step",
    ),
    "a wait": ([{"id": "w", "wait": {"for": "${ vars.w }"}}], {}, "UNKNOWN_VARIABLE", "steps[0].wait.for", "`w`"),
    "a moment": ([{"id": "w", "wait": {"until": "vars.w"}}], {}, "UNKNOWN_VARIABLE", "steps[0].wait.until", "`w`"),
    "an assignment": ([{"id": "s", "set": {"v": "${ vars.w }"}}], {}, "UNKNOWN_VARIABLE", "steps[0].set.v", "`w`"),
    "an early output": (
        [{"id": "r", "return": {"output": ["${ vars.w }"]}}],
        {},
        "UNKNOWN_VARIABLE",
        "steps[0].return.output[0]",
        "`w`",
    ),
    "an output instead": (
        [echo(on_error={"output": "${ vars.w }"})],
        {},
        "UNKNOWN_VARIABLE",
        "steps[0].on_error.output",
        "`w`",
    ),
    "unknown activity": (
        [{"id": "x", "activity": "bank.pai"}],
        {},
        "UNKNOWN_TASK_TYPE",
        "steps[0].activity",
        "did you mean `bank.pay`",
    ),
    "unknown version of an activity": (
        [{"id": "x", "activity": "bank.pay@2.0.0"}],
        {},
        "UNKNOWN_TASK_TYPE",
        "steps[0].activity",
        "1.0.0, 1.1.0",
    ),
    "unknown activity in an undo": (
        [echo(compensate={"activity": "bank.refund"})],
        {},
        "UNKNOWN_TASK_TYPE",
        "steps[0].compensate.activity",
        "bank.refund",
    ),
    "missing parameter": ([pay(currency="EUR")], {}, "MISSING_REQUIRED_INPUT", "steps[0].with.amount", "missing"),
    "unknown parameter": ([pay(amount=1, curency="EUR")], {}, "UNKNOWN_PARAMETER", "steps[0].with.curency", "currency"),
    "parameter of the wrong type": ([pay(amount="1")], {}, "INVALID_PARAMETER", "steps[0].with.amount", "a number"),
    "parameter out of range": ([pay(amount=-1)], {}, "INVALID_PARAMETER", "steps[0].with.amount", "at least 0"),
    "fault beside an expression": (
        [pay(amount="${ input.a }", lines=["${ input.b }", {}])],
        {},
        "MISSING_REQUIRED_INPUT",
        "steps[0].with.lines[1].sku",
        "missing",
    ),
    "else that is not last": (
        [{"id": "c", "choice": [{"steps": [echo(name="a")]}, {"when": "true", "steps": [echo(name="b")]}]}],
        {},
        "ELSE_NOT_LAST",
        "steps[0].choice[0]",
        "last",
    ),
    "input schema with a remote reference": (
        [echo()],
        {"input": {"$ref": "https://example.com/x.json"}},
        "REMOTE_REF",
        "input.$ref",
        "same schema",
    ),
    "input schema with an unknown type": (
        [echo()],
        {"input": {"properties": {"a": {"type": "text"}}}},
        "INVALID_SCHEMA",
        "input.properties.a.type",
        "one of",
    ),
}


@pytest.mark.parametrize(("steps", "keys", "code", "path", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_refused_with_its_place_and_the_reason(steps, keys, code, path, reason):
    errors = [problem for problem in check(*steps, **keys) if problem.severity == "error"]
    assert [(problem.code, problem.path) for problem in errors] == [(code, path)], errors
    assert reason in errors[0].message


def test_all_faults_are_listed_at_once():
    problems = check(pay(amount="x"), echo("${ vars.w + }", "y"), echo("${ vars.w }", "z", needs=["q"]), input=5 < 3)
    assert {problem.code for problem in problems} == {
        "INVALID_PARAMETER",
        "EXPRESSION_ERROR",
        "UNKNOWN_VARIABLE",
        "UNKNOWN_NEED",
    }


SOUND = {
    "everything that can be read": [
        echo(["${ input.a.b }", "${ vars.v }", "${ instance.id }", "${ now }", "$${ literal", "$${ vars.w }"]),
        echo("${ steps.x.output.a }", "y", when="steps.x.state == 'completed' && steps.x.attempts > 0"),
    ],
    "error in a retry": [echo(retry={"when": "error.details.status >= 500"})],
    "error in an output instead": [echo(on_error={"output": {"code": "${ error.code }"}})],
    "output and with in an undo": [
        echo(),
        echo(
            name="y",
            compensate={"activity": "bank.pay", "with": {"amount": "${ output.n + with.n + steps.x.output }"}},
        ),
    ],
    "an undo that asks why, and whether it is needed": [
        echo(
            compensate={
                "activity": "core.echo",
                "with": {"why": "${ error.code }"},
                "when": "output.n > 0 && with.n > 0 && steps.x.attempts > 0 && error != null && vars.v == input.a",
            }
        )
    ],
    "a step that reads itself in its undo": [
        echo(compensate={"activity": "core.echo", "with": {"a": "${ steps.x.output }"}})
    ],
    "parameters that only runtime knows": [
        pay(amount="${ input.a }", currency="${ input.c }", lines="${ input.l }", to="${ input.to }")
    ],
    "a parameter whose text is an expression in part": [pay(amount=1, to="Order ${ input.a }")],
    "a version that is registered": [{"id": "x", "activity": "bank.pay@1.0.0", "with": {"amount": 1}}],
    "a choice with an else": [
        {"id": "c", "choice": [{"when": "input.a", "steps": [echo(name="a")]}, {"steps": [echo(name="b")]}]}
    ],
}


@pytest.mark.parametrize("steps", SOUND.values(), ids=SOUND.keys())
def test_what_is_sound_has_no_problem(steps):
    assert check(*steps) == []


def test_without_a_registry_nothing_is_said_about_activities():
    assert check({"id": "x", "activity": "no.such"}, activities=None) == []


def case(when, name):
    return {**({"when": when} if when else {}), "steps": [echo(name=name)]}


def two_cases(first, second):
    return {"id": "c", "choice": [case(first, "a"), case(second, "b")]}


END = {"id": "end", "return": {}}
BOTH_END = {"id": "c", "choice": [{"when": "true", "steps": [END]}, {"steps": [{"id": "f", "fail": {"code": "A"}}]}]}
RACE = {"id": "p", "parallel": {"branches": {"l": [END], "r": [echo()]}, "join": "any"}}

WARNINGS = {
    "more failures than there can be attempts": (
        [
            echo(
                retry={"max_attempts": 2, "limits": [{"code": "BUSY", "max_attempts": 3}]},
                on_error=[
                    {"attempts": {"at_least": 4, "within": "1m"}, "then": "continue"},
                    {"attempts": {"at_least": 5}, "then": "continue"},
                ],
            )
        ],
        "CASE_UNREACHABLE",
        "steps[0].on_error[1].attempts.at_least",
    ),
    "choice without else": ([two_cases("input.a > 1", "input.a < 1")], "BRANCH_NO_DEFAULT", "steps[0].choice"),
    "any of one": ([echo(), echo(name="y", join="any")], "JOIN_ANY_SINGLE", "steps[1].join"),
    "race of one": (
        [{"id": "p", "parallel": {"branches": {"l": [echo()]}, "join": "any"}}],
        "JOIN_ANY_SINGLE",
        "steps[0].parallel.join",
    ),
    "step behind a return": ([END, echo()], "UNREACHABLE", "steps[1]"),
    "step behind a choice that always ends": ([BOTH_END, echo()], "UNREACHABLE", "steps[1]"),
    "step behind a branch that ends": (
        [{"id": "p", "parallel": {"branches": {"l": [END], "r": [echo()]}}}, echo(name="y")],
        "UNREACHABLE",
        "steps[1]",
    ),
    "variable that is not declared": ([{"id": "s", "set": {"w": 1}}], "UNDECLARED_VARIABLE", "steps[0].set.w"),
}


@pytest.mark.parametrize(("steps", "code", "path"), WARNINGS.values(), ids=WARNINGS.keys())
def test_what_is_doubtful_is_a_warning(steps, code, path):
    assert [(p.code, p.path, p.severity) for p in check(*steps)] == [(code, path, "warning")]


def test_a_field_that_the_input_schema_does_not_name_is_a_warning():
    problems = check(echo("${ input.rom }"), input={"properties": {"room": {}}})
    assert [(p.code, p.severity) for p in problems] == [("UNDECLARED_INPUT", "warning")]


@pytest.mark.parametrize(
    "steps",
    [
        [two_cases("input.a > 1", "input.a <= 1")],
        [two_cases("${ input.ok }", "!input.ok")],
        [two_cases("input.a == 'x'", "${ input.a != 'x' }")],
        [two_cases("input.a", "true")],
        [{**END, "when": "input.a"}, echo()],
        [{**END, "disabled": True}, echo()],
        [END, echo(needs=[])],
        [RACE, echo(name="y")],
        [echo(needs=[]), {**END, "needs": []}, echo(name="y", needs=["x", "end"], join="any")],
    ],
)
def test_what_is_decided_or_avoidable_is_no_warning(steps):
    assert check(*steps) == []
