"""Acts: what operators do to one instance on its pages, each on a page that says what follows before it is confirmed.

Nothing but a POST with the browser's token acts. Whether the state allows it is decided where the act is decided, under
the instance's lock: a page that is out of date, or a button pressed twice, gets the refusal with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from workflows_app.engine.errors import InputInvalid, NotFound, Refused
from workflows_app.engine.states import EffectState, InstanceState, StepState
from workflows_app.engine.transitions import going_back, migrating
from workflows_app.engine.transitions.operating import SKIPPABLE
from workflows_app.models import Instance
from workflows_app.selectors import portions
from workflows_app.services import call_retries, graphs, instances, interventions, rewinds, undos
from workflows_app.services import migrating as version_changes
from workflows_app.ui import consequences
from workflows_app.ui.access import act_on_instances
from workflows_app.ui.act_forms import ActForm, form_of
from workflows_app.ui.outline import Line

REFUSED = 409
I = InstanceState  # noqa: E741 - the table below is read as a table

UNDOING = frozenset({I.COMPENSATING, I.COMPENSATION_FAILED})
PARTS = ("case", "branch", "iteration", "transition", "the move")
"""Kinds of lines that stand for a part of a step."""

BEGUN = frozenset({StepState.COMPLETED, StepState.FAILED, StepState.TIMED_OUT, StepState.SKIPPED})
"""Of a step of the outermost list: there may be something to go back to."""

Perform = Callable[[UUID, str, Mapping[str, Any]], Instance]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act.

    Args:
        label: what its button says.
        question: what its page asks.
        done: what is said when it is done.
        states: of the instance, in which it is offered.
        perform: what does it: instance, actor, the form's values.
        grave: whether it cannot be taken back.
        of_step: whether it is about one step.
        confirm: what the button says that does it, if not the label.
        previews: whether its page has a button that says what the chosen values lead to.
    """

    label: str
    question: str
    done: str
    states: frozenset[InstanceState]
    perform: Perform
    grave: bool = False
    of_step: bool = False
    confirm: str = ""
    previews: bool = False


def _of_whole(service: Callable[..., Instance]) -> Perform:
    """Perform by a service that takes the instance and the reason."""
    return lambda key, actor, given: service(instance_id=key, actor=actor, reason=given["reason"])


def _at_step(service: Callable[..., Instance]) -> Perform:
    """Perform by a service that takes a step as well."""
    return lambda key, actor, given: service(instance_id=key, step=given["step"], actor=actor, reason=given["reason"])


def _set_variables(key: UUID, actor: str, given: Mapping[str, Any]) -> Instance:
    changed = given["variables"]
    return interventions.set_variables(instance_id=key, actor=actor, variables=changed, reason=given["reason"])


def _back(service: Callable[..., Instance]) -> Perform:
    """Perform by a service that takes the instance back, with new values of its variables."""
    return lambda key, actor, given: service(
        instance_id=key, step=given["step"], actor=actor, variables=given["variables"], reason=given["reason"]
    )


def _migrate(key: UUID, actor: str, given: Mapping[str, Any]) -> Instance:
    return version_changes.migrate(
        instance_id=key, version=given["to"], renames=given["map"], actor=actor, reason=given["reason"]
    )


def _tag(key: UUID, actor: str, given: Mapping[str, Any]) -> Instance:
    before = set(Instance.objects.values_list("tags", flat=True).get(pk=key) or ())
    add = [tag for tag in given["tags"] if tag not in before]
    remove = sorted(before.difference(given["tags"]))
    return interventions.tag(instance_id=key, actor=actor, add=add, remove=remove, reason=given["reason"])


def _cancel(key: UUID, actor: str, given: Mapping[str, Any]) -> Instance:
    undo = {"yes": True, "no": False}.get(given.get("undo", ""))
    return instances.cancel(instance_id=key, actor=actor, compensate=undo, reason=given["reason"])


def _call_again(key: UUID, actor: str, given: Mapping[str, Any]) -> Instance:
    call = call_retries.last_of(instance_id=key, step=given["step"])
    call_retries.again(call_id=call, actor=actor, reason=given["reason"])
    return Instance.objects.get(pk=key)


