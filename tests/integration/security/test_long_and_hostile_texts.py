"""Texts made to exhaust or to confuse: refused within a second, stored as they are, never run."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from tasks.activities import egress, http_headers
from tests.integration.driver import Driver
from tests.integration.ui.conftest import browser, pages, viewer  # noqa: F401
from workflows_app.activities import versions
from workflows_app.engine import durations, schemas
from workflows_app.engine.errors import InputInvalid, NotFound, OrchestratorError
from workflows_app.management.commands.workflow import read_input
from workflows_app.models import Instance
from workflows_app.selectors import lists
from workflows_app.services import definitions, instances
from workflows_app.services.contents import SEMANTIC_VERSION

MANY = 100_000
HEAD = "workflow: w\nversion: 1.0.0\nsteps:\n"
DOCUMENT = HEAD + "  - {id: a, activity: core.echo}"


def seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    with contextlib.suppress(OrchestratorError, ValueError):
        work()
    return time.process_time() - began


@pytest.mark.parametrize(
    "work",
    [
        lambda: durations.parse_duration("1d" * MANY + "!"),
        lambda: durations.parse_duration("P" + "1" * MANY + "!"),
        lambda: durations.parse_duration("1." * MANY),
        lambda: SEMANTIC_VERSION.fullmatch("1.0.0-" + "a." * MANY + "!"),
        lambda: versions._SEMVER.fullmatch("1.0.0-" + "0" * MANY + "!"),
        lambda: egress._ENDS_IN_NUMBER.fullmatch("1." * MANY + "x"),
        lambda: http_headers._VALUE.fullmatch("a " * MANY + "\n"),
        lambda: schemas.validate("a" * 900_000, {"type": "string", "pattern": "^(a+)+$"}),
        lambda: schemas.validate("a." * MANY + "@", {"type": "string", "format": "email"}),
        lambda: schemas.validate([{"a": n} for n in range(5_000)], {"type": "array", "uniqueItems": True}),
        lambda: schemas.validate({}, {"$ref": "#"}),
    ],
)
def test_our_patterns_take_no_more_than_a_second_for_a_long_text(work: Callable[[], Any]) -> None:
    assert seconds(work) < 10


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "  - " + "[" * 3_000,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        ":" * 900_000,
        HEAD + "\n" * 900_000,
        HEAD + "  - {id: a, activity: core.echo, with: {x: '" + "A" * 900_000 + "'}}\n",
        HEAD + "  - {id: a, activity: core.echo, with: {x: '" + "${" * 200_000 + "'}}\n",
        HEAD + "  - {id: a, wait: {for: '" + "1d" * 200_000 + "'}}\n",
        HEAD + "  - {id: a, activity: core.echo, with: {" + ", ".join(f"k{n}: 1" for n in range(9_000)) + ", k1: 2}}",
        HEAD + "".join(f"  - {{id: s{n}, activity: core.echo, needs: [s{(n + 1) % 2_000}]}}\n" for n in range(2_000)),
        "a: &a ["
        + "x," * 100
        + "]\nb: &b ["
        + "*a," * 100
        + "]\nc: &c ["
        + "*b," * 100
        + "]\nd: ["
        + "*c," * 100
        + "]\n",
        "x" * 1_000_001,
    ],
    ids=[
        "depth",
        "JSON depth",
        "colons",
        "lines",
        "text",
        "expressions",
        "duration",
        "keys",
        "cycle",
        "aliases",
        "size",
    ],
)
def test_a_definition_near_the_limit_is_judged_within_seconds(db: None, text: str) -> None:
    assert seconds(lambda: definitions.validate(text=text)) < 20


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "1" * 5_000, "NaN", '{"a":1,"a":2}', "-Infinity"])
def test_input_that_is_too_deep_or_no_json_is_refused_in_words(text: str) -> None:
    with pytest.raises(InputInvalid):
        read_input(text)


@pytest.mark.parametrize("value", [{"a": "\0"}, {"a": "\ud800"}, {"a": 2**70}, "x" * 1_000_001])
def test_input_that_the_database_could_not_keep_is_refused(driver: Driver, value: Any) -> None:
    definitions.publish(text=DOCUMENT, actor="ada")

    with pytest.raises(InputInvalid):
        instances.start(name="w", input=value, actor="ada")

    assert not Instance.objects.exists()


@pytest.mark.parametrize("key", ["a\r\nb", "a\nb", "\x1b[2J", "a\0b", "\u2028", "\u202e", "\ud800", "", "x" * 201])
@pytest.mark.parametrize("label", ["correlation_id", "idempotency_key"])
def test_keys_hold_no_control_characters(driver: Driver, label: str, key: str) -> None:
    definitions.publish(text=DOCUMENT, actor="ada")

    with pytest.raises(InputInvalid):
        instances.start(name="w", actor="ada", **{label: key})

    assert not Instance.objects.exists()


INJECTIONS = ["'; DROP TABLE workflows_app_instance; --", "' OR '1'='1", "%", "_", "\\", "%s", "{0}", '"', "$1"]


@pytest.mark.parametrize("text", INJECTIONS)
def test_keys_names_and_searches_are_data_to_the_database(driver: Driver, pages: Client, text: str) -> None:  # noqa: F811
    plain = driver.start(DOCUMENT, correlation_id="plain order")
    named = instances.start(name="w", actor=text, correlation_id=text, idempotency_key=text)
    again = instances.start(name="w", actor=text, correlation_id=text, idempotency_key=text)

    assert again.pk == named.pk
    assert [found.pk for found in lists.instances(text=text)] == [named.pk]
    assert [found.pk for found in lists.instances(correlation_id=text)] == [named.pk]
    assert not lists.instances(workflow=text).exists()
    with pytest.raises(NotFound):
        definitions.find(name=text)
    with pytest.raises(NotFound):
        definitions.find(name="w", version=text)
    page = pages.get("/instances/", {"q": text}).content.decode()
    assert str(named.pk) in page
    assert str(plain.pk) not in page


@pytest.mark.parametrize(
    "query", [{"q": "\0"}, {"older": "9" * 60}, {"older": "1-x"}, {"newer": "-" * 60}, {"q": "x" * 201}, {"state": "'"}]
)
def test_an_address_that_makes_no_sense_is_answered_400_not_500(pages: Client, query: dict[str, str]) -> None:  # noqa: F811
    assert pages.get("/instances/", query).status_code == 400


@pytest.mark.parametrize("start", ["-1", "0", "9" * 400, "1e9", "²", "1;DROP", "\0"])
def test_a_made_up_place_in_a_history_is_its_beginning(driver: Driver, pages: Client, start: str) -> None:  # noqa: F811
    instance = driver.start(DOCUMENT)

    assert pages.get(f"/instances/{instance.pk}/", {"from": start}).status_code == 200


def test_a_hostile_definition_is_shown_as_json_without_control_characters(db: None, tmp_path: Any) -> None:
    file = tmp_path / "hostile.json"
    file.write_text(json.dumps({"workflow": "w", "version": "1.0.0", "\x1b[2J\r\nsound": 1, "steps": []}))
    out = io.StringIO()

    with pytest.raises(SystemExit):
        call_command("workflow", "validate", str(file), "--format", "json", stdout=out)

    assert "\x1b" not in out.getvalue()
