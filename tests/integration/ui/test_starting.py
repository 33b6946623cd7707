"""Starting an instance from a form that is made from the definition's input schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.integration.ui.conftest import browser
from tests.integration.ui.test_escaping import NASTY, harmless
from workflows_app.models import Instance
from workflows_app.services import definitions, holds

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["city", "nights"],
    "properties": {
        "city": {"type": "string", "title": "Where to", "minLength": 2},
        "nights": {"type": "integer", "minimum": 1, "maximum": 9},
        "price": {"type": "number", "default": 12.5},
        "room": {"enum": ["single", "double", 3, None], "default": "double"},
        "breakfast": {"type": "boolean", "default": True},
        "guest": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "vip": {"type": "boolean"}},
            "required": ["name"],
        },
        "stops": {"type": "array", "items": {"type": "string"}},
        "notes": {"type": "string"},
    },
    "additionalProperties": False,
}
FILLED = {"input-city": "Rome", "input-nights": "2", "input-price": "12.5", "input-room": "1"}


def publish(schema: Any = SCHEMA, *, name: str = "trip", version: str = "1.0.0") -> None:
    document = {"workflow": name, "version": version, "steps": [{"id": "a", "activity": "core.echo"}]}
    definitions.publish(text=json.dumps(document | ({} if schema is None else {"input": schema})), actor="ada")


@pytest.fixture
def starter(viewer: User) -> Client:
    """The browser of somebody who may look at instances and start them."""
    viewer.user_permissions.add(Permission.objects.get(codename="add_instance"))
    return browser(User.objects.get(pk=viewer.pk))


def send(client: Client, name: str = "trip", *, once: str | None = None, **filled: str) -> Any:
    page = client.get(f"/definitions/{name}/start/")
    hidden = {
        "csrfmiddlewaretoken": str(page.context["csrf_token"]),
        "version": page.context["found"].version,
        "once": once or str(page.context["form"]["once"].value()),
    }
    return client.post(f"/definitions/{name}/start/", {**hidden, **filled})


def test_a_filled_form_starts_an_instance_with_the_values_as_json(starter: Client) -> None:
    publish()

    answer = send(
        starter, **FILLED, **{"input-guest.name": "Ann", "input-stops": '["Pisa"]', "correlation_id": "order 7"}
    )

    started = Instance.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/instances/{started.pk}/")
    assert started.input == {
        "city": "Rome",
        "nights": 2,
        "price": 12.5,
        "room": "double",
        "breakfast": False,
        "guest": {"name": "Ann", "vip": False},
        "stops": ["Pisa"],
    }
    assert (started.correlation_id, started.started_by) == ("order 7", "vera")


def test_the_form_has_the_words_and_the_defaults_of_the_schema(starter: Client) -> None:
    publish()

    form = starter.get("/definitions/trip/start/").context["form"]

    said = {field.name: (field.label, field.field.required, field.value()) for field in form if field.name != "once"}
    assert said["input-city"] == ("Where to", True, "")
    assert said["input-price"] == ("Price", False, "12.5")
    assert said["input-room"] == ("Room", False, "1")
    assert said["input-breakfast"] == ("Breakfast", False, True)
    assert form["input-nights"].help_text == "From 1 to 9."


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("input-city", "", "This field is required."),
        ("input-city", "R", "must have at least 2 characters"),
        ("input-nights", "two", "Write a whole number."),
        ("input-nights", "2.5", "Write a whole number."),
        ("input-nights", "10", "must be at most 9"),
        ("input-price", "NaN", "Write a number"),
        ("input-room", "9", "Select a valid choice"),
        ("input-stops", "[", "This is not JSON"),
        ("input-stops", "[1]", "input.stops[0]"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_started(
    starter: Client, field: str, text: str, said: str
) -> None:
    publish()

    answer = send(starter, **{**FILLED, field: text})

    assert answer.status_code == 400
    assert said in " ".join(answer.context["form"].errors[field])
    assert not Instance.objects.exists()
    assert answer.context["form"][field].value() == text


INSIDE: dict[str, Any] = {
    "type": "object",
    "required": ["a", "d"],
    "properties": {
        "a": {
            "type": "object",
            "title": "First",
            "required": ["b"],
            "properties": {"b": {"type": "string", "minLength": 2}},
        },
        "c": {"type": "object", "required": ["b"], "properties": {"b": {"type": "string"}, "e": {"enum": [None, 1]}}},
        "d": {"type": "object", "properties": {"f": {"type": "object", "properties": {"g": {"type": "object"}}}}},
    },
}


def test_objects_have_fields_for_what_is_in_them(starter: Client) -> None:
    publish(INSIDE)

    form = starter.get("/definitions/trip/start/").context["form"]
    answer = send(starter, **{"input-a.b": "xy", "input-c.b": "z", "input-c.e": "0", "input-d.f.g": '{"h": 1}'})

    said = {field.name: (field.label, field.field.required) for field in form if field.name.startswith("input-")}
    assert said["input-a.b"] == ("First › B", True)
    assert said["input-c.b"] == ("C › B", False)
    assert said["input-d.f.g"] == ("D › F › G", False)
    assert answer.status_code == 302
    assert Instance.objects.get().input == {"a": {"b": "xy"}, "c": {"b": "z", "e": None}, "d": {"f": {"g": {"h": 1}}}}


def test_an_object_in_which_nothing_is_filled_in_is_left_out_unless_it_is_required(starter: Client) -> None:
    publish(INSIDE)

    wrong = send(starter, **{"input-a.b": "x"})
    send(starter, **{"input-a.b": "xy"})

    assert "must have at least 2 characters" in " ".join(wrong.context["form"].errors["input-a.b"])
    assert Instance.objects.get().input == {"a": {"b": "xy"}, "d": {}}


def test_what_an_object_lacks_is_said_at_its_field(starter: Client) -> None:
    publish(INSIDE)

    answer = send(starter, **{"input-a.b": "xy", "input-c.e": "1"})

    assert answer.context["form"].errors["input-c.b"]
    assert not Instance.objects.exists()


def test_a_form_that_is_sent_twice_starts_one_instance(starter: Client) -> None:
    publish()
    once = "7b0c7f0c-1f6e-4a6f-9e0e-0b6f2b6f1a01"

    first, second = (send(starter, once=once, **FILLED) for _ in range(2))
    other = send(starter, once=once, **{**FILLED, "input-city": "Oslo"})

    assert first.headers["Location"] == second.headers["Location"]
    assert Instance.objects.count() == 1
    assert other.status_code == 409


@pytest.mark.parametrize("schema", [None, {"type": "array", "items": {"type": "integer"}}], ids=["any", "a list"])
def test_an_input_without_properties_is_one_json_text(starter: Client, schema: Any) -> None:
    publish(schema)

    wrong = send(starter, **{"whole-input": "[1,"})
    send(starter, **{"whole-input": "[1, 2]"})

    assert wrong.status_code == 400
    assert "This is not JSON" in wrong.context["form"].errors["whole-input"][0]
    assert Instance.objects.get().input == [1, 2]


def test_a_version_can_be_chosen_and_the_startable_one_is_the_default(starter: Client) -> None:
    publish(version="1.0.0")
    publish({"type": "object", "properties": {"x": {"type": "string"}}}, version="2.0.0")

    assert starter.get("/definitions/trip/start/").context["found"].version == "2.0.0"
    assert starter.get("/definitions/trip/start/", {"version": "1.0.0"}).context["found"].version == "1.0.0"
    assert starter.get("/definitions/trip/start/", {"version": "3.0.0"}).status_code == 404
    assert starter.get("/definitions/nothing/start/").status_code == 404


def test_a_paused_workflow_says_so_and_starts_nothing(starter: Client) -> None:
    publish()
    holds.hold(kind=holds.Kind.DEFINITION, name="trip", actor="ada", reason="wrong prices")

    answer = send(starter, **FILLED)

    assert answer.status_code == 409
    assert "paused" in answer.content.decode()
    assert not Instance.objects.exists()


def test_who_may_not_start_is_refused_and_looking_starts_nothing(
    pages: Client, stranger: Client, anonymous: Client, viewer: User
) -> None:
    publish()

    assert stranger.get("/definitions/trip/start/").status_code == 403
    assert pages.get("/definitions/trip/start/").status_code == 403
    assert anonymous.get("/definitions/trip/start/").headers["Location"].startswith("/login/")
    viewer.user_permissions.add(Permission.objects.get(codename="add_instance"))
    allowed = browser(User.objects.get(pk=viewer.pk))
    assert allowed.get("/definitions/trip/start/", FILLED).status_code == 200
    assert allowed.post("/definitions/trip/start/", FILLED).status_code == 403
    assert not Instance.objects.exists()


def test_words_of_a_schema_and_values_that_are_wrong_are_escaped(starter: Client) -> None:
    for number, text in enumerate(NASTY):
        inner = {"type": "string", "title": text, "description": text, "default": text, "maxLength": 3}
        schema = {"type": "object", "properties": {text: inner, "b": {"enum": [text, "x"]}}}
        publish(schema, name=f"nasty-{number}")

        harmless(starter.get(f"/definitions/nasty-{number}/start/").content.decode())
        harmless(send(starter, f"nasty-{number}", **{f"input-{text}": text * 2}).content.decode())


@pytest.mark.parametrize("value", ['"\\u0000"', '"\\ud800"', "1" * 400, "1e999", '{"a": 1, "a": 2}', "[" * 100_000])
def test_a_value_that_cannot_be_stored_is_refused(starter: Client, value: str) -> None:
    publish({"type": "object", "properties": {"any": {}}})

    answer = send(starter, **{"input-any": value})

    assert answer.status_code == 400
    assert answer.context["form"].errors
    assert not Instance.objects.exists()