ACTS: Mapping[str, Act] = {
    "pause": Act(
        label="Pause",
        question="Pause this instance?",
        done="Paused.",
        states=frozenset({I.RUNNING}),
        perform=_of_whole(interventions.pause),
    ),
    "resume": Act(
        label="Resume",
        question="Let this instance go on?",
        done="It goes on.",
        states=frozenset({I.PAUSED}),
        perform=_of_whole(interventions.resume),
    ),
    "set-variables": Act(
        label="Change variables",
        confirm="Give them these values",
        question="Which variables get new values?",
        done="The variables have their new values.",
        states=frozenset({I.PAUSED}),
        perform=_set_variables,
    ),
    "retry": Act(
        label="Retry",
        question="Let this instance try again?",
        done="It tries again.",
        states=frozenset({I.FAILED}),
        perform=_of_whole(interventions.retry),
    ),
    "migrate": Act(
        label="Migrate",
        question="Let this instance go on by another version?",
        done="It goes on by that version.",
        states=frozenset(migrating.ABLE),
        perform=_migrate,
        confirm="Let it go on by this version",
        previews=True,
    ),
    "cancel": Act(
        label="Cancel",
        confirm="Cancel the instance",
        question="Cancel this instance?",
        done="It is being cancelled.",
        states=frozenset({I.PENDING, I.RUNNING, I.PAUSED}),
        perform=_cancel,
        grave=True,
    ),
    "terminate": Act(
        label="Terminate",
        confirm="End it at once",
        question="End this instance at once?",
        done="Terminated.",
        states=frozenset({I.PENDING, I.RUNNING, I.PAUSED, I.COMPENSATING}),
        perform=_of_whole(instances.terminate),
        grave=True,
    ),
    "tag": Act(
        label="Change tags",
        confirm="Give it these tags",
        question="By which tags is this instance found?",
        done="Its tags are changed.",
        states=frozenset(InstanceState),
        perform=_tag,
    ),
    "skip": Act(
        label="Skip",
        question="Skip this step?",
        done="The step is skipped.",
        states=frozenset({I.RUNNING, I.PAUSED}),
        perform=_at_step(interventions.skip),
        of_step=True,
    ),
    "run-now": Act(
        label="Run now",
        question="Try this step again now?",
        done="Its next attempt begins.",
        states=frozenset({I.RUNNING, I.PAUSED, I.COMPENSATING}),
        perform=_at_step(interventions.run_now),
        of_step=True,
    ),
    "rewind": Act(
        label="Go back to here",
        question="Take this instance back to the step?",
        done="It goes back; what came after the step is undone first.",
        states=frozenset(going_back.ABLE),
        perform=_back(rewinds.rewind),
        of_step=True,
        grave=True,
    ),
    "rerun": Act(
        label="Run again from here",
        question="Run this instance again from the step?",
        done="It runs again from there; what had been done is undone first.",
        states=frozenset(going_back.ABLE),
        perform=_back(rewinds.rerun),
        of_step=True,
        grave=True,
    ),
    "retry-undo": Act(
        label="Undo again",
        question="Let this undo run again?",
        done="The undo runs again.",
        states=UNDOING,
        perform=_at_step(undos.retry),
        of_step=True,
    ),
    "undo-done": Act(
        label="Undone by hand",
        question="Has this step been undone by hand?",
        done="It is recorded that the step was undone by hand.",
        states=UNDOING,
        perform=_at_step(undos.done),
        of_step=True,
        confirm="It has been undone",
    ),
    "call-again": Act(
        label="Call again",
        question="Make this call again?",
        done="The call is made again.",
        states=frozenset({I.RUNNING, I.PAUSED, I.COMPENSATING, I.FAILED, I.COMPENSATION_FAILED}),
        perform=_call_again,
        of_step=True,
    ),
    "skip-undo": Act(
        label="Give the undo up",
        question="Is nobody going to undo this step?",
        done="It is recorded that nobody is going to undo the step.",
        states=UNDOING,
        perform=_at_step(undos.skip),
        of_step=True,
        grave=True,
    ),
}


