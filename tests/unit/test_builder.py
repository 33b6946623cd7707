"""The builder reads like the YAML, and every document can be written as Python that builds it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.docs.pages import DOCS, blocks
from tests.strategies import joins
from tests.strategies.definitions import documents
from tests.strategies.whole_language import WHOLE
from workflows_app import builder as b
from workflows_app.engine import definition

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)
NAMES = st.text(max_size=9) | st.sampled_from(
    [
        "id",
        "activity",
        "name",
        "timeout",
        "timout",
        "join",
        "class",
        "with_",
        "values",
        "branches",
        "amount",
        "ﬁ",
        "as",
        "as_",
        "while",
        "until",
    ]
)


def rebuilt(document: object) -> object:
    namespace: dict = {}
    exec(b.source(document), namespace)
    return namespace["document"]


def exact(document: object) -> str:
    return json.dumps(document, sort_keys=True)


@given(documents(events=True, people=True) | joins.documents())
@settings(max_examples=150, deadline=None)
def test_a_document_is_rebuilt_from_its_source(document):
    dumped = definition.dump(definition.parse(document))

    assert exact(rebuilt(document)) == exact(document)
    assert exact(rebuilt(dumped)) == exact(dumped)


@given(st.dictionaries(NAMES, VALUES, max_size=4), NAMES, VALUES)
@settings(max_examples=300, deadline=None)
def test_whatever_names_and_values_a_step_holds_it_is_rebuilt(named, key, value):
    kinds = [{"activity": "core.echo", "with": named}, {"set": named}, {"parallel": {"branches": named, key: value}}]
    kinds += [{"foreach": {"items": value, "steps": [value], **named}}, {"foreach": {"steps": [value], key: value}}]
    kinds += [{"loop": {"steps": [value], "times": value, **named}}, {"loop": {"steps": [value], key: value}}]
    kinds += [{"adhoc": {"steps": [value], **named}}, {"adhoc": {"steps": [value], "complete_when": value, key: value}}]
    kinds += [{"call": {"workflow": value, "version": value, key: value}}]
    words = "activity set choice parallel foreach loop adhoc wait decide receive emit call return fail with"
    kinds += [{kind: value} for kind in words.split()]
    kinds += [{"decide": {"table": value, **named}}, {"decide": {"table": value, "input": value, "version": value}}]
    kinds += [{"choice": [value, {"when": value, "steps": [value], key: value}]}, {"wait": {"for": value, key: value}}]
    steps = [{key: value, "id": value, **kind} for kind in kinds] + [value]
    document = {"workflow": "w", "version": value, "steps": steps, key: value}

    assert exact(rebuilt(document)) == exact(document)


@pytest.mark.parametrize("document", [WHOLE, {}, {"workflow": "w"}, {"workflow": "w", "version": "1.0.0", "steps": {}}])
def test_what_the_builder_has_no_words_for_is_written_out(document):
    assert rebuilt(document) == document


def test_a_decision_reads_like_the_yaml():
    built = b.decide("rule", table="fees", version="1.0.0", input={"n": 1}, on_error="continue")

    assert built == {
        "id": "rule",
        "decide": {"table": "fees", "version": "1.0.0", "input": {"n": 1}},
        "on_error": "continue",
    }
    with pytest.raises(TypeError):
        b.decide("rule", table="fees", versoin="1.0.0")


def test_a_workflow_reads_like_the_yaml():
    built = b.workflow(
        "order",
        "1.0.0",
        b.activity("validate", "core.echo", order="${ input.order_id }", timeout="30s", retry={"max_attempts": 3}),
        b.choice(
            "size",
            b.when("input.amount > 100", b.activity("big", "core.echo")),
            b.otherwise(b.activity("small", "core.echo")),
        ),
        b.parallel(
            "tell",
            mail=[b.activity("by_mail", "core.echo")],
            phone=[b.activity("by_phone", "core.echo")],
            join="any",
            rest="cancel",
            on_error="continue",
        ),
        b.foreach(
            "each",
            "input.lines",
            b.activity("price", "core.echo", amount="${ line.amount }"),
            as_="line",
            max_concurrency=4,
            collect="${ steps.price.output.amount }",
            tolerate=1,
            when="input.slow",
        ),
        b.loop("poll", b.activity("ask", "core.echo"), until="iteration == 2", max_iterations=9, timeout="1h"),
        b.loop("count", b.set_("inc", receipt="x"), while_="iteration < 2"),
        b.foreach(
            "pairs", [1, 2, 3], b.activity("pair", "core.echo"), batch_size=2, join={"at_least": 1}, rest="cancel"
        ),
        b.wait("pause", for_="2h", when="input.slow"),
        b.wait("morning", until="2026-12-24T08:00:00Z", needs=["size"]),
        b.receive("paid", "payment.received", correlate="k", where="event.data.ok", within="2d", needs=[]),
        b.receive("answered", callback={"secret": "bank"}, within="1h"),
        b.emit("told", "order.told", data={"n": 1}, correlate="k"),
        b.call("bill", "billing", version="1.0.0", input={"order": 7}, deadline="1h"),
        b.set_("done", receipt="x", needs=["pause", "morning"]),
        b.fail("no", code="NO", message="no such order", disabled=True),
        b.return_("end", output={"receipt": "${ vars.receipt }"}),
        variables={"receipt": ""},
        timeout="30d",
        on_failure="compensate",
        output={"receipt": None},
    )

    assert built == definition.load("""
