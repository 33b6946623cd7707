"""Order: unknown needs, circles with their path, and what is upstream of what."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from workflows_app.engine import definition
from workflows_app.engine.verifier import verify


def step(name, *, reads=None, **keys):
    value = f"${{ steps.{reads}.output }}" if reads else 1
    return {"id": name, "set": {"v": value}, **keys}


def check(*steps, **keys):
    document = {"workflow": "a", "version": "1.0.0", "variables": {"v": 0}, "steps": list(steps), **keys}
    return [p for p in verify(definition.parse(document), activities=None) if p.severity == "error"]


def found(problems):
    return [(problem.code, problem.path) for problem in problems]


@given(definitions(max_steps=12, events=True, people=True))
@settings(max_examples=100, deadline=None)
def test_definitions_that_are_sound_by_construction_have_no_errors(drawn):
    assert [p for p in verify(drawn, activities=None) if p.severity == "error"] == []


def test_a_need_that_no_step_answers_to_is_refused():
    problems = check(step("a"), step("b", needs=["a", "c"]))
    assert found(problems) == [("UNKNOWN_NEED", "steps[1].needs[1]")]
    assert "`c`" in problems[0].message


def test_a_need_from_another_list_is_refused_and_says_where_the_step_stands():
    inner = {"id": "p", "parallel": {"branches": {"left": [step("x")], "right": [step("y", needs=["x"])]}}}
    problems = check(inner, step("b", needs=["x"]))
    assert found(problems) == [
        ("UNKNOWN_NEED", "steps[1].needs[0]"),
        ("UNKNOWN_NEED", "steps[0].parallel.branches.right[0].needs[0]"),
    ]
    assert "steps[0].parallel.branches.left[0]" in problems[0].message


@pytest.mark.parametrize(
    ("steps", "circle", "path"),
    [
        ([step("a", needs=["a"])], "a -> a", "steps[0].needs"),
        ([step("a", needs=["b"]), step("b")], "a -> b -> a", "steps[0].needs"),
        (
            [step("a", needs=[]), step("b", needs=["d"]), step("c", needs=["b"]), step("d", needs=["c", "a"])],
            "b -> d -> c -> b",
            "steps[1].needs",
        ),
    ],
)
def test_a_circle_is_refused_with_the_way_round(steps, circle, path):
    problems = check(*steps)
    assert found(problems) == [("CYCLIC_DEPENDENCY", path)]
    assert problems[0].message.endswith(circle)


def test_separate_circles_are_all_named():
    problems = check(step("a", needs=["b"]), step("b", needs=["a"]), step("c", needs=["d"]), step("d", needs=["c"]))
    assert [problem.message.rpartition(": ")[2] for problem in problems] == ["a -> b -> a", "c -> d -> c"]


def test_a_need_of_a_later_step_is_no_circle():
    assert check(step("a", needs=["c"]), step("b", needs=[]), step("c", needs=["b"])) == []


def parallel(name, **branches):
    return {"id": name, "parallel": {"branches": branches}}


def choice(name, *cases):
    return {"id": name, "choice": [{"when": "true", "steps": list(steps)} for steps in cases]}


UPSTREAM = {
    "the step before": [step("a"), step("b", reads="a")],
    "a step long before": [step("a"), step("b"), step("c", reads="a")],
    "by needs": [step("a", needs=[]), step("b", needs=[]), step("c", needs=["a"], reads="a")],
    "through a need": [step("a"), step("b"), step("x", needs=[]), step("c", needs=["b", "x"], reads="a")],
    "inside a branch that is upstream": [parallel("p", left=[step("a")]), step("b", reads="a")],
    "deep inside": [choice("c", [parallel("p", left=[step("a")])]), step("b"), step("d", reads="a")],
    "before the enclosing block": [step("a"), parallel("p", left=[choice("c", [step("b", reads="a")])])],
    "earlier in the same branch": [parallel("p", left=[step("a"), step("b", reads="a")])],
    "a whole block": [parallel("p", left=[step("a")]), step("b", reads="p")],
}
NOT_UPSTREAM = {
    "itself": ([step("a", reads="a")], "steps[0].set.v"),
    "a later step": ([step("a", reads="b"), step("b")], "steps[0].set.v"),
    "a step beside it": ([step("a"), step("b", needs=[], reads="a")], "steps[1].set.v"),
    "beside it by needs": (
        [step("a"), step("b", needs=["a"]), step("c", needs=["a"], reads="b")],
        "steps[2].set.v",
    ),
    "another branch": (
        [parallel("p", left=[step("a")], right=[step("b", reads="a")])],
        "steps[0].parallel.branches.right[0].set.v",
    ),
    "another case": ([choice("c", [step("a")], [step("b", reads="a")])], "steps[0].choice[1].steps[0].set.v"),
    "the enclosing block": ([parallel("p", left=[step("a", reads="p")])], "steps[0].parallel.branches.left[0].set.v"),
    "inside itself": (
        [{"id": "c", "choice": [{"when": "steps.a.output", "steps": [step("a")]}]}],
        "steps[0].choice[0].when",
    ),
    "inside a block beside it": ([parallel("p", left=[step("a")]), step("b", needs=[], reads="a")], "steps[1].set.v"),
}


@pytest.mark.parametrize("steps", UPSTREAM.values(), ids=UPSTREAM.keys())
def test_what_is_upstream_can_be_read(steps):
    assert check(*steps) == []


@pytest.mark.parametrize(("steps", "path"), NOT_UPSTREAM.values(), ids=NOT_UPSTREAM.keys())
def test_reading_what_need_not_have_settled_is_refused(steps, path):
    assert found(check(*steps)) == [("NOT_UPSTREAM", path)]


@st.composite
def _graphs(draw):
    size = draw(st.integers(1, 8))
    return [draw(st.sets(st.integers(0, index - 1))) if index else set() for index in range(size)]


@given(_graphs(), st.data())
@settings(max_examples=100, deadline=None)
def test_upstream_agrees_with_walking_the_needs(graph, data):
    reader, target = data.draw(st.integers(0, len(graph) - 1)), data.draw(st.integers(0, len(graph) - 1))
    above, todo = set(), set(graph[reader])
    while todo:
        above |= todo
        todo = {need for name in todo for need in graph[name]} - above
    steps = [
        step(f"s{i}", needs=[f"s{n}" for n in sorted(needs)], reads=f"s{target}" if i == reader else None)
        for i, needs in enumerate(graph)
    ]
    assert (check(*steps) == []) == (target in above)


def test_ten_thousand_steps_that_all_read_the_first_are_checked_within_seconds():
    steps = [step("s0")] + [step(f"s{n}", needs=[f"s{n - 1}"], reads="s0") for n in range(1, 10_000)]
    document = {"workflow": "a", "version": "1.0.0", "variables": {"v": 0}, "steps": steps}
    parsed = definition.parse(document)
    started = time.process_time()
    assert verify(parsed, activities=None) == []
    assert time.process_time() - started < 20
