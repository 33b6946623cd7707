"""``workflow migrate``: instances go on by another version; ``--dry-run`` says what becomes of each, or why not."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.core.management import CommandError
from django.db.models import QuerySet

from workflows_app.engine.states import INSTANCE_ENDED, InstanceState
from workflows_app.management import where
from workflows_app.management.answers import DONE, REFUSED
from workflows_app.models import Instance
from workflows_app.selectors import lists, results
from workflows_app.services import many, migrating
from workflows_app.services.migrating import Foreseen
from workflows_app.taming import tame

LIMIT = 100
"""How many instances a filter migrates at most if nothing else is said; a preview looks at all."""
GOING_ON = tuple(state.value for state in InstanceState if state not in INSTANCE_ENDED)
WORDS = {
    "gone": "stay in the history only",
    "passed": "count as skipped",
    "begins": "begin at once",
    "added": "variables that get their initial value",
    "dropped": "variables that go",
}

OPTIONS = ("map", "workflow", "from_version", "where", "tag", "limit")

Answer = tuple[dict[str, Any], str, int]
"""The document, the text and the exit code."""


def add_arguments(parser: ArgumentParser, count: Callable[[str], int]) -> None:
    """Declare what the command takes.

    Args:
        count: reads a number of instances.
    """
    parser.add_argument("id", metavar="ID", nargs="?", help="or choose many with --workflow")
    parser.add_argument("--to", required=True, metavar="VERSION", help="a published version, not a deprecated one")
    parser.add_argument("--map", action="append", default=[], metavar="OLD=NEW", help="a step's name there")
    parser.add_argument("--dry-run", action="store_true", help="say what would happen to each, or why it cannot")
    parser.add_argument("--reason", default="", help="kept in the history and on the audit trail")
    chosen = parser.add_argument_group("many instances, the oldest first, with a result for each")
    chosen.add_argument("--workflow", metavar="NAME", help="those of this workflow that have not ended")
    chosen.add_argument("--from", dest="from_version", metavar="VERSION", help="only those on this version")
    chosen.add_argument("--where", action="append", metavar="KEY=VALUE", help="state=… or correlation_id=…")
    chosen.add_argument("--tag", action="append", metavar="TAG", help="only with this tag; may be repeated")
    chosen.add_argument("--limit", type=count, help=f"at most so many, {LIMIT} by default; a preview looks at all")


def answer(*, actor: str, id: str | None, to: str, dry_run: bool, reason: str, **options: Any) -> Answer:
    """Migrate one instance, or all that the filter chooses, or say what would become of them.

    Raises:
        OrchestratorError: of one instance: its refusal; no such version. Of many every refusal stands in its result.
        CommandError: both an id and a filter, or neither; a map that is none.
    """
    renames = _renames(options["map"])
    named = any(options[each] for each in ("workflow", "from_version", "where", "tag", "limit"))
    if (id is None) == (not options["workflow"]) or (id is not None and named):
        raise CommandError("name an instance, or a workflow whose instances are meant", returncode=2)
    if id is not None:
        key = results.parse_id(id)
        if dry_run:
            return _foreseen(migrating.foresee(instance_id=key, version=to, renames=renames), to)
        found = migrating.migrate(instance_id=key, version=to, actor=actor, renames=renames, reason=reason)
        document = {"id": str(found.pk), "version": found.version, "state": found.state}
        return document, f"{found.pk} is on {found.version} and {found.state}", DONE
    chosen = _chosen(to=to, **options)
    migrating.target(workflow=options["workflow"], version=to)
    if dry_run:
        keys = list(chosen[: options["limit"]] if options["limit"] else chosen)
        each = (migrating.foresee(instance_id=key, version=to, renames=renames) for key in keys)
        return _all_foreseen(each, options["workflow"], to)
    outcomes = many.each(
        list(chosen[: options["limit"] or LIMIT]),
        lambda key: migrating.migrate(instance_id=key, version=to, actor=actor, renames=renames, reason=reason),
    )
    return _done(outcomes, to)


def _renames(given: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        old, equals, new = each.partition("=")
        if not equals or not old or not new or found.get(old, new) != new:
            raise CommandError("--map takes OLD=NEW, the name of a step now and then", returncode=2)
        found[old] = new
    return found


def _chosen(*, to: str, workflow: str, from_version: str | None, **options: Any) -> QuerySet[Instance, UUID]:
    """Return the ids of the instances that a filter chooses, the oldest first, without those that are there already."""
    wanted = where.read(options["where"])
    state = wanted.get("state")
    found = lists.instances(
        workflow=workflow,
        version=from_version,
        tags=options["tag"] or (),
        states=(state,) if state else GOING_ON,
        correlation_id=wanted.get("correlation_id"),
    )
    return found.exclude(version=to).order_by("created_at", "id").values_list("pk", flat=True)


# ---------------------------------------------------------------- answers
def _done(outcomes: list[many.Outcome], to: str) -> Answer:
    answers = [outcome.as_dict() for outcome in outcomes]
    refused = [outcome for outcome in outcomes if outcome.is_refused]
    document = {"to": to, "done": len(answers) - len(refused), "refused": len(refused), "results": answers}
    lines = [
        tame(f"{each.instance_id}: {each.message} ({each.code})")
        if each.is_refused
        else f"{each.instance_id} is on {to} and {each.state}"
        for each in outcomes
    ]
    summary = f"{document['done']} done, {document['refused']} refused"
    return document, "\n".join([*lines, summary]), REFUSED if refused else DONE


def _foreseen(found: Foreseen, to: str) -> Answer:
    return {**found.as_dict(), "to": to}, "\n".join(_lines(found, to)), DONE if found.is_possible else REFUSED


def _all_foreseen(found: Iterable[Foreseen], workflow: str, to: str) -> Answer:
    answers: list[dict[str, Any]] = []
    lines: list[str] = []
    reasons: Counter[tuple[str, str]] = Counter()
    for each in found:
        answers.append(each.as_dict())
        if not each.is_possible:
            lines += _lines(each, to)
            places = [(problem.code, problem.path) for problem in each.problems]
            reasons.update(set(places) or {(each.code, "")})
    possible = sum(each["possible"] for each in answers)
    document = {
        "workflow": workflow,
        "to": to,
        "possible": possible,
        "impossible": len(answers) - possible,
        "reasons": [
            {"code": code, "path": path, "instances": number} for (code, path), number in reasons.most_common()
        ],
        "results": answers,
    }
    told = ", ".join(f"{number} {code}{f' ({path})' if path else ''}" for (code, path), number in reasons.most_common())
    summary = f"{possible} can go, {document['impossible']} cannot{f': {told}' if told else ''}"
    return document, "\n".join([*lines, tame(summary)]), DONE if possible == len(answers) else REFUSED


def _lines(found: Foreseen, to: str) -> list[str]:
    head = f"{found.instance_id} is {found.state} on {found.version}"
    if not found.is_possible:
        reasons = [str(each) for each in found.problems] or [f"{found.message} ({found.code})"]
        return [f"{head} and cannot go on by {tame(to)}:", *(tame(f"  {reason}") for reason in reasons)]
    lines = [f"{head} and can go on by {tame(to)}"]
    lines += [tame(f"  {old} is called {new} there") for old, new in found.moved.items()]
    for name, words in WORDS.items():
        if values := getattr(found, name):
            lines.append(tame(f"  {words}: {', '.join(values)}"))
    return lines