workflow: order
version: 1.0.0
variables: {receipt: ""}
timeout: 30d
on_failure: compensate
steps:
  - id: validate
    activity: core.echo
    with: {order: "${ input.order_id }"}
    timeout: 30s
    retry: {max_attempts: 3}
  - id: size
    choice:
      - when: input.amount > 100
        steps: [{id: big, activity: core.echo}]
      - steps: [{id: small, activity: core.echo}]
  - id: tell
    on_error: continue
    parallel:
      join: any
      rest: cancel
      branches:
        mail: [{id: by_mail, activity: core.echo}]
        phone: [{id: by_phone, activity: core.echo}]
  - id: each
    when: input.slow
    foreach:
      items: input.lines
      as: line
      max_concurrency: 4
      collect: "${ steps.price.output.amount }"
      tolerate: 1
      steps: [{id: price, activity: core.echo, with: {amount: "${ line.amount }"}}]
  - {id: poll, timeout: 1h, loop: {until: iteration == 2, max_iterations: 9, steps: [{id: ask, activity: core.echo}]}}
  - {id: count, loop: {while: iteration < 2, steps: [{id: inc, set: {receipt: x}}]}}
  - id: pairs
    foreach:
      {items: [1, 2, 3], batch_size: 2, join: {at_least: 1}, rest: cancel, steps: [{id: pair, activity: core.echo}]}
  - {id: pause, when: input.slow, wait: {for: 2h}}
  - {id: morning, needs: [size], wait: {until: "2026-12-24T08:00:00Z"}}
  - {id: paid, needs: [], receive: {event: payment.received, correlate: k, where: event.data.ok, timeout: 2d}}
  - {id: answered, receive: {callback: {secret: bank}, timeout: 1h}}
  - {id: told, emit: {event: order.told, data: {n: 1}, correlate: k}}
  - {id: bill, call: {workflow: billing, version: 1.0.0, input: {order: 7}}, deadline: 1h}
  - {id: done, needs: [pause, morning], set: {receipt: x}}
  - {id: "no", disabled: true, fail: {code: "NO", message: no such order}}
  - {id: end, return: {output: {receipt: "${ vars.receipt }"}}}
