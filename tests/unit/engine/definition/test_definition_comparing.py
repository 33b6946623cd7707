"""Comparing: what means the same has no difference, and every change is named at its place."""

import json
from copy import deepcopy

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.strategies import joins
from tests.strategies.definitions import definitions, documents
from workflows_app.engine import definition
from workflows_app.engine.definition import shape
from workflows_app.engine.definition.comparing import Change, differences

DRAWN = definitions(events=True, people=True) | joins.joining()
DOCUMENTS = documents(events=True, people=True) | joins.documents()
MIRRORED = {Change.ADDED: Change.REMOVED, Change.REMOVED: Change.ADDED}

# A key that every step may have, and a value that no strategy draws.
STEP_KEYS = {
    "name": "another", "description": "another", "notes": ["another"], "ui": {"x": 1}, "when": "7 > 8",
    "join": {"at_least": 7}, "rest": "cancel", "tolerate": 7, "join_deadline": "77s", "timeout": "77s",
    "deadline": "77s", "disabled": True,
}  # fmt: skip
DOCUMENT_KEYS = {
    "workflow": "another", "title": "another", "description": "another", "metadata": {"a": 1},
    "input": {"type": "null"}, "timeout": "77s", "retention": "77s", "output": ["another"],
}  # fmt: skip

BASE = {
    "workflow": "order",
    "version": "1.0.0",
    "metadata": {"owner": "sales"},
    "input": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b c": {"minimum": 0}}},
    "variables": {"total": 0},
    "on_failure": "stop",
    "on_cancel": "stop",
    "on_timeout": "stop",
    "defaults": {"timeout": "30s", "retry": {"max_attempts": 2}},
    "steps": [
        {
            "id": "charge",
            "activity": "core.echo",
            "with": {"amount": 1, "to": {"name": "ada"}},
            "retry": {"max_attempts": 3},
            "on_error": {"output": {"paid": 0}},
            "compensate": {"activity": "core.echo", "with": {"x": 1}},
        },
        {"id": "sum", "set": {"total": 1}},
        {
            "id": "size",
            "choice": [
                {"when": "input.a == 'b'", "steps": [{"id": "big", "activity": "core.echo"}]},
                {"steps": [{"id": "small", "activity": "core.echo"}]},
            ],
        },
        {
            "id": "tell",
            "parallel": {
                "join": "any",
                "branches": {
                    "mail": [{"id": "by_mail", "activity": "core.echo"}],
                    "phone": [{"id": "by_phone", "activity": "core.echo"}],
                },
            },
        },
        {"id": "pause", "wait": {"for": "1h"}},
        {"id": "no", "when": "false", "fail": {"code": "NO", "message": "no"}},
        {"id": "end", "return": {"output": {"a": 1}}},
    ],
    "output": {"total": "${ vars.total }"},
}


def found(old: dict, new: dict) -> list[tuple[str, str, object, object]]:
    return [(d.kind.value, d.path, d.old, d.new) for d in differences(definition.parse(old), definition.parse(new))]


def comparable(drawn) -> set[str]:
    return {json.dumps(each.as_dict()) for each in drawn}


@given(DRAWN)
@settings(max_examples=100, deadline=None)
def test_a_definition_does_not_differ_from_itself(drawn):
    assert differences(drawn, drawn) == ()
    assert differences(drawn, definition.parse(definition.dump(drawn))) == ()


@given(DRAWN, DRAWN)
@settings(max_examples=100, deadline=None)
def test_the_other_way_round_added_is_removed_and_old_is_new(one, other):
    forth, back = differences(one, other), differences(other, one)

    mirrored = [type(each)(MIRRORED.get(each.kind, each.kind), each.path, each.new, each.old) for each in back]
    assert comparable(forth) == comparable(mirrored)
    assert len({each.path for each in forth}) == len(forth)


@given(st.data(), DOCUMENTS)
@settings(max_examples=100, deadline=None)
def test_a_step_that_is_gone_is_removed(data, document):
    new = deepcopy(document)
    lists = [new["steps"]]
    for _, step in shape.walk(new["steps"], ()):
        lists += [entries for _, entries in shape.inner_lists(step)]
    steps = data.draw(st.sampled_from(lists))
    assume(len(steps) > 1)
    gone = steps.pop(data.draw(st.integers(0, len(steps) - 1)))
    expected = {f"steps.{step['id']}" for _, step in shape.walk([gone], ())}
    for each in steps:
        if gone["id"] in each.get("needs", ()):
            each["needs"].remove(gone["id"])

    answer = differences(definition.parse(document), definition.parse(new))

    assert {each.path for each in answer if each.kind is Change.REMOVED and each.path.count(".") == 1} >= expected
    assert not [each for each in answer if each.kind is Change.ADDED]


