"""The documentation page of a published version: what is stored, with what the registry says of its activities."""

from __future__ import annotations

from contextlib import suppress

from workflows_app.activities import registry
from workflows_app.engine import definition
from workflows_app.engine.definition.shape import written_steps
from workflows_app.engine.documentation import Page, describe
from workflows_app.engine.errors import OrchestratorError
from workflows_app.models import DefinitionVersion


def page(*, version: DefinitionVersion) -> Page:
    """Return the parts of a version's page.

    An activity that this installation cannot perform goes without its description: the page is about what is stored.
    """
    with suppress(OrchestratorError):
        registry.discover()
    descriptions: dict[str, str] = {}
    for step in written_steps(version.document):
        name = step.get("activity")
        if isinstance(name, str) and name not in descriptions:
            resolved = version.activities.get(name, {}).get("version")
            with suppress(OrchestratorError):
                descriptions[name] = registry.get(f"{name}@{resolved}" if resolved else name).description
    return describe(definition.parse(version.document), activities=descriptions)