output: {receipt: null}
""")
    definition.parse(built)


def test_names_that_are_keywords_go_into_a_mapping():
    assert b.activity("a", "core.echo", with_={"timeout": 1, "if": 2}, x=3, timeout="5s") == {
        "id": "a", "activity": "core.echo", "with": {"timeout": 1, "if": 2, "x": 3}, "timeout": "5s",
    }  # fmt: skip
    assert b.set_("a", values={"name": 1}, name="A") == {"id": "a", "set": {"name": 1}, "name": "A"}
    assert b.parallel("a", branches={"join": []}, join="any")["parallel"] == {"branches": {"join": []}, "join": "any"}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: b.workflow("w", "1.0.0", on_failur="stop"), r"workflow\(\) has no keyword 'on_failur'.*'on_failure'"),
        (lambda: b.wait("w", for_="1s", whenn="true"), r"wait\(\) has no keyword 'whenn'; did you mean 'when'"),
        (lambda: b.fail("w", code="X", zzz=1), r"fail\(\) has no keyword 'zzz'; it takes name, description"),
        (lambda: b.choice("w", timout="1s"), "did you mean 'timeout'"),
        (lambda: b.return_("w", timout="1s"), "did you mean 'timeout'"),
        (lambda: b.activity("w", "core.echo", timout="1s"), r"did you mean 'timeout'\? If not, write with_=\{'timout'"),
        (lambda: b.set_("w", timout="1s"), r"If not, write values=\{'timout'"),
        (lambda: b.parallel("w", quue=[]), r"If not, write branches=\{'quue'"),
        (lambda: b.activity("w", "core.echo", with_={"a": 1}, a=2), "has 'a' twice"),
        (lambda: b.foreach("w", [], max_concurency=1), r"foreach\(\) has no keyword.*; did you mean 'max_concurrency'"),
        (lambda: b.foreach("w", [], **{"as": "x"}), "did you mean 'as_'"),
        (lambda: b.loop("w", until="true", timout="1s"), "did you mean 'timeout'"),
        (lambda: b.loop("w"), "one of while_, until and times"),
        (lambda: b.loop("w", while_="true", times=2), "one of while_, until and times"),
        (lambda: b.wait("w"), "one of for_ and until"),
        (lambda: b.wait("w", for_="1s", until="x"), "one of for_ and until"),
    ],
)  # fmt: skip
def test_a_wrong_keyword_is_refused_with_what_is_right(wrong, reason):
    with pytest.raises(TypeError, match=reason):
        wrong()


def test_a_source_is_laid_out_for_reading():
    document = b.workflow(
        "order",
        "1.0.0",
        b.parallel(
            "tell",
            mail=[b.activity("by_mail", "core.echo", text='it\'s "done"')],
            phone=[b.activity("by_phone", "core.echo")],
            join="any",
        )
        | {"tolerate": 1, "priority": "normal"},
        b.foreach("each", "input.lines", b.wait("pause", for_="1s"), as_="line") | {"join": "any"},
        b.loop("again", b.set_("inc", n=1), while_="vars.n < 3"),
        b.activity("last", "core.echo", with_={"name": "Ada", "in": [1.0, None]}, timeout=9),
        title="Order",
    )

    assert b.source(document) == (
        "from workflows_app import builder as b\n"
        "\n"
        "document = b.workflow(\n"
        '    "order",\n'
        '    "1.0.0",\n'
        "    b.parallel(\n"
        '        "tell",\n'
        '        mail=[b.activity("by_mail", "core.echo", text=\'it\\\'s "done"\')],\n'
        '        phone=[b.activity("by_phone", "core.echo")],\n'
        '        join="any",\n'
        '    ) | {"tolerate": 1, "priority": "normal"},\n'
        '    b.foreach("each", "input.lines", b.wait("pause", for_="1s"), as_="line") | '
        '{"join": "any"},\n'
        '    b.loop("again", b.set_("inc", n=1), while_="vars.n < 3"),\n'
        '    b.activity("last", "core.echo", with_={"name": "Ada", "in": [1.0, None]}, timeout=9),\n'
        '    title="Order",\n'
        ")\n"
    )


def test_the_guide_shows_what_the_builder_gives():
    python, yaml = (block for block in blocks(DOCS / "guides" / "builder.md") if block.info in ("python", "yaml"))
    namespace: dict = {}

    exec(python.text, namespace)

    assert namespace["order"] == definition.load(yaml.text)
