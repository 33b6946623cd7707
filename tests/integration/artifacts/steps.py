"""Activities that keep and read artifacts, as somebody who writes their own would."""

from __future__ import annotations

from typing import Any

from workflows_app.activities import ActivityContext, ActivityError, activity


@activity("test.keep", description="Keeps a text as an artifact; below `fails_until` the attempt is lost afterwards.")
def keep(*, text: str, context: ActivityContext, name: str = "text.txt", fails_until: int = 1) -> dict[str, Any]:
    reference = context.artifacts.write(text.encode(), name=name, media_type="text/plain")
    if context.attempt < fails_until:
        raise ActivityError("it fails after it wrote", code="AFTER_WRITE")
    return {"artifact": reference}


@activity("test.fetch", description="Reads an artifact.", effects=False)
def fetch(*, artifact: Any, context: ActivityContext) -> dict[str, str]:
    return {"text": context.artifacts.read(artifact).decode()}
