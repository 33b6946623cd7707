"""Graphs as data: nodes and edges of a version, and with states those of an instance, as JSON."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from workflows_app.engine.errors import NotFound
from workflows_app.models import Instance
from workflows_app.selectors import portions
from workflows_app.services import definitions
from workflows_app.services.graphs import chart
from workflows_app.ui import graphs
from workflows_app.ui.access import page_of_definitions, page_of_instances


@page_of_instances
def of_instance(request: HttpRequest, instance_id: UUID) -> HttpResponse:
    """Answer with an instance's graph; steps inside a repetition have no state of their own there.

    Of a state machine the state that it is in is ``running``, or ``completed`` when that is its last one.
    """
    found = Instance.objects.only("definition_version", "workflow", "version", "state", "machine_state")
    instance = found.filter(pk=instance_id).first()
    if instance is None:
        raise Http404(f"There is no instance {instance_id}.")
    drawn = chart(instance.definition_version_id)
    if instance.machine_state is None:
        states = portions.step_states(instance_id, drawn.vertices)
    else:
        standings = graphs.machine_standings(drawn, {"state": instance.machine_state}, ())
        states = {instance.machine_state: standings[instance.machine_state].state}
    head = {"id": str(instance.pk), "workflow": instance.workflow, "version": instance.version, "state": instance.state}
    return JsonResponse({**head, **drawn.as_dict(states)})


@page_of_definitions
def of_version(request: HttpRequest, name: str, version: str) -> HttpResponse:
    """Answer with a version's graph."""
    try:
        found = definitions.find(name=name, version=version)
    except NotFound as problem:
        raise Http404(problem.message) from problem
    return JsonResponse({"workflow": name, "version": version, **chart(found.pk).as_dict()})
