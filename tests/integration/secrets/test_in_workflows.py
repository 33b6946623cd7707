"""Secrets in steps: the activity gets the value, and nothing that is stored or logged has it."""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest

from tests.integration.engine.outcomes import flow
from tests.integration.secrets import steps
from tests.integration.secrets.conftest import CANARY, last_seen, leaks
from tests.integration.working import Worker
from workflows_app.models import CachedResult, Checkpoint, Effect, Event, Secret, Step
from workflows_app.selectors import results
from workflows_app.services import definitions, machines, secrets

pytestmark = pytest.mark.usefixtures("api")

USE = """
  - id: use
    activity: test.use
    with: {key: "${ secret('api') }", auth: "Bearer ${ secret('api') } for ${ input.who }", data: "${ input.data }"}
"""
PLACEHOLDERS = {"key": {"$secret": "api"}, "auth": {"$text": ["Bearer ", {"$secret": "api"}, " for ", "ada"]}}


def run(worker: Worker, document: str, input: Any = None) -> dict[str, Any]:
    return worker.run(worker.start(document, input or {"who": "ada", "data": 1}))


def test_the_activity_gets_the_value_and_rows_and_history_keep_placeholders(worker):
    view = run(worker, flow(USE, head='output: "${ steps.use.output }"'))

    assert last_seen()["key"] == CANARY
    assert last_seen()["auth"] == f"Bearer {CANARY} for ada"
    assert view["output"] == {"key": "***", "auth": "Bearer *** for ada", "data": 1}
    kept = PLACEHOLDERS | {"data": 1}
    assert Step.objects.get(path="use").input == kept
    assert Event.objects.get(type="step.scheduled").data["input"] == kept


def test_what_an_attempt_keeps_for_later_has_no_secret(worker):
    run(worker, flow("  - {id: keep, activity: test.remember, with: {key: \"${ secret('api') }\"}}"))

    assert Checkpoint.objects.get().data == {"key": "***"}
    effect = Effect.objects.get()
    assert (effect.target, effect.facts) == ("to ***", {"key": ["***"]})
    assert leaks(CANARY) == []


@pytest.mark.parametrize(
    "forged", [{"$secret": "api"}, {"$text": ["", {"$secret": "api"}]}, "${ secret('api') }", '{"$secret": "api"}']
)
def test_an_input_that_looks_like_a_placeholder_is_only_data(worker, forged):
    run(worker, flow(USE), {"who": str(forged), "data": forged})

    assert last_seen()["data"] == forged
    assert last_seen()["auth"] == f"Bearer {CANARY} for {forged}"


def test_an_output_that_looks_like_a_placeholder_is_only_data(worker):
    passed_on = """
  - {id: forge, activity: test.use, with: {data: {$secret: api}}}
  - id: use
    activity: test.use
    with: {data: "${ steps.forge.output }", part: "${ steps.forge.output.data }", key: "${ secret('api') }"}
"""
    run(worker, flow(passed_on))

    assert last_seen()["data"] == {"data": {"$secret": "api"}}
    assert last_seen()["part"] == {"$secret": "api"}
    assert last_seen()["key"] == CANARY


def test_fields_and_types_arrive_as_the_secret_says(worker):
    secrets.put(name="pair", type=secrets.SecretType.BASIC, text="ada:correct horse", actor="ada")
    secrets.put(name="doc", type=secrets.SecretType.JSON, text='{"keys": [{"id": "first-key"}]}', actor="ada")
    document = flow("""
  - id: use
    activity: test.use
    with:
      pair: "${ secret('pair') }"
      user: "${ secret('pair').username }"
      auth: "Basic ${ secret('pair') }"
      key: "${ secret('doc').keys[0].id }"
      all: "${ secret('doc') }"
""", head='output: "${ steps.use.output }"')  # fmt: skip

    view = run(worker, document)

    encoded = base64.b64encode(b"ada:correct horse").decode()
    assert last_seen() | {"step": 0, "role": 0} == {
        "step": 0,
        "role": 0,
        "pair": {"username": "ada", "password": "correct horse"},
        "user": "ada",
        "auth": f"Basic {encoded}",
        "key": "first-key",
        "all": {"keys": [{"id": "first-key"}]},
    }
    assert view["output"]["pair"] == {"username": "ada", "password": "***"}
    assert (view["output"]["auth"], view["output"]["key"]) == ("Basic ***", "***")


@pytest.mark.parametrize("how", ["own", "long", "large", "other"])
def test_an_error_repeats_no_secret(worker, caplog, how):
    document = flow(f"""
  - {{id: a, activity: test.break, with: {{how: {how}, key: "${{ secret('api') }}"}}}}
""")

    with caplog.at_level(logging.DEBUG):
        view = run(worker, document)

    assert view["state"] == "failed"
    assert "canary" not in str(view)
    assert "canary" not in caplog.text
    assert view["error"]["code"] == ("ValueError" if how == "other" else "BROKEN")


def test_what_a_step_logs_is_masked_whichever_logger_and_thread_it_uses(worker, caplog):
    document = flow("""
  - {id: a, activity: test.tell, with: {key: "${ secret('api') }"}}
""")

    with caplog.at_level(logging.DEBUG):
        view = run(worker, document)
        logging.getLogger("after").warning("once it is over: %s", CANARY)

    assert view["state"] == "completed", view["error"]
    during, _, after = caplog.text.partition("once it is over")
    assert "canary" not in during
    for told in ("told", "a traceback", "never", "a stack", "cannot be formatted", "in a thread"):
        assert told in during
    assert CANARY in after, "the masks end with the attempt"