@given(st.data(), DOCUMENTS)
@settings(max_examples=200, deadline=None)
def test_a_changed_key_of_a_step_is_the_one_difference_and_at_its_place(data, document):
    new = deepcopy(document)
    step = data.draw(st.sampled_from([step for _, step in shape.walk(new["steps"], ())]))
    key = data.draw(st.sampled_from(sorted(STEP_KEYS)))
    # Of two mappings the place of the difference is inside.
    assume(step.get(key) != STEP_KEYS[key] and not isinstance(step.get(key), dict))
    step[key] = STEP_KEYS[key]

    ((_, path, _, value),) = found(document, new)

    assert (path, value) == (f"steps.{step['id']}.{key}", STEP_KEYS[key])


@given(st.sampled_from(sorted(DOCUMENT_KEYS)), DOCUMENTS)
@settings(max_examples=100, deadline=None)
def test_a_changed_key_of_the_document_is_the_one_difference_and_at_its_place(key, document):
    answer = found(document, {**document, key: DOCUMENT_KEYS[key]})

    assert {path.partition(".")[0] for _, path, _, _ in answer} == {key}


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        (["metadata", "owner"], "it", ("changed", "metadata.owner", "sales", "it")),
        (["input", "required"], ["a", "b"], ("changed", "input.required", ["a"], ["a", "b"])),
        (["input", "properties", "b c", "minimum"], 1, ("changed", 'input.properties["b c"].minimum', 0, 1)),
        (["variables", "total"], 0.0, ("changed", "variables.total", 0, 0.0)),
        (["variables", "total"], False, ("changed", "variables.total", 0, False)),
        (["variables", "more"], None, ("added", "variables.more", None, None)),
        (["on_cancel"], "compensate", ("changed", "on_cancel", "stop", "compensate")),
        (["defaults", "timeout"], "1m", ("changed", "defaults.timeout", "30s", "1m")),
        (["defaults", "retry", "jitter"], 1, ("changed", "defaults.retry.jitter", 0.1, 1.0)),
        (["output", "total"], 1, ("changed", "output.total", "${ vars.total }", 1)),
        (["steps", 0, "activity"], "core.log", ("changed", "steps.charge.activity", "core.echo", "core.log")),
        (["steps", 0, "with", "amount"], 2, ("changed", "steps.charge.with.amount", 1, 2)),
        (["steps", 0, "with", "to", "name"], "bob", ("changed", "steps.charge.with.to.name", "ada", "bob")),
        (["steps", 0, "retry", "max_attempts"], 4, ("changed", "steps.charge.retry.max_attempts", 3, 4)),
        (["steps", 0, "on_error"], "continue",
         ("changed", "steps.charge.on_error", {"output": {"paid": 0}}, "continue")),
        (["steps", 0, "compensate", "with", "x"], 2, ("changed", "steps.charge.compensate.with.x", 1, 2)),
        (["steps", 0, "compensate", "when"], "output.x", ("added", "steps.charge.compensate.when", None, "output.x")),
        (["steps", 0, "queue"], "slow", ("added", "steps.charge.queue", None, "slow")),
        (["steps", 1, "set", "total"], 2, ("changed", "steps.sum.set.total", 1, 2)),
        (["steps", 1, "needs"], [], ("changed", "steps.sum.needs", ["charge"], [])),
        (["steps", 2, "choice", 0, "when"], "true", ("changed", "steps.size.choice[0].when", "input.a == 'b'", "true")),
        (["steps", 3, "parallel", "join"], {"at_least": 2},
         ("changed", "steps.tell.parallel.join", "any", {"at_least": 2})),
        (["steps", 3, "parallel", "rest"], "cancel", ("added", "steps.tell.parallel.rest", None, "cancel")),
        (["steps", 4, "wait", "for"], "2h", ("changed", "steps.pause.wait.for", "1h", "2h")),
        (["steps", 5, "fail", "code"], "YES", ("changed", "steps.no.fail.code", "NO", "YES")),
        (["steps", 6, "return", "output", "a"], 2, ("changed", "steps.end.return.output.a", 1, 2)),
    ],
)  # fmt: skip
def test_a_change_is_named_at_its_place_with_both_values(place, value, expected):
    new = deepcopy(BASE)
    inner = new
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value

    answer = found(BASE, new)

    # Values are compared with their types.
    assert json.dumps(answer) == json.dumps([expected])


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2.0.0"},
        {"kind": "flow"},
        {"variables": {"total": 0}, "priority": "normal"},
        {"defaults": {"retry": {"jitter": 0.1, "max_attempts": 2}, "timeout": 30}},
    ],
)
def test_another_spelling_or_version_is_no_difference(change):
    assert found(BASE, {**BASE, **change}) == []


