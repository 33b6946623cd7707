"""data.transform: every operation, and its refusals with their places."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.activities.transforming import failed, refused, transform
from workflows_app.activities import registry
from workflows_app.engine import values

PEOPLE = [
    {"name": "Ada", "age": 36, "city": "London", "address": {"zip": "N1"}},
    {"name": "Bob", "age": None, "city": "Paris"},
    {"name": "Cyd", "age": 20, "city": "London", "address": {"zip": "E2"}},
]


def unaccepted(*operations):
    error = refused([], *operations)
    assert error.code == "INVALID_PARAMETERS"
    return error.message


# ---------------------------------------------------------------- the list of operations
@pytest.mark.parametrize("value", [None, 1, "text", [1, [2]], {"a": {"b": None}}])
def test_without_operations_the_input_is_the_result(value):
    assert transform(value) == value


def test_operations_work_on_the_result_of_the_one_before_and_leave_the_input_alone():
    given_people = [dict(person) for person in PEOPLE]

    result = transform(
        given_people,
        {"op": "filter", "where": "item.city == 'London'"},
        {"op": "sort", "by": ["age"]},
        {"op": "upper", "fields": ["name", "address.zip"]},
        {"op": "limit", "count": 1},
        {"op": "map", "value": "item.name"},
    )

    assert result == ["CYD"]
    assert given_people == PEOPLE


@pytest.mark.parametrize(
    ("operation", "place"),
    [
        ({"op": "mapp", "value": "1"}, "with.operations[0].op: must be one of"),
        ({}, "with.operations[0].op: is missing"),
        ({"op": "filter", "wehre": "true"}, "with.operations[0].wehre: is not a known key; did you mean `where`?"),
        ({"op": "filter"}, "with.operations[0].where: is missing"),
        ({"op": "filter", "where": True}, "with.operations[0].where: must be text"),
        ({"op": "filter", "where": "true", "count": 1}, "with.operations[0].count: does not go with this `op`"),
        ({"op": "remove_nulls", "fields": ["a"]}, "with.operations[0].fields: does not go with this `op`"),
        ({"op": "map"}, "with.operations[0]: takes either `fields` or `value`"),
        ({"op": "map", "value": "1", "fields": {"a": "1"}}, "with.operations[0]: takes either `fields` or `value`"),
        ({"op": "sort", "by": []}, "with.operations[0].by: must not be empty"),
        ({"op": "sort", "by": ["a..b"]}, "with.operations[0].by[0]: must be a path"),
        ({"op": "sort", "by": ["a"], "descending": "yes"}, "with.operations[0].descending: must be true or false"),
        ({"op": "aggregate", "group_by": [], "values": {"n": {"total": "a"}}}, "operations[0].values.n.total"),
        ({"op": "aggregate", "group_by": [], "values": {"n": {"sum": "a", "min": "a"}}}, "must have one key"),
        ({"op": "join", "with": [], "on": {}}, "with.operations[0].on: must not be empty"),
        ({"op": "join", "with": [], "on": {"a": "b"}, "kind": "cross"}, "with.operations[0].kind: must be one of"),
        ({"op": "template", "text": "{a"}, "with.operations[0].text: must hold paths"),
        ({"op": "template", "text": "{a.__class__[x]}"}, "with.operations[0].text: must hold paths"),
        ({"op": "split", "field": "a", "by": "", "into": "b"}, "with.operations[0].by: must not be empty"),
        ({"op": "split", "field": "a", "by": ",", "into": "b.c"}, "with.operations[0].into: must be the name"),
        ({"op": "format_date", "field": "a", "format": "%Q", "into": "b"}, "operations[0].format: has a directive"),
        ({"op": "format_date", "field": "a", "format": "100%", "into": "b"}, "operations[0].format: has a directive"),
        ({"op": "select", "fields": ["a.b"]}, "with.operations[0].fields[0]: must be the name"),
        ({"op": "limit", "count": -1}, "with.operations[0].count: must be at least 0"),
    ],
)
def test_a_mistake_in_an_operation_is_found_in_the_parameters_at_its_place(operation, place):
    assert place in unaccepted(operation)


def test_there_are_at_most_a_hundred_operations():
    assert transform([1], *[{"op": "limit", "count": 1}] * 100) == [1]
    assert "with.operations: must have at most 100 entries" in unaccepted(*[{"op": "limit", "count": 1}] * 101)


# ---------------------------------------------------------------- map, filter, limit
def test_map_makes_fields_or_values_of_item_and_index():
    assert transform([{"a": 2}, {"a": 3}], {"op": "map", "fields": {"twice": "item.a * 2", "no": "index"}}) == [
        {"twice": 4, "no": 0},
        {"twice": 6, "no": 1},
    ]
    assert transform([1, 2], {"op": "map", "value": "item + 1"}) == [2, 3]
    assert transform({"a": 1}, {"op": "map", "fields": {"b": "item.a"}}) == {"b": 1}


@pytest.mark.parametrize("source", ["input.a", "secret('x')", "now", "item.__class__", "item.a +"])
def test_expressions_reach_the_item_and_nothing_else(source):
    error = failed([{"a": 1}], {"op": "map", "fields": {"b": source}})

    assert error.message.startswith("operations[0] (map)")
    assert error.details["field"] == "b"


def test_a_failing_expression_names_its_operation_item_and_field():
    error = failed([{"a": 1}, {}], {"op": "limit", "count": 5}, {"op": "map", "fields": {"b": "item.a"}})

    assert error.message == ("operations[1] (map), item 1, field b: `item.a` does not exist: it has no field 'a'.")
    assert error.details == {"operation": 1, "op": "map", "item": 1, "field": "b"}


def test_filter_needs_true_or_false():
    assert failed([{"a": 1}], {"op": "filter", "where": "item.a"}).details["item"] == 0


@given(st.lists(st.integers(-50, 50)), st.integers(-50, 50))
def test_filter_keeps_the_order_and_what_holds(numbers, bound):
    assert transform(numbers, {"op": "filter", "where": f"item > {bound}"}) == [n for n in numbers if n > bound]


@pytest.mark.parametrize("value", [{"a": 1}, "text", None, 7])
@pytest.mark.parametrize(
    "operation",
    [
        {"op": "filter", "where": "true"},
        {"op": "sort", "by": ["a"]},
        {"op": "limit", "count": 1},
        {"op": "aggregate", "group_by": [], "values": {"n": {"count": "*"}}},
        {"op": "join", "with": [], "on": {"a": "a"}},
    ],
    ids=lambda operation: operation["op"],
)
def test_operations_on_lists_need_a_list(value, operation):
    assert "needs a list" in failed(value, operation).message


# ---------------------------------------------------------------- sort
def names(rows):
    return [row["name"] for row in rows]


def test_sort_puts_null_and_missing_last_either_way():
    assert names(transform(PEOPLE, {"op": "sort", "by": ["age"]})) == ["Cyd", "Ada", "Bob"]
    assert names(transform(PEOPLE, {"op": "sort", "by": ["age"], "descending": True})) == ["Ada", "Cyd", "Bob"]
    assert names(transform(PEOPLE, {"op": "sort", "by": ["address.zip"]})) == ["Cyd", "Ada", "Bob"]


@pytest.mark.parametrize("values_", [[1, "a"], [True, 1], ["a", False]])
def test_sort_refuses_a_mix_and_says_where(values_):
    error = failed([{"a": None}, *({"a": each} for each in values_)], {"op": "sort", "by": ["a"]})

    assert error.details == {"operation": 0, "op": "sort", "item": 2, "field": "a"}
    assert "cannot be compared" in error.message


def test_sort_refuses_what_has_no_order():
    assert failed([{"a": [1]}], {"op": "sort", "by": ["a"]}).details["item"] == 0


@given(
    st.lists(st.fixed_dictionaries({"a": st.none() | st.integers(0, 3), "b": st.none() | st.sampled_from("xyz")})),
    st.booleans(),
)
def test_sort_is_a_stable_permutation(rows, descending):
    rows = [row | {"at": index} for index, row in enumerate(rows)]

    result = transform(rows, {"op": "sort", "by": ["a", "b"], "descending": descending})

    assert sorted(row["at"] for row in result) == list(range(len(rows)))

    def rank(value):
        number = value if isinstance(value, int) else ord(value or "a")
        return (value is None, 0 if value is None else -number if descending else number)

    assert result == sorted(rows, key=lambda row: (rank(row["a"]), rank(row["b"])))


# ---------------------------------------------------------------- aggregate
def test_aggregate_groups_in_the_order_of_first_appearance():
    result = transform(
        PEOPLE,
        {
            "op": "aggregate",
            "group_by": ["city"],
            "values": {
                "people": {"count": "*"},
                "ages": {"count": "age"},
                "sum": {"sum": "age"},
                "youngest": {"min": "age"},
                "oldest": {"max": "age"},
                "mean": {"avg": "age"},
                "first": {"first": "name"},
                "last": {"last": "name"},
                "zips": {"collect": "address.zip"},
            },
        },
    )

    nothing = {"ages": 0, "sum": 0, "youngest": None, "oldest": None, "mean": None, "zips": []}
    assert result == [
        {"city": "London", "people": 2, "ages": 2, "sum": 56, "youngest": 20, "oldest": 36, "mean": 28.0}
        | {"first": "Ada", "last": "Cyd", "zips": ["N1", "E2"]},
        {"city": "Paris", "people": 1, "first": "Bob", "last": "Bob"} | nothing,
    ]


def test_aggregate_tells_true_from_one_but_not_one_from_one_point_zero():
    rows = [{"k": 1}, {"k": True}, {"k": 1.0}, {"k": None}, {}]

    result = transform(rows, {"op": "aggregate", "group_by": ["k"], "values": {"n": {"count": "*"}}})

    assert [(row["k"], row["n"]) for row in result] == [(1, 2), (True, 1), (None, 2)]


def test_aggregate_over_everything_is_one_group_and_over_nothing_none():
    operation = {"op": "aggregate", "group_by": [], "values": {"n": {"sum": "a"}}}

    assert transform([{"a": 1}, {"a": 2}], operation) == [{"n": 3}]
    assert transform([], operation) == []


@pytest.mark.parametrize(
    ("rows", "function", "item"),
    [
        ([{"a": 1}, {"a": "2"}], "sum", 1),
        ([{"a": True}], "avg", 0),
        ([{"a": 1}, {"a": "2"}], "min", 1),
        ([{"a": {}}], "max", 0),
        ([{"a": 2**62}] * 2, "sum", None),
        ([{"a": 1e308}] * 2, "sum", None),
    ],
)
def test_aggregate_refuses_what_it_cannot_compute(rows, function, item):
    error = failed(rows, {"op": "aggregate", "group_by": [], "values": {"n": {function: "a"}}})

    assert error.details.get("item") == item
    assert error.details["field"] == "a"


def test_aggregate_refuses_two_fields_of_one_name():
    operation = {"op": "aggregate", "group_by": ["a.x", "b.x"], "values": {"n": {"count": "*"}}}

    assert failed([], operation).details["field"] == "x"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers() | st.floats(-1e6, 1e6)), max_size=50))
def test_aggregate_sums_as_python_does(pairs):
    pairs = [(key, None if isinstance(n, int) and abs(n) > 2**50 else n) for key, n in pairs]
    expected = defaultdict(list)
    for key, number in pairs:
        expected[key] += [] if number is None else [number]

    result = transform(
        [{"k": key, "n": number} for key, number in pairs],
        {"op": "aggregate", "group_by": ["k"], "values": {"total": {"sum": "n"}}},
    )

    assert result == [{"k": key, "total": sum(numbers)} for key, numbers in expected.items()]


# ---------------------------------------------------------------- join
LEFT = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": None, "v": "c"}]
RIGHT = [{"no": 2, "v": "x"}, {"no": 2, "v": "y"}, {"no": 3, "v": "z"}, {"v": "w"}]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("inner", ["bx", "by"]),
        ("left", ["a-", "bx", "by", "c-"]),
        ("right", ["bx", "by", "-z", "-w"]),
        ("full", ["a-", "bx", "by", "c-", "-z", "-w"]),
    ],
)
def test_join_pairs_by_key_and_null_matches_nothing(kind, expected):
    result = transform(LEFT, {"op": "join", "with": RIGHT, "on": {"id": "no"}, "kind": kind})

    assert [row.get("v", "-") + row.get("right_v", "-") for row in result] == expected


def test_join_prefixes_equal_names_only_and_refuses_a_name_that_is_taken():
    joined = transform([{"id": 1, "a": 1}], {"op": "join", "with": [{"id": 1, "b": 2}], "on": {"id": "id"}})
    chosen = {"op": "join", "with": [{"id": 1}], "on": {"id": "id"}, "prefix": "r."}

    assert joined == [{"id": 1, "a": 1, "right_id": 1, "b": 2}]
    assert transform([{"id": 1}], chosen) == [{"id": 1, "r.id": 1}]
    assert failed([{"id": 1}], chosen | {"prefix": ""}).details["field"] == "id"


def test_join_names_the_side_of_a_bad_item():
    error = failed([{"a": 1}], {"op": "join", "with": [{"a": 1}, 7], "on": {"a": "a"}})

    assert error.message == "operations[0] (join), item 1 of with: must be a mapping, found the number 7."


KEYS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["0", "1"])
ROWS = st.lists(st.fixed_dictionaries({"k": KEYS}), max_size=12)


def is_equal(left, right):
    return left is not None and left == right and isinstance(left, bool) == isinstance(right, bool)


@given(ROWS, ROWS, st.sampled_from(["inner", "left", "right", "full"]))
def test_join_agrees_with_two_nested_loops(left, right, kind):
    left = [row | {"l": index} for index, row in enumerate(left)]
    right = [row | {"r": index} for index, row in enumerate(right)]
    expected = []
    for a in left:
        pairs = [(a["l"], b["r"]) for b in right if is_equal(a["k"], b["k"])]
        expected += pairs or ([(a["l"], None)] if kind in ("left", "full") else [])
    if kind in ("right", "full"):
        expected += [(None, b["r"]) for b in right if not any(is_equal(a["k"], b["k"]) for a in left)]

    result = transform(left, {"op": "join", "with": right, "on": {"k": "k"}, "kind": kind})

    assert [(row.get("l"), row.get("r")) for row in result] == expected


# ---------------------------------------------------------------- texts
def test_template_writes_a_field_a_text_each_or_one_text():
    text = "{name} ({{{address.zip}}})"

    assert transform([PEOPLE[0]], {"op": "template", "text": text, "into": "t"})[0]["t"] == "Ada ({N1})"
    assert transform([PEOPLE[0]], {"op": "template", "text": text}) == ["Ada ({N1})"]
    assert transform(PEOPLE[0], {"op": "template", "text": text}) == "Ada ({N1})"
    assert transform({"a": [True, {"b": 1.5}]}, {"op": "template", "text": "{a} {a[1].b}"}) == '[true,{"b":1.5}] 1.5'


def test_template_needs_every_path_or_a_default():
    error = failed(PEOPLE, {"op": "template", "text": "{name} {age}"})

    assert (error.details["item"], error.details["field"]) == (1, "age")
    assert transform(PEOPLE, {"op": "template", "text": "{age}", "default": "?"}) == ["36", "?", "20"]
    assert transform({}, {"op": "template", "text": "{a}", "default": ""}) == ""


@pytest.mark.parametrize("path", ["__class__", "name.__class__.__mro__", "__dict__", "name.__len__"])
def test_paths_reach_keys_and_never_attributes(path):
    assert "is missing" in failed(PEOPLE, {"op": "template", "text": f"{{{path}}}"}).message
    assert transform(PEOPLE, {"op": "upper", "fields": [path]}) == PEOPLE


def test_split_and_concat():
    assert transform({"a": "x,y,"}, {"op": "split", "field": "a", "by": ",", "into": "b"})["b"] == ["x", "y", ""]
    assert transform({"a": None}, {"op": "split", "field": "a", "by": ",", "into": "b"})["b"] is None
    row = {"a": "x", "b": None, "c": [1, 2.5], "d": True}
    operation = {"op": "concat", "fields": ["a", "b", "c[0]", "c[1]", "c[9]", "d"], "by": "-", "into": "e"}
    assert transform([row], operation) == [row | {"e": "x-1-2.5-true"}]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "split", "field": "a", "by": ",", "into": "b"},
        {"op": "concat", "fields": ["a"], "by": ",", "into": "b"},
        {"op": "upper", "fields": ["a"]},
        {"op": "lower", "fields": ["a"]},
        {"op": "format_date", "field": "a", "format": "%Y", "into": "b"},
    ],
    ids=lambda operation: operation["op"],
)
def test_operations_on_texts_refuse_something_else_with_its_place(operation):
    error = failed([{}, {"a": [1]}], operation)

    assert (error.details["item"], error.details["field"]) == (1, "a")
    assert "found a list" in error.message


def test_upper_and_lower_change_texts_where_they_stand():
    row = {"a": "Straße", "b": [{"c": "x"}], "d": None}

    assert transform(row, {"op": "upper", "fields": ["a", "b[0].c", "d", "e.f"]}) == {
        "a": "STRASSE",
        "b": [{"c": "X"}],
        "d": None,
    }
    assert transform([row], {"op": "lower", "fields": ["a"]}) == [row | {"a": "straße"}]


# ---------------------------------------------------------------- dates
def dated(form, time="2026-01-31T23:30:05.25Z", **more):
    return transform({"t": time}, {"op": "format_date", "field": "t", "format": form, "into": "d", **more})["d"]


def test_format_date_knows_its_directives_in_utc_and_in_a_zone():
    assert dated("%Y-%m-%d %H:%M:%S.%f %j %y %%") == "2026-01-31 23:30:05.250000 031 26 %"
    assert dated("%A %a %d %B %b %I%p %z %Z", timezone="Europe/Berlin") == "Sunday Sun 01 February Feb 12AM +0100 CET"
    assert dated("%Y-%m-%d", "2026-01-01T01:00:00+02:00") == "2025-12-31"
    assert dated("%Y", None) is None


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "/etc/passwd", "", "Europe", "a\x00b", "UTC\n"])
def test_format_date_refuses_what_is_no_zone(zone):
    error = failed([], {"op": "format_date", "field": "t", "format": "%Y", "into": "d", "timezone": zone})

    assert error.details["field"] == "timezone"


@pytest.mark.parametrize("time", ["yesterday", "2026-02-30T00:00:00Z", "2026-01-01", "0001-01-01T00:00:00Z"])
def test_format_date_refuses_what_is_no_time(time):
    operation = {"op": "format_date", "field": "t", "format": "%Y", "into": "d", "timezone": "America/New_York"}

    assert failed([{"t": time}], operation).details["item"] == 0


# ---------------------------------------------------------------- fields
def test_rename_and_select():
    assert transform([{"a": 1, "b": 2}, {"c": 3}], {"op": "rename", "fields": {"a": "b", "b": "a"}}) == [
        {"b": 1, "a": 2},
        {"c": 3},
    ]
    assert failed([{"a": 1, "b": 2}], {"op": "rename", "fields": {"a": "b"}}).details["field"] == "b"
    assert transform([{"a": 1, "b": None}, {}], {"op": "select", "fields": ["b", "x"]}) == [{"b": None}, {}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
)


@given(JSON)
def test_remove_nulls_leaves_no_null_field_and_is_idempotent(value):
    once = transform(value, {"op": "remove_nulls"})

    assert transform(once, {"op": "remove_nulls"}) == once
    stack = [once]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            assert None not in node.values()
            stack += node.values()
        elif isinstance(node, list):
            stack += node


def test_remove_nulls_keeps_the_entries_of_lists():
    assert transform([None, {"a": [None, {"b": None}], "c": None}], {"op": "remove_nulls"}) == [
        None,
        {"a": [None, {}]},
    ]


def test_the_result_is_plain_json():
    result = transform(PEOPLE, {"op": "map", "fields": {"a": "[item.name]", "t": "timestamp('2026-01-01T00:00:00Z')"}})

    assert values.encode(result, limit_bytes=1_000, what="the result")


def test_it_is_registered_as_free_of_effects():
    for name in ("data.transform", "data.validate"):
        entry = registry.get(f"{name}@1.0.0")
        assert (entry.effects, entry.category) == (False, "data")
