"""Several publishers of one decision table at once: one version comes of it, whoever wins."""

from __future__ import annotations

import threading

import pytest

from tests.integration.decision_tables.documents import publish
from tests.integration.robustness.test_sessions import together
from tests.services.processes import PATIENCE
from workflows_app.engine.errors import Conflict
from workflows_app.models import AuditEntry, DecisionTableVersion
from workflows_app.services import verification


@pytest.mark.usefixtures("committed_db")
@pytest.mark.parametrize("same", [True, False])
def test_several_publishers_at_once_leave_one_version(same: bool) -> None:
    gate = threading.Barrier(6)
    percents = iter([10] * 6 if same else range(6))

    def work() -> None:
        percent = next(percents)
        gate.wait(PATIENCE)
        publish(large=percent)

    raised = together(*[work] * 6)

    assert [type(each) for each in raised] == ([] if same else [Conflict] * 5)
    assert DecisionTableVersion.objects.count() == AuditEntry.objects.count() == 1
    assert verification.verify_audit() is None
