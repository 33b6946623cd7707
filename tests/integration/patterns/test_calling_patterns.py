"""Workflow patterns that are about one workflow calling another, or itself."""

from __future__ import annotations

from tests.integration.driver import Driver
from tests.integration.patterns.scenes import do, finish, ready, shows, state, states
from workflows_app.models import Instance
from workflows_app.services import definitions, instances


@shows(22)
def test_recursion(driver: Driver, document: str) -> None:
    opened: list[int] = []
    closed: list[int] = []
    driver.perform = {
        "open": lambda claim: opened.append(claim.parameters["box"]),
        "close": lambda claim: closed.append(claim.parameters["box"]),
    }
    outer = driver.start(document, {"boxes": 4})

    view = finish(driver, outer)

    assert (view["state"], view["output"]) == ("completed", 4)
    assert (opened, closed) == ([4, 3, 2, 1], [1, 2, 3, 4]), "each waits for the one inside it"
    assert list(Instance.objects.order_by("depth").values_list("depth", "output")) == [(0, 4), (1, 3), (2, 2), (3, 1)]
    assert Instance.objects.get(depth=3).steps.get(path="inside").state == "skipped"


def test_cancelling_a_case_removes_its_sub_processes_too(driver: Driver) -> None:
    valuation = """
workflow: valuation
version: 1.0.0
steps:
  - {id: visit, activity: core.echo}
  - {id: report, activity: core.echo}
"""
    application = """
workflow: application
version: 1.0.0
steps:
  - {id: register, needs: [], activity: core.echo}
  - {id: value, needs: [register], call: {workflow: valuation}}
  - {id: income, needs: [register], activity: core.echo}
  - {id: offer, needs: [value, income], activity: core.echo}
"""
    definitions.publish(text=valuation, actor="ada")
    case = driver.start(application)
    do(driver, case, "register")
    driver.hand_over()
    below = Instance.objects.get(parent=case)
    assert (ready(case), ready(below)) == ({"income"}, {"visit"})

    instances.cancel(instance_id=case.pk, actor="ada")
    while driver.hand_over():
        pass
    driver.drain()

    assert (state(case), state(below)) == ("cancelled", "cancelled")
    assert [path for path, _ in driver.calls] == ["register"]
    assert set(states(below).values()) == {"cancelled"}
    assert {states(case)[path] for path in ("value", "income", "offer")} == {"cancelled"}