def offer_on_calls(effects: Iterable[Any], instance: Any) -> None:
    """Say of each effect whether it is a call that may be made again, as far as it and the state tell."""
    latest = {effect.path: effect for effect in effects if effect.kind == call_retries.KIND}
    for effect in effects:
        failed = effect.state in (EffectState.REFUSED, EffectState.UNKNOWN)
        may = instance.state in ACTS["call-again"].states
        effect.may_be_made_again = may and failed and latest.get(effect.path) is effect


def offered(instance: Any) -> list[tuple[str, Act]]:
    """Return the acts that an instance's page offers, by name, as far as its state tells."""
    ending = instance.ending is not None
    found = []
    for name, act in ACTS.items():
        if act.of_step or name == "tag" or instance.state not in act.states:
            continue  # tags are changed where they stand
        if ending and name in ("pause", "cancel"):
            continue
        if name == "migrate" and not _may_migrate(instance):
            continue
        if name != "set-variables" or instance.definition_version.document.get("variables"):
            found.append((name, act))
    return found


def _may_migrate(instance: Any) -> bool:
    stops = instance.ending is not None and instance.state != I.FAILED
    return instance.has_other_version and instance.machine_state is None and not stops


def offer_on(lines: Iterable[Line], instance: Any) -> None:
    """Say on each line of an instance's steps what may be done to it, as far as its own state tells."""
    for line in lines:
        if line.path and not line.heading and line.kind not in PARTS:
            offers = [name for name in _of_step(line) if instance.state in ACTS[name].states]
            line.acts = [(name, ACTS[name].label) for name in offers]


def _of_step(line: Line) -> Iterator[str]:
    waits_again = line.state == StepState.COMPENSATING and line.row is not None and line.row.due_at is not None
    if line.state == StepState.RETRYING or (waits_again and line.row is not None and line.row.attempt is None):
        yield "run-now"
    is_open_block = line.state == StepState.WAITING and (line.children or line.repeat or line.kind == "call")
    if line.state in SKIPPABLE and not is_open_block:
        yield "skip"
    if line.state in BEGUN and line.depth == 0 and "[" not in line.path:
        yield from ("rewind", "rerun")
    if line.state == StepState.COMPENSATION_FAILED:
        yield from ("retry-undo", "undo-done", "skip-undo")


def _asked(form: ActForm) -> Mapping[str, Any]:
    """Return what the form says, or what it begins with."""
    if form.is_bound:
        return form.cleaned_data if form.is_valid() else {}
    return {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}


@act_on_instances
def act(request: HttpRequest, instance_id: UUID, name: str) -> HttpResponse:
    """Say what an act leads to, and do it when that is confirmed."""
    wanted = ACTS.get(name)
    instance = portions.overview(instance_id, length=0) if wanted else None
    if wanted is None or instance is None:
        raise Http404(f"There is no instance {instance_id}.")
    graph = graphs.of_row(instance)
    step = (request.POST if request.method == "POST" else request.GET).get("step", "") if wanted.of_step else ""
    facts = consequences.Facts(instance=instance, graph=graph, step=step)
    if wanted.of_step and facts.node() is None:
        raise Http404(f"There is no step {step[:100]}.")
    posted = request.POST if request.method == "POST" else None
    form = form_of(name, instance, posted, undoes=graph.undoes(graph.definition.on_cancel))
    refusal, status = "", 200
    asks_only = wanted.previews and posted is not None and "preview" in posted
    if posted is not None and form.is_valid() and not asks_only:
        try:
            wanted.perform(instance_id, request.user.get_username(), {**form.values(), "step": step})
        except InputInvalid as refused:
            refusal, status = "; ".join(each.message for each in refused.problems) or refused.message, 400
        except NotFound as missing:
            raise Http404(missing.message) from missing
        except Refused as refused:
            refusal, status = refused.message, REFUSED
        else:
            messages.success(request, wanted.done)
            return redirect("instance", instance_id=instance_id)
    elif posted is not None and not form.is_valid():
        status = 400
    context = {
        "instance": instance,
        "title": instance.definition_version.document.get("title"),
        "name": name,
        "act": wanted,
        "step": step,
        "form": form,
        "refusal": refusal,
        "allowed": instance.state in wanted.states,
        "consequence": consequences.OF[name](replace(facts, given=_asked(form))),
    }
    return render(request, "ui/instance_act.html", context, status=status)