def steps(*steps: dict, **keys: object) -> dict:
    return {"workflow": "w", "version": "1.0.0", "steps": list(steps), **keys}


def echo(id: str, **keys: object) -> dict:
    return {"id": id, "activity": "core.echo", **keys}


@pytest.mark.parametrize(
    "other",
    [
        steps(echo("a"), echo("b", needs=["a"]), echo("c")),
        steps(echo("a"), echo("b"), echo("c", needs=["b"])),
        steps(echo("b", needs=["a"]), echo("a", needs=[]), echo("c", needs=["b"])),
    ],
)
def test_the_same_order_written_otherwise_is_no_difference(other):
    assert found(steps(echo("a"), echo("b"), echo("c")), other) == []


def test_needs_are_compared_as_they_resolve():
    chain = steps(echo("a"), echo("b"), echo("c"))

    assert found(chain, steps(echo("a"), echo("c"), echo("b"))) == [
        ("changed", "steps.b.needs", ["a"], ["c"]),
        ("changed", "steps.c.needs", ["b"], ["a"]),
    ]
    assert found(chain, steps(echo("a"), echo("c"))) == [
        ("removed", "steps.b", {"in": "steps", "kind": "activity", "needs": ["a"], "activity": "core.echo"}, None),
        ("changed", "steps.c.needs", ["b"], ["a"]),
    ]


def test_a_step_in_another_list_is_moved():
    new = deepcopy(BASE)
    new["steps"][2]["choice"][0]["steps"].insert(0, new["steps"].pop(1))

    assert found(BASE, new) == [
        ("moved", "steps.sum", "steps", "steps.size.choice[0]"),
        ("changed", "steps.sum.needs", ["charge"], []),
        ("changed", "steps.size.needs", ["sum"], ["charge"]),
        ("changed", "steps.big.needs", [], ["sum"]),
    ]


def test_another_last_step_changes_what_a_branch_gives():
    def branch(*inner: dict) -> dict:
        return steps({"id": "p", "parallel": {"branches": {"x": list(inner)}}})

    answer = found(branch(echo("a", needs=[]), echo("b", needs=[])), branch(echo("b", needs=[]), echo("a", needs=[])))

    assert answer == [("changed", "steps.p.parallel.branches.x.last", "b", "a")]


def test_another_kind_is_named():
    new = steps({"id": "a", "wait": {"for": "1h"}})

    assert found(steps(echo("a")), new) == [
        ("changed", "steps.a.kind", "activity", "wait"),
        ("removed", "steps.a.activity", "core.echo", None),
        ("added", "steps.a.wait", None, {"for": "1h"}),
    ]


def test_policies_are_compared_as_they_work_out():
    undo = {"compensate": {"activity": "core.echo"}}

    assert found(steps(echo("a")), steps(echo("a"), on_failure="stop")) == []
    assert found(steps(echo("a", **undo)), steps(echo("a", **undo), on_failure="compensate")) == []
    assert found(steps(echo("a")), steps(echo("a", **undo))) == [
        ("changed", "on_failure", "stop", "compensate"),
        ("changed", "on_cancel", "stop", "compensate"),
        ("changed", "on_timeout", "stop", "compensate"),
        ("added", "steps.a.compensate", None, {"activity": "core.echo"}),
    ]


def test_another_version_of_a_decision_table_and_another_input_are_told_apart():
    def asking(**asked):
        return definition.parse({**BASE, "steps": [{"id": "rule", "decide": {"table": "fees", **asked}}]})

    found = differences(asking(input={"n": 1}), asking(input={"n": 2}, version="1.0.0"))

    assert {(each.kind.value, each.path, each.old, each.new) for each in found} == {
        ("changed", "steps.rule.decide.input.n", 1, 2),
        ("added", "steps.rule.decide.version", None, "1.0.0"),
    }
