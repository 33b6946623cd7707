"""Parsing: the model of a sound document, and all problems of an unsound one with place and reason."""

import time
from copy import deepcopy

import pytest

from tests.strategies.whole_language import WHOLE
from workflows_app.engine import definition
from workflows_app.engine.definition.model import (
    Backoff,
    Cache,
    Compensation,
    Concurrency,
    EmitBody,
    Join,
    Kind,
    ReceiveBody,
    Retry,
    WaitBody,
)
from workflows_app.engine.definition.reactions import OnError, Reaction, Reactions
from workflows_app.engine.errors import DefinitionInvalid


def document(*steps, **keys):
    return {"workflow": "a", "version": "1.0.0", "steps": list(steps) or [{"id": "x", "set": {"v": 1}}], **keys}


def problems(text):
    with pytest.raises(DefinitionInvalid) as refused:
        definition.parse(text)
    assert all(problem.message and problem.severity == "error" for problem in refused.value.problems)
    return refused.value.problems


def activity(**keys):
    return {"id": "x", "activity": "core.echo", **keys}


BAD = {
    "no steps at all": ({"workflow": "a", "version": "1.0.0"}, "SCHEMA", "steps", "is missing"),
    "empty steps": ({"workflow": "a", "version": "1.0.0", "steps": []}, "SCHEMA", "steps", "at least one step"),
    "steps as a mapping": (document(steps={}), "SCHEMA", "steps", "list of steps"),
    "no name": ({"version": "1.0.0", "steps": [activity()]}, "SCHEMA", "workflow", "is missing"),
    "name with capitals": (document(workflow="Order_Processing"), "SCHEMA", "workflow", "kebab case"),
    "version as a number": (document(version=1.0), "SCHEMA", "version", "semantic version"),
    "version of two parts": (document(version="1.0"), "SCHEMA", "version", "semantic version"),
    "version with a leading zero": (document(version="1.02.0"), "SCHEMA", "version", "semantic version"),
    "version with a number that no database orders": (
        document(version="1.0.9223372036854775808"),
        "SCHEMA",
        "version",
        "semantic version",
    ),
    "version longer than its column": (document(version="1.0.0-" + "a" * 60), "SCHEMA", "version", "semantic version"),
    "unknown kind of document": (document(kind="graph"), "SCHEMA", "kind", "flow or state_machine"),
    "unknown key": (document(varibles={}), "SCHEMA", "varibles", "did you mean `variables`"),
    "time-out in words": (document(timeout="30 days"), "SCHEMA", "timeout", "500ms, 30s"),
    "time-out of zero": (document(timeout="0s"), "SCHEMA", "timeout", "longer than zero"),
    "time-out of zero as a number": (document(timeout=0), "SCHEMA", "timeout", "longer than zero"),
    "time-out of a year": (document(timeout="P1Y"), "SCHEMA", "timeout", "500ms, 30s"),
    "time-out of 200 years": (document(timeout="73000d"), "SCHEMA", "timeout", "100 years"),
    "unknown ending": (document(on_failure="undo"), "SCHEMA", "on_failure", "compensate, stop"),
    "variable name": (document(variables={"Total": 1}), "SCHEMA", "variables", "[a-z]"),
    "input is no schema": (document(input="object"), "SCHEMA", "input", "mapping or true or false"),
    "step is no mapping": (document("validate"), "SCHEMA", "steps[0]", "mapping with an id"),
    "step without id": (document({"activity": "core.echo"}), "SCHEMA", "steps[0].id", "is missing"),
    "id with a hyphen": (document(activity(id="a-b")), "SCHEMA", "steps[0].id", "[a-z]"),
    "no kind": (document({"id": "x"}), "NO_KIND", "steps[0]", "needs one of activity"),
    "two kinds": (document(activity(set={"v": 1})), "SEVERAL_KINDS", "steps[0]", "activity and set"),
    "mistyped kind": (document({"id": "x", "activty": "a"}), "SCHEMA", "steps[0].activty", "did you mean `activity`"),
    "with without activity": (
        document({"id": "x", "set": {"v": 1}, "with": {}}),
        "SCHEMA",
        "steps[0].with",
        "activity",
    ),
    "activity name": (document({"id": "x", "activity": "core echo"}), "SCHEMA", "steps[0].activity", "orders.validate"),
    "retry attempts": (
        document(activity(), activity(id="y"), activity(id="z", retry={"max_attempts": 0})),
        "SCHEMA",
        "steps[2].retry.max_attempts",
        "at least 1",
    ),
    "a callback with a key of events": (
        document({"id": "r", "receive": {"callback": True, "where": "true"}}),
        "SCHEMA",
        "steps[0].receive.where",
        "first answer",
    ),
    "a callback that is none": (
        document({"id": "r", "receive": {"callback": False}}),
        "SCHEMA",
        "steps[0].receive.callback",
        "true",
    ),
    "nothing to receive": (
        document({"id": "r", "receive": {"timeout": "1h"}}),
        "SCHEMA",
        "steps[0].receive.event",
        "is missing",
    ),
    "retry limit of no kind": (
        document(activity(retry={"limits": [{"max_attempts": 2}]})),
        "SCHEMA",
        "steps[0].retry.limits[0]",
        "code",
    ),
    "retry limit of two kinds": (
        document(activity(retry={"limits": [{"code": "A", "when": "true", "max_attempts": 2}]})),
        "SCHEMA",
        "steps[0].retry.limits[0]",
        "code",
    ),
    "retry limit without a number": (
        document(activity(retry={"limits": [{"code": "A"}]})),
        "SCHEMA",
        "steps[0].retry.limits[0].max_attempts",
        "is missing",
    ),
    "retry interval": (
        document(activity(retry={"initial_interval": "soon"})),
        "SCHEMA",
        "steps[0].retry.initial_interval",
        "500ms",
    ),
    "back-off": (document(activity(retry={"backoff": "expo"})), "SCHEMA", "steps[0].retry.backoff", "exponential"),
    "jitter": (document(activity(retry={"jitter": 2})), "SCHEMA", "steps[0].retry.jitter", "at most 1"),
    "on_error": (document(activity(on_error="ignore")), "SCHEMA", "steps[0].on_error", "one of fail, continue"),
    "on_error with two ways": (
        document(activity(on_error={"output": 1, "goto": "y"})),
        "SCHEMA",
        "steps[0].on_error",
        "exactly one of",
    ),
    "no case at all": (document(activity(on_error=[])), "SCHEMA", "steps[0].on_error", "must not be empty"),
    "a case that says nothing": (
        document(activity(on_error=[{"codes": ["A"]}])),
        "SCHEMA",
        "steps[0].on_error[0].then",
        "is missing",
    ),
    "a case of cases": (
        document(activity(on_error=[{"then": [{"then": "fail"}]}])),
        "SCHEMA",
        "steps[0].on_error[0].then",
        "a mapping",
    ),
    "a time without a number": (
        document(activity(on_error=[{"attempts": {"within": "10m"}, "then": "fail"}])),
        "SCHEMA",
        "steps[0].on_error[0].attempts.at_least",
        "is missing",
    ),
    "compensate in words": (document(activity(compensate="undo")), "SCHEMA", "steps[0].compensate", "irreversible"),
    "compensate without activity": (
        document(activity(compensate={"with": {}})),
        "SCHEMA",
        "steps[0].compensate.activity",
        "is missing",
    ),
    "event of two words": (
        document({"id": "r", "receive": {"event": "order created"}}),
        "SCHEMA",
        "steps[0].receive.event",
        "order.created",
    ),
    "emit without event": (document({"id": "e", "emit": {"data": 1}}), "SCHEMA", "steps[0].emit.event", "is missing"),
    "wait for an event without time": (
        document({"id": "r", "receive": {"event": "e", "timeout": 0}}),
        "SCHEMA",
        "steps[0].receive.timeout",
        "longer than zero",
    ),
    "receive with a typing error": (
        document({"id": "r", "receive": {"event": "e", "wehre": "true"}}),
        "SCHEMA",
        "steps[0].receive.wehre",
        "did you mean `where`",
    ),
    "empty branch": (
        document({"id": "p", "parallel": {"branches": {"left": []}}}),
        "SCHEMA",
        "steps[0].parallel.branches.left",
        "at least one step",
    ),
    "choice without steps": (
        document({"id": "c", "choice": [{"when": "true"}]}),
        "SCHEMA",
        "steps[0].choice[0].steps",
        "is missing",
    ),
    "deep inside": (
        document(
            {"id": "c", "choice": [{"steps": [{"id": "p", "parallel": {"branches": {"l": [activity(needs="y")]}}}]}]}
        ),
        "SCHEMA",
        "steps[0].choice[0].steps[0].parallel.branches.l[0].needs",
        "must be a list",
    ),
    "wait for both": (
        document({"id": "w", "wait": {"for": "1s", "until": "now"}}),
        "SCHEMA",
        "steps[0].wait",
        "exactly one of for, until",
    ),
    "wait for words": (document({"id": "w", "wait": {"for": "soon"}}), "SCHEMA", "steps[0].wait.for", "500ms"),
    "wait until a bare date": (
        document({"id": "w", "wait": {"until": "2026-12-24"}}),
        "SCHEMA",
        "steps[0].wait.until",
        "offset",
    ),
    "wait until no date": (
        document({"id": "w", "wait": {"until": "2026-13-24T08:00:00Z"}}),
        "SCHEMA",
        "steps[0].wait.until",
        "exists",
    ),
    "fail without code": (document({"id": "f", "fail": {}}), "SCHEMA", "steps[0].fail.code", "is missing"),
    "the same id twice": (document(activity(), activity()), "DUPLICATE_ID", "steps[1].id", "steps[0].id"),
    "the same id in a branch": (
        document(activity(), {"id": "p", "parallel": {"branches": {"left": [activity()]}}}),
        "DUPLICATE_ID",
        "steps[1].parallel.branches.left[0].id",
        "steps[0].id",
    ),
    "a branch named like a step": (
        document(activity(), {"id": "p", "parallel": {"branches": {"x": [activity(id="y")]}}}),
        "DUPLICATE_ID",
        "steps[1].parallel.branches.x",
        "steps[0].id",
    ),
    "a variable named like a step": (
        document(activity(), variables={"x": 1}),
        "DUPLICATE_ID",
        "steps[0].id",
        "variables.x",
    ),
}