def test_an_unknown_secret_fails_the_step_without_another_attempt(worker):
    Secret.objects.all().delete()
    document = flow(USE + "    retry: {max_attempts: 5}\n")

    view = run(worker, document)

    assert (view["state"], view["error"]["code"]) == ("failed", "SECRET_NOT_FOUND")
    assert view["error"]["details"] == {"secret": "api"}
    assert len(view["attempts"]) == 1
    assert steps.SEEN == []


def test_a_field_that_a_secret_lacks_fails_the_step(worker):
    view = run(worker, flow("  - {id: a, activity: test.use, with: {key: \"${ secret('api').password }\"}}"))

    assert view["error"]["code"] == "SECRET_NOT_FOUND"
    assert "'password'" in view["error"]["message"]


def test_a_secret_that_no_key_decrypts_fails_the_step(worker, settings):
    settings.ORCHESTRATOR_SECRET_KEYS = ["x" * 43]

    view = run(worker, flow(USE))

    assert (view["state"], view["error"]["code"]) == ("failed", "SECRET_UNREADABLE")


def test_a_ciphertext_put_into_another_row_is_not_read(worker):
    secrets.put(name="powerful", text="something else", actor="ada")
    Secret.objects.filter(name="api").update(ciphertext=Secret.objects.get(name="powerful").ciphertext)

    view = run(worker, flow(USE))

    assert view["error"]["code"] == "SECRET_UNREADABLE"


def test_a_retry_uses_what_is_stored_and_gets_the_secret_that_is_set_by_then(worker):
    document = flow("""
  - id: a
    activity: test.break
    with: {how: own, times: 1, key: "${ secret('api') }"}
    retry: {max_attempts: 2, initial_interval: 10s}
""")
    instance = worker.start(document)
    worker.drain()
    secrets.put(name="api", text="a newer one", actor="ada")

    view = worker.run(instance)

    assert view["state"] == "completed"
    assert [seen["key"] for seen in steps.SEEN] == [CANARY, "a newer one"]
    assert not leaks("a newer one")


def test_a_fallback_has_secrets_of_its_own(worker):
    document = flow("""
  - id: a
    activity: test.break
    with: {how: own, key: none}
    on_error: {fallback: {activity: test.use, with: {key: "x ${ secret('api') }", code: "${ error.code }"}}}
""")

    view = run(worker, document)

    assert view["state"] == "completed"
    assert (last_seen()["role"], last_seen()["key"], last_seen()["code"]) == ("fallback", f"x {CANARY}", "BROKEN")


def test_an_undo_repeats_the_secrets_of_its_step_and_may_name_others(worker):
    secrets.put(name="undo", text="the undo's own", actor="ada")
    document = flow("""
  - id: a
    activity: test.use
    with: {headers: {auth: "Bearer ${ secret('api') }"}, data: "${ input.data }"}
    compensate:
      activity: test.use
      with: {all: "${ with }", auth: "${ with.headers.auth }", own: "${ secret('undo') }", data: "${ with.data }",
             output: "${ output.headers.auth }"}
  - {id: b, activity: test.break, with: {how: own}}
""")

    view = run(worker, document, {"data": {"$secret": "undo"}})

    assert view["state"] == "compensated", view["error"]
    assert last_seen() == {
        "step": "a",
        "role": "compensation",
        "all": {"headers": {"auth": f"Bearer {CANARY}"}, "data": {"$secret": "undo"}},
        "auth": f"Bearer {CANARY}",
        "own": "the undo's own",
        "data": {"$secret": "undo"},
        "output": "Bearer ***",
    }
    assert not leaks("the undo's own")


def test_an_undo_that_repeats_nothing_does_not_need_its_steps_secret_any_more(worker):
    document = flow("""
  - id: a
    activity: test.use
    with: {key: "${ secret('api') }"}
    compensate: {activity: test.use, with: {id: 7}}
  - {id: wait, wait: {for: 1m}}
  - {id: b, activity: test.break, with: {how: own}}
""")
    instance = worker.start(document)
    worker.drain()
    secrets.delete(name="api", actor="ada")

    assert worker.run(instance)["state"] == "compensated"


def test_repeats_and_machines_get_secrets_too(worker):
    each = flow("""
  - id: each
    foreach: {items: "${ [1, 2] }", as: item, steps: [
      {id: use, activity: test.use, with: {n: "${ item }", key: "${ secret('api') }"}}]}
""")
    machine = """
workflow: machine
version: 1.0.0
kind: state_machine
initial: created
states: {created: {}, done: {terminal: true}}
transitions:
  - {from: created, to: done, event: go, do: [{activity: test.use, with: {key: "${ secret('api') }"}}]}
"""
    view = run(worker, each)
    instance = worker.start(machine)
    machines.send_event(instance_id=instance.pk, event="go", data=None, actor="ada")
    worker.drain()

    assert view["state"] == "completed"
    assert [seen["key"] for seen in steps.SEEN] == [CANARY] * 3
    assert results.instance_view(instance.pk)["state"] == "completed"


def test_a_cached_result_is_found_by_the_placeholder(worker):
    document = flow("""
  - {id: a, activity: test.use, with: {key: "${ secret('api') }"}, cache: {ttl: 1h}}
""")

    first, second = run(worker, document), run(worker, document)

    assert len(steps.SEEN) == 1
    assert (first["state"], second["state"]) == ("completed", "completed")
    assert CachedResult.objects.count() == 1


def test_publishing_warns_of_a_secret_that_nobody_set_and_goes_on(worker):
    document = flow("  - {id: a, activity: test.use, with: {key: \"${ secret('ap') }\"}}")

    (problem,) = definitions.validate(text=document)

    assert (problem.code, problem.severity, problem.path) == ("UNKNOWN_SECRET", "warning", "steps[0].with.key")
    assert "did you mean `api`" in problem.message
    assert definitions.publish(text=document, actor="ada")
