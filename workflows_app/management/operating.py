"""Operators' verbs of ``workflow``: on one instance by its id, or on all that a filter chooses, each with a result."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.management import CommandError

from workflows_app.engine.states import InstanceState
from workflows_app.management import foresights, where
from workflows_app.management.answers import DONE, REFUSED
from workflows_app.management.reading import read_input
from workflows_app.models import Instance
from workflows_app.selectors import lists, results
from workflows_app.services import holds, instances, interventions, many, rewinds
from workflows_app.taming import tame

LIMIT = 100
"""How many instances a filter chooses at most if nothing else is said."""

Answer = tuple[dict[str, Any], str, int]
"""The document, the text and the exit code."""


def add_arguments(verb: Callable[[str, str], ArgumentParser], count: Callable[[str], int]) -> None:
    """Declare the verbs.

    Args:
        verb: adds a verb by name and help.
        count: reads a number of instances.
    """
    for name, help in HELP.items():
        sub = verb(name, help)
        sub.add_argument("--reason", default="", help="kept in the history and on the audit trail")
        if name in OF_ONE:
            sub.add_argument("id", metavar="ID")
            argument, metavar, what = OF_ONE[name]
            sub.add_argument(argument, metavar=metavar, help=what)
            if name == "rerun":
                sub.add_argument("--input", metavar="JSON", help="the step's parameters instead of `with`, or @FILE")
            if name in GOING_BACK:
                sub.add_argument("--set", dest="data", metavar="JSON", help="new values of variables, or @FILE")
                sub.add_argument("--dry-run", action="store_true", help="say what would be undone and run again")
            continue
        sub.add_argument("id", metavar="ID", nargs="?", help="or choose many with --where, --workflow and --tag")
        chosen = sub.add_argument_group("many instances, the oldest first, with a result for each")
        chosen.add_argument("--where", action="append", metavar="KEY=VALUE", help="state=… or correlation_id=…")
        chosen.add_argument("--workflow", metavar="NAME", help="only of this workflow")
        chosen.add_argument("--tag", action="append", metavar="TAG", help="only with this tag; may be repeated")
        if name in ("pause", "resume"):
            whole = sub.add_argument_group("what no worker begins a step of, instead of instances")
            which = whole.add_mutually_exclusive_group()
            which.add_argument("--definition", metavar="NAME", help="a workflow: it is not started either")
            which.add_argument("--queue", metavar="QUEUE", help="a queue")
            which.add_argument("--all", action="store_true", help="everything")
        chosen.add_argument("--limit", type=count, help=f"at most so many, {LIMIT} by default")
        if name == "cancel":
            undo = sub.add_mutually_exclusive_group()
            undo.add_argument("--compensate", dest="compensate", action="store_true", default=None)
            undo.add_argument("--no-compensate", dest="compensate", action="store_false")
        if name == "resume":
            sub.add_argument("--data", metavar="JSON", help="new values of declared variables, or @FILE")


def answer(verb: str, *, actor: str, **options: Any) -> Answer:
    """Do what the verb says to the instance, or to all that the filter chooses.

    Raises:
        OrchestratorError: of one instance: its refusal. Of many every refusal stands in its result.
        CommandError: both an id and a filter, or neither.
    """
    if (held := _held(options)) is not None:
        return _hold(verb, *held, actor=actor, options=options)
    act = ACTS[verb]
    if options.get("data") is not None:
        options["data"] = read_input(options["data"], "data")
    if options.get("dry_run"):
        return foresights.answer(results.parse_id(options["id"]), including=verb == "rerun", options=options)
    if verb in OF_ONE or options["id"] is not None:
        if any(options.get(each) for each in ("where", "workflow", "tag", "limit")):
            raise CommandError("name an instance or a filter, not both", returncode=2)
        found = act(results.parse_id(options["id"]), actor, options)
        document = {"id": str(found.pk), "state": found.state}
        return document, f"{found.pk} is {_word(verb, found.state)}", DONE
    outcomes = many.each(_chosen(options), lambda key: act(key, actor, options))
    answers = [outcome.as_dict() for outcome in outcomes]
    refused = [each for each in answers if "error" in each]
    document = {"done": len(answers) - len(refused), "refused": len(refused), "results": answers}
    lines = [_line(verb, each) for each in answers]
    summary = f"{document['done']} done, {document['refused']} refused"
    return document, "\n".join([*lines, summary]), REFUSED if refused else DONE


def _held(options: dict[str, Any]) -> tuple[holds.Kind, str] | None:
    """Return what is to be held or let go as a whole, if anything is."""
    chosen = {
        holds.Kind.DEFINITION: options.get("definition"),
        holds.Kind.QUEUE: options.get("queue"),
        holds.Kind.ALL: "" if options.get("all") else None,
    }
    found = [(kind, name) for kind, name in chosen.items() if name is not None]
    if found and any(options.get(other) for other in ("id", "where", "workflow", "tag", "limit", "data")):
        raise CommandError("--definition, --queue and --all stand alone", returncode=2)
    return found[0] if found else None


def _hold(verb: str, kind: holds.Kind, name: str, *, actor: str, options: dict[str, Any]) -> Answer:
    reason = options["reason"]
    if verb == "pause":
        holds.hold(kind=kind, name=name, actor=actor, reason=reason)
    else:
        holds.release(kind=kind, name=name, actor=actor, reason=reason)
    document = {"kind": kind.value, "name": name or None, "paused": verb == "pause"}
    what = {"definition": f"the workflow {name}", "queue": f"the queue {name}", "all": "everything"}[kind.value]
    return document, tame(f"{what} {'is paused' if verb == 'pause' else 'goes on'}"), DONE


def _chosen(options: dict[str, Any]) -> list[UUID]:
    """Return the instances of a filter, the oldest first."""
    if not (options["where"] or options["workflow"] or options["tag"]):
        raise CommandError("name an instance, or choose some with --where, --workflow or --tag", returncode=2)
    wanted: dict[str, Any] = where.read(options["where"])
    found = lists.instances(workflow=options["workflow"], tags=options["tag"] or (), **wanted).order_by(
        "created_at", "id"
    )
    return list(found.values_list("pk", flat=True)[: options["limit"] or LIMIT])


Act = Callable[[UUID, str, dict[str, Any]], Instance]


def _line(verb: str, result: dict[str, Any]) -> str:
    if "error" in result:
        return tame(f"{result['id']}: {result['error']['message']} ({result['error']['code']})")
    return f"{result['id']} is {_word(verb, result['state'])}"


def _word(verb: str, state: str) -> str:
    return "cancelling" if verb == "cancel" and state == InstanceState.RUNNING else state


def _pause(key: UUID, actor: str, options: dict[str, Any]) -> Instance:
    return interventions.pause(instance_id=key, actor=actor, reason=options["reason"])


def _resume(key: UUID, actor: str, options: dict[str, Any]) -> Instance:
    variables, reason = options["data"], options["reason"]
    return interventions.resume(instance_id=key, actor=actor, variables=variables, reason=reason)


def _retry(key: UUID, actor: str, options: dict[str, Any]) -> Instance:
    return interventions.retry(instance_id=key, actor=actor, reason=options["reason"])


def _cancel(key: UUID, actor: str, options: dict[str, Any]) -> Instance:
    undo, reason = options["compensate"], options["reason"]
    return instances.cancel(instance_id=key, actor=actor, compensate=undo, reason=reason)


def _terminate(key: UUID, actor: str, options: dict[str, Any]) -> Instance:
    return instances.terminate(instance_id=key, actor=actor, reason=options["reason"])


def _run_now(key: UUID, actor: str, options: dict[str, Any]) -> Instance:
    return interventions.run_now(instance_id=key, step=options["step"], actor=actor, reason=options["reason"])


def _skip(key: UUID, actor: str, options: dict[str, Any]) -> Instance:
    return interventions.skip(instance_id=key, step=options["step"], actor=actor, reason=options["reason"])


def _rewind(key: UUID, actor: str, options: dict[str, Any]) -> Instance:
    variables, reason = options["data"], options["reason"]
    return rewinds.rewind(instance_id=key, step=options["step"], actor=actor, variables=variables, reason=reason)


def _rerun(key: UUID, actor: str, options: dict[str, Any]) -> Instance:
    given = None if options["input"] is None else read_input(options["input"], "input")
    variables, reason = options["data"], options["reason"]
    return rewinds.rerun(
        instance_id=key, step=options["step"], parameters=given, variables=variables, actor=actor, reason=reason
    )


def _set_variables(key: UUID, actor: str, options: dict[str, Any]) -> Instance:
    variables, reason = options["data"], options["reason"]
    return interventions.set_variables(instance_id=key, actor=actor, variables=variables, reason=reason)


ACTS: dict[str, Act] = {
    "pause": _pause,
    "resume": _resume,
    "set-variables": _set_variables,
    "run-now": _run_now,
    "skip": _skip,
    "retry": _retry,
    "rewind": _rewind,
    "rerun": _rerun,
    "cancel": _cancel,
    "terminate": _terminate,
}
OF_ONE = {
    "set-variables": ("data", "JSON", "an object: new values of declared variables, or @FILE"),
    "run-now": ("step", "STEP", "its path, as `show` names it"),
    "skip": ("step", "STEP", "its path, as `show` names it"),
    "rewind": ("step", "STEP", "the step to go back to"),
    "rerun": ("step", "STEP", "the first step to run again"),
}
"""Verbs about one instance only, and the argument that they take."""
GOING_BACK = ("rewind", "rerun")
HELP = {
    "pause": "Pause an instance: running attempts finish, nothing new starts.",
    "resume": "Let a paused instance go on, with new values of its variables if given.",
    "set-variables": "Give variables of a paused instance new values.",
    "run-now": "End the back-off of a step: its next attempt begins now.",
    "skip": "Skip a step that does not run and has not settled; what waits for it goes on.",
    "retry": "Let a failed instance go on: what failed gets fresh attempts.",
    "rewind": "Undo everything that came after a step; the instance stands paused there.",
    "rerun": "Undo a step and everything that came after it, and go on from there.",
    "cancel": "Cancel an instance: stop what runs, undo what completed.",
    "terminate": "End an instance at once; nothing is undone.",
}