@pytest.mark.parametrize(("text", "code", "path", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_document_is_refused_with_its_place_and_the_reason(text, code, path, reason):
    found = [(problem.code, problem.path) for problem in problems(text)]
    assert (code, path) in found, found
    assert any(reason in p.message for p in problems(text) if (p.code, p.path) == (code, path)), problems(text)


def test_no_message_speaks_of_schemas_or_python():
    for text, *_ in BAD.values():
        for problem in problems(text):
            for word in ("schema", "dict", "NoneType", "regex", "given", "property"):
                assert word not in problem.message.lower(), problem


def test_all_problems_are_listed_at_once():
    text = document(
        activity(id="A", retry={"jitter": -1}),
        {"id": "b"},
        {"id": "c", "loop": {"times": 2, "steps": [{"id": "b", "set": {}}]}},
        version="x",
    )
    assert {(p.code, p.path) for p in problems(text)} == {
        ("SCHEMA", "version"),
        ("SCHEMA", "steps[0].id"),
        ("SCHEMA", "steps[0].retry.jitter"),
        ("NO_KIND", "steps[1]"),
        ("SCHEMA", "steps[2].loop.steps[0].set"),
        ("DUPLICATE_ID", "steps[2].loop.steps[0].id"),
    }


UNAVAILABLE = [
    ({"id": "s", "set": {"v": 1}, "on_error": {"fallback": {"activity": "a"}}}, "on_error.fallback"),
    (
        {"id": "s", "set": {"v": 1}, "on_error": [{"then": {"fallback": {"activity": "a"}}}]},
        "on_error[0].then.fallback",
    ),
    (
        {"id": "s", "set": {"v": 1}, "on_error": [{"attempts": {"at_least": 2}, "then": "fail"}]},
        "on_error[0].attempts",
    ),
    (activity(placement={}), "placement"),
    (activity(resources={}), "resources"),
    (activity(reads=["a"]), "reads"),
    (activity(writes=["a"]), "writes"),
    ({"id": "s", "set": {"v": 1}, "idempotency_key": "a"}, "idempotency_key"),
    ({"id": "s", "set": {"v": 1}, "batch": False}, "batch"),
    ({"id": "s", "set": {"v": 1}, "retry": {}}, "retry"),
    ({"id": "s", "set": {"v": 1}, "priority": "high"}, "priority"),
    ({"id": "s", "set": {"v": 1}, "compensate": {"activity": "a"}}, "compensate"),
    ({"id": "s", "wait": {"for": "1s"}, "queue": "q"}, "queue"),
    ({"id": "s", "set": {"v": 1}, "cache": {"ttl": "1s"}}, "cache"),
    ({"id": "s", "fail": {"code": "A"}, "on_error": "continue"}, "on_error"),
    ({"id": "p", "parallel": {"branches": {"l": [activity(reads=["a"])]}}}, "parallel.branches.l[0].reads"),
]


@pytest.mark.parametrize(("step", "path"), UNAVAILABLE, ids=[path for _, path in UNAVAILABLE])
def test_what_is_not_built_yet_is_refused_and_not_ignored(step, path):
    assert [(p.code, p.path) for p in problems(document(step))] == [("NOT_AVAILABLE", f"steps[0].{path}")]


def test_every_kind_that_does_not_run_yet_is_refused_by_name():
    found = {p.path for p in problems(WHOLE) if p.code == "NOT_AVAILABLE"}
    expected = ["approval", "form"]
    assert {f"steps[{index}].{kind}" for index, kind in enumerate(expected, start=8)} <= found
    assert {"triggers", "steps[7].adhoc.steps[0].manual"} <= found


def test_a_key_that_says_what_happens_anyway_is_accepted():
    plain = activity(rest="let_finish", tolerate=0, join="all", on_error="fail", disabled=False)
    both = {"branches": {"l": [activity(id="y")]}, "rest": "let_finish", "tolerate": 0, "join": "all"}
    parsed = definition.parse(
        document(plain, {"id": "p", "parallel": both}, kind="flow", priority="normal", triggers=[])
    )
    assert parsed.steps[0] == definition.parse(document(activity())).steps[0]


def test_every_key_arrives_in_the_model():
    parsed = definition.parse(
        document(
            activity(
                id="pay",
                name="Pay",
                description="d",
                needs=[],
                when="${ input.ok }",
                join="any",
                timeout="5m",
                deadline="1h",
                queue="slow",
                priority="high",
                cache={"ttl": "2m", "key": "${ with.amount }"},
                disabled=True,
                notes="n",
                ui={"x": 1, "y": 2.5},
                on_error={"output": {"a": None}},
                compensate={"activity": "bank.refund", "with": {"id": "${ output.id }"}, "timeout": 5, "retry": {}},
                **{"with": {"amount": "${ input.amount }"}},
            ),
            input={"type": "object"},
            variables={"receipt": None},
            timeout="30d",
            on_failure="stop",
            on_cancel="compensate",
            on_timeout="stop",
            priority="low",
            concurrency={"limit": 10, "key": "${ input.customer }"},
            defaults={"timeout": "10s", "retry": {"max_attempts": 7}},
            output={"r": "${ vars.receipt }"},
            title="t",
            description="d",
            metadata={"owner": "sales"},
        )
    )
    step = parsed.steps[0]
    assert (step.id, step.kind, step.name, step.needs, step.when) == ("pay", Kind.ACTIVITY, "Pay", (), "${ input.ok }")
    assert (step.join, step.timeout, step.deadline, step.queue, step.disabled) == (
        Join(quorum=1),
        300,
        3600,
        "slow",
        True,
    )
    assert step.on_error == Reactions(plain=Reaction(kind=OnError.OUTPUT, output={"a": None}))
    assert step.compensate == Compensation(
        activity="bank.refund", parameters={"id": "${ output.id }"}, timeout=5, retry=Retry()
    )
    assert (step.priority, step.cache) == ("high", Cache(ttl=120, key="${ with.amount }"))
    assert (parsed.priority, parsed.concurrency) == ("low", Concurrency(limit=10, key="${ input.customer }"))
    assert (step.notes, step.ui) == ("n", {"x": 1, "y": 2.5})
    assert (parsed.name, parsed.version, parsed.title, parsed.metadata) == ("a", "1.0.0", "t", {"owner": "sales"})
    assert (parsed.timeout, parsed.on_failure, parsed.on_cancel, parsed.on_timeout) == (
        2592000,
        "stop",
        "compensate",
        "stop",
    )
    assert (parsed.default_timeout, parsed.default_retry) == (10, Retry(max_attempts=7))
    assert (parsed.input_schema, parsed.variables, parsed.output) == (
        {"type": "object"},
        {"receipt": None},
        {"r": "${ vars.receipt }"},
    )


def test_silence_stays_silence():
    step = definition.parse(document(activity())).steps[0]
    assert (step.needs, step.retry, step.timeout, step.deadline, step.compensate) == (None, None, None, None, None)
    assert not step.irreversible
    assert definition.parse(document(activity(compensate="irreversible"))).steps[0].irreversible


def test_a_partial_retry_takes_the_defaults_of_the_language_and_not_of_the_document():
    text = document(activity(retry={"backoff": "linear"}), defaults={"retry": {"max_attempts": 9, "jitter": 1}})
    step = definition.parse(text).steps[0]
    assert step.retry == Retry(max_attempts=3, backoff=Backoff.LINEAR, jitter=0.1)


@pytest.mark.parametrize("written", [True, "true"])
def test_a_condition_may_be_a_yaml_boolean(written):
    assert definition.parse(document(activity(when=written))).steps[0].when == "true"


@pytest.mark.parametrize(
    ("written", "body"),
    [
        ({"for": "2d"}, WaitBody(duration=172800)),
        ({"for": 0}, WaitBody(duration=0)),
        ({"for": "${ vars.pause }"}, WaitBody(duration="${ vars.pause }")),
        ({"until": "2026-12-24t08:00:00z"}, WaitBody(until="2026-12-24T08:00:00Z")),
        ({"until": "input.at"}, WaitBody(until="${ input.at }")),
        ({"until": "${ input.at }"}, WaitBody(until="${ input.at }")),
    ],
)
def test_a_wait_takes_times_and_expressions(written, body):
    assert definition.parse(document({"id": "w", "wait": written})).steps[0].body == body


def test_what_waits_for_an_event_and_what_publishes_one_arrive_in_the_model():
    wait = {"event": "order.created", "correlate": "${ input.id }", "where": True, "timeout": "2d"}
    tell = {"event": "told", "data": [1], "correlate": "k"}
    parsed = definition.parse(document({"id": "r", "receive": wait}, {"id": "e", "emit": tell}))

    assert [step.body for step in parsed.steps] == [
        ReceiveBody(event="order.created", correlate="${ input.id }", where="true", timeout=172800.0),
        EmitBody(event="told", data=[1], correlate="k"),
    ]


def test_a_document_that_is_no_json_is_refused_before_anything_else():
    assert [(p.code, p.path) for p in problems(document(variables={"v": {1}}))] == [("NOT_JSON", "variables.v")]


def test_deeply_nested_steps_are_checked_without_exhausting_the_stack():
    step = activity(id="innermost", retry={"jitter": 5})
    for level in range(20):
        step = {"id": f"c{level}", "choice": [{"steps": [step]}]}
    found = problems(document(step))
    assert [(p.code, p.path.count("choice")) for p in found] == [("SCHEMA", 20)]


def test_the_document_is_left_as_it_was():
    text = document(activity(retry={}, when=True), {"id": "w", "wait": {"until": "input.at"}})
    before = deepcopy(text)
    definition.parse(text)
    assert text == before


def test_a_document_of_a_megabyte_full_of_faults_is_refused_quickly():
    steps = [{"id": f"s{n}", "activitty": 1, "wit": 2} for n in range(20_000)]
    started = time.process_time()
    found = problems(document(*steps))
    assert time.process_time() - started < 20
    assert len(found) == 100


def test_a_sound_document_of_a_megabyte_is_read_within_seconds():
    steps = "".join(f"- {{id: s{n}, set: {{v: 1}}}}\n" for n in range(20_000))
    started = time.process_time()
    definition.parse(definition.load(f"workflow: a\nversion: 1.0.0\nsteps:\n{steps}"))
    assert time.process_time() - started < 40
