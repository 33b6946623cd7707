"""Activities: code that a step performs, registered by a decorator and found by discovery.

A plain function becomes an activity where it is defined::

    from workflows_app.activities import ActivityContext, activity


    @activity("orders.validate", version="1.0.0", description="Checks an order against the catalogue.")
    def validate(*, order: str, context: ActivityContext) -> dict:
        context.log.info("validating", order=order)
        return {"valid": True}

Parameters arrive as keyword arguments; without an explicit schema the signature is the schema. ``context`` is
handed over only if the function asks for it. To fail an attempt raise ``ActivityError``; where its turn has not come
and nothing was done, ``NotYet``; to give way to a stop call ``context.check()`` now and then. ``registry`` holds what
was registered and knows how to discover the rest: the modules in ``ORCHESTRATOR_ACTIVITY_MODULES`` and the entry points
of the group ``orchestrator.activities``.
"""

from workflows_app.activities.catalogue import Registry, activity, registry
from workflows_app.activities.context import ActivityContext
from workflows_app.activities.registered import RegisteredActivity
from workflows_app.engine.errors import ActivityError, AttemptCancelled, NotYet

__all__ = [
    "ActivityContext",
    "ActivityError",
    "AttemptCancelled",
    "NotYet",
    "RegisteredActivity",
    "Registry",
    "activity",
    "registry",
]
