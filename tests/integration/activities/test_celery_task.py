"""celery.task: existing Celery tasks as steps."""

from __future__ import annotations

import pytest
from celery import Celery, current_app, shared_task
from celery.exceptions import Ignore, Reject

from tasks.activities import celery_task  # noqa: F401
from workflows_app.activities import ActivityError, registry


@pytest.fixture
def app():
    """An application without a broker or result backend: whatever touches one fails."""
    before = current_app._get_current_object()
    own = Celery("activity-tests", set_as_current=True, broker="memory://")
    yield own
    before.set_current()
    own.close()


@pytest.fixture
def run(app, attempt):
    def perform(**parameters):
        return registry.get("celery.task").perform(parameters, attempt())

    return perform


def test_a_registered_task_runs_with_its_arguments_in_this_process(app, run):
    @app.task(name="shop.add", shared=False)
    def add(a, b, *, c=0):
        return {"sum": a + b + c}

    assert run(name="shop.add", args=[1, 2], kwargs={"c": 3}) == {"sum": 6}
    assert run(name="shop.add", args=[1], kwargs={"b": 2}) == {"sum": 3}


def test_a_bound_and_a_shared_task_run_too(app, run):
    @app.task(name="shop.bound", shared=False, bind=True)
    def bound(self, order):
        return [self.name, order, self.request.called_directly]

    @shared_task(name="shop.shared")
    def shared():
        return "shared"

    assert run(name="shop.bound", kwargs={"order": 7}) == ["shop.bound", 7, True]
    assert run(name="shop.shared") == "shared"


@pytest.mark.parametrize("name", ["no.such.task", "__class__", "os.system"])
def test_an_unknown_task_is_named(run, name):
    with pytest.raises(ActivityError) as failure:
        run(name=name)

    assert (failure.value.code, failure.value.recoverable) == ("UNKNOWN_TASK", False)
    assert name in failure.value.message


def test_tasks_of_celery_and_of_the_orchestrator_are_not_a_steps_to_run(app, run):
    def internal():
        raise AssertionError("never")

    internal.__module__ = "tasks.steps"
    app.task(name="anything.at.all", shared=False)(internal)

    for name in ("celery.backend_cleanup", "celery.group", "anything.at.all"):
        with pytest.raises(ActivityError) as failure:
            run(name=name)
        assert failure.value.code == "TASK_NOT_ALLOWED"


@pytest.mark.parametrize("parameters", [{"args": [1, 2]}, {"kwargs": {"wrong": 1}}, {"args": "x"}, {"queue": "q"}])
def test_arguments_that_the_task_does_not_take_are_refused(app, run, parameters):
    @app.task(name="shop.one", shared=False, bind=True)
    def one(self, order):
        return order

    with pytest.raises(ActivityError) as failure:
        run(name="shop.one", **parameters)

    assert (failure.value.code, failure.value.recoverable) == ("INVALID_PARAMETERS", False)


def test_what_the_task_raises_comes_as_it_is(app, run):
    @app.task(name="shop.broken", shared=False)
    def broken():
        raise KeyError("order")

    with pytest.raises(KeyError, match="order"):
        run(name="shop.broken")


@pytest.mark.parametrize("error", [Ignore("x"), Reject("x", requeue=True)])
def test_celerys_own_signals_do_not_reach_the_worker(app, run, error):
    @app.task(name="shop.gives_up", shared=False)
    def gives_up():
        raise error

    with pytest.raises(ActivityError) as failure:
        run(name="shop.gives_up")

    assert (failure.value.code, failure.value.details) == ("TASK_GAVE_UP", {"effect": "unknown"})


def test_a_task_that_wants_a_retry_fails_at_once_and_sends_no_message(app, run):
    calls = []

    @app.task(name="shop.retries", shared=False, bind=True, default_retry_delay=3600)
    def retries(self):
        calls.append(1)
        raise self.retry()

    @app.task(name="shop.autoretries", shared=False, autoretry_for=(ValueError,), retry_backoff=3600)
    def autoretries():
        calls.append(2)
        raise ValueError("not yet")

    with pytest.raises(ActivityError) as failure:
        run(name="shop.retries")
    with pytest.raises(ValueError, match="not yet"):
        run(name="shop.autoretries")

    assert failure.value.code == "TASK_GAVE_UP"
    assert calls == [1, 2]
