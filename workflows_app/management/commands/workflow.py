"""``manage.py workflow``: publish and compare, start, look at and stop workflows. The public contract of the shell."""

from __future__ import annotations

import json
import os
import re
import time
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management import CommandError

from workflows_app.engine import canvas, definition
from workflows_app.engine.definition.comparing import differences
from workflows_app.engine.errors import DefinitionInvalid, OrchestratorError, Refused
from workflows_app.engine.graph import Graph
from workflows_app.engine.states import INSTANCE_ENDED, InstanceState
from workflows_app.management import (
    archiving,
    choosing,
    comparing,
    documenting,
    exporting,
    importing,
    listing,
    logs,
    migrating,
    operating,
    purging,
    reporting,
    signalling,
    starting,
    statistics,
    tables,
    tagging,
    templating,
    undoing,
)
from workflows_app.management.answers import DONE, REFUSED, STILL_RUNNING, AnsweringCommand, person
from workflows_app.management.reading import read, read_definitions, read_input
from workflows_app.management.writing import write, write_new
from workflows_app.selectors import canvases, lists, published, results
from workflows_app.services import callees, definitions, graphs, imports, signals
from workflows_app.services.contents import SEMANTIC_VERSION

POLL_SECONDS = 0.1
FOLLOW_SECONDS = 1.0
WORKFLOW_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Command(AnsweringCommand):
    help = "Validate, publish and compare, start, look at and stop workflows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")

        def verb(name: str, help: str) -> ArgumentParser:
            sub = verbs.add_parser(name, help=help, description=help)
            self.add_format(sub)
            return sub

        sub = verb("validate", "List every problem of a definition; exit 0 when it is sound.")
        sub.add_argument("file", metavar="FILE", help="YAML or JSON, - for standard input")
        sub = verb("publish", "Publish a definition as a version that never changes.")
        sub.add_argument("file", metavar="FILE", help="YAML or JSON, - for standard input")
        sub.add_argument("--changes", metavar="TEXT", default="", help="why, for those who look at the versions")
        sub = verb("versions", "List the versions of a workflow: who published them, why, and what differs.")
        sub.add_argument("name", metavar="NAME")
        sub.add_argument("--limit", type=count, default=20, help="at most 1000 versions, the highest")
        sub = verb("plan", "Show the Celery canvases that a definition compiles to, and where the engine decides.")
        sub.add_argument("source", metavar="FILE|NAME", help="YAML or JSON, - for standard input, or a published name")
        sub.add_argument("--version", dest="workflow_version", help="of a published name; the highest by default")
        sub.add_argument("--step-by-step", action="store_true", help="without fusion: a message for each step")
        exporting.add_arguments(
            verb("export", "Print the document of a published version, or write many into a folder.")
        )
        importing.add_arguments(verb("import", "Publish definitions in the order of their calls, all or none."))
        documenting.add_arguments(verb("document", "Write the documentation page of a published version."))
        templating.add_arguments(verbs, self.add_format)
        tables.add_arguments(verbs, self.add_format)
        sub = verb("diff", "Show what differs in meaning between two versions of a workflow.")
        sub.add_argument("name", metavar="NAME")
        sub.add_argument("old", metavar="OLD", help="a published version, or a file, - for standard input")
        sub.add_argument("new", metavar="NEW", help="the same")
        verb("schema", "Print the JSON Schema of the definition language.")
        starting.add_arguments(verb("start", "Start an instance, at once or at a time."))
        sub = verb("list", "List instances, the newest first.")
        sub.add_argument("--workflow")
        sub.add_argument("--state", choices=[state.value for state in InstanceState])
        sub.add_argument("--tag", action="append", default=[], metavar="TAG", help="with this tag; may be repeated")
        sub.add_argument("--limit", type=count, default=20, help="at most 1000 instances")
        sub = verb("show", "Show an instance with its steps and attempts.")
        sub.add_argument("id", metavar="ID")
        sub = verb("why", "Say why an instance is not moving, or what it does.")
        sub.add_argument("id", metavar="ID")
        sub = verb("history", "Print an instance's events.")
        sub.add_argument("id", metavar="ID")
        logs.add_arguments(verb("logs", "Print what the attempts of an instance logged."), count)
        sub = verb("report", "Report an instance in numbers: steps, durations, bottlenecks, failures.")
        sub.add_argument("id", metavar="ID")
        tagging.add_arguments(verb("tag", "Add tags to an instance, or remove some."))
        statistics.add_arguments(verb("statistics", "Say how the instances of a workflow went, and before."))
        signalling.add_arguments(verb("signal", "Send an event to one instance."))
        choosing.add_arguments(verb("choose", "Begin, plan or skip a step of an ad-hoc section."))
        sub = verb("emit", "Publish an event for every instance that waits for its type and key.")
        sub.add_argument("event", metavar="EVENT", help="its type, for example payment.received")
        sub.add_argument("--correlate", metavar="KEY", required=True, help="the key that waiting steps correlate by")
        sub.add_argument("--data", default="null", help="JSON, or @FILE")
        operating.add_arguments(verb, count)
        migrating.add_arguments(verb("migrate", "Let instances go on by another version of their workflow."), count)
        undoing.add_arguments(verbs, self.add_format)
        purging.add_arguments(verb)
        archiving.add_arguments(verb, verbs, self.add_format, count)

    def answer(self, *, verb: str, **options: Any) -> int:
        if verb in operating.ACTS:
            return self.do_operate(verb=verb, **options)
        if verb in purging.VERBS:
            self.show(*purging.answer(verb, actor=person(), **options))
            return DONE
        if verb in archiving.VERBS:
            document, text, sound = archiving.answer(verb, actor=person(), **options)
            self.show(document, text)
            return DONE if sound else REFUSED
        return int(getattr(self, f"do_{verb}")(**options))

    # ------------------------------------------------------------ definitions
    def do_validate(self, *, file: str, **options: Any) -> int:
        problems = definitions.validate(text=read(file))
        errors = [p for p in problems if p.severity == "error"]
        text = "\n".join(f"{p.severity}: {p}" for p in problems)
        self.show(
            {"problems": [p.as_dict() for p in problems]},
            f"{text}\n{len(errors)} error(s)" if errors else f"{text}\nsound".lstrip(),
        )
        return REFUSED if errors else DONE

    def do_publish(self, *, file: str, changes: str, **options: Any) -> int:
        version = definitions.publish(text=read(file), actor=person(), changes=changes)
        name = version.definition.name
        self.show({"workflow": name, "version": version.version}, f"{name} {version.version} is published")
        return DONE

    def do_versions(self, *, name: str, limit: int, **options: Any) -> int:
        self.show(*listing.versions(name, published.rows(name, first=0, number=limit)))
        return DONE

    def do_plan(self, *, source: str, workflow_version: str | None, step_by_step: bool, **options: Any) -> int:
        graph = self._graph(source, workflow_version)
        fusing = settings.ORCHESTRATOR_FUSION and not step_by_step
        found = canvas.survey(graph, fusing=fusing)
        self.show(canvases.document(graph, found, fusing=fusing), canvases.text(graph, found, fusing=fusing))
        return DONE

    def _graph(self, source: str, version: str | None) -> Graph:
        """Return the graph of a file, or of a published version where no such file exists."""
        if version is None and (source == "-" or not WORKFLOW_NAME.fullmatch(source) or Path(source).is_file()):
            parsed, problems = definitions.check(text=read(source))
            errors = [p for p in problems if p.severity == "error"]
            if parsed is None or errors:
                raise DefinitionInvalid(f"the definition has {len(errors)} problem(s)", problems=errors)
            return Graph(parsed, definitions.resolve_activities(parsed), callees.stored(callees.look_up(parsed)))
        return graphs.of_version(definitions.find(name=source, version=version).pk)

    def do_export(self, *, into: str | None, **options: Any) -> int:
        found = exporting.chosen(into=into, **options)
        if into is None:
            self.show(*exporting.one(found[0], options["language"]))
            return DONE
        texts = exporting.texts(found, options["language"])
        write_new(into, texts)
        self.show(*exporting.many(into, texts))
        return DONE

    def do_import(self, *, paths: list[str], dry_run: bool, **options: Any) -> int:
        results = imports.publish_all(sources=read_definitions(paths), actor=person(), dry_run=dry_run)
        self.show(*importing.answer(results, dry_run=dry_run))
        return REFUSED if importing.refused(results) else DONE

    def do_document(self, *, name: str, workflow_version: str | None, out: str | None, **options: Any) -> int:
        document, text = documenting.answer(definitions.find(name=name, version=workflow_version), out=out)
        if out is not None:
            write(out, document["markdown"])
        self.show(document, text)
        return DONE

    def do_template(self, *, action: str, out: str | None = None, **options: Any) -> int:
        document, text = templating.answer(action, **options)
        if out is not None:
            write(out, text)
            text = f"{out} is written"
        self.show(document, text)
        return DONE

    def do_table(self, *, action: str, **options: Any) -> int:
        document, text, sound = tables.answer(action, actor=person(), **options)
        self.show(document, text)
        return DONE if sound else REFUSED

    def do_diff(self, *, name: str, old: str, new: str, **options: Any) -> int:
        if old == new == "-":
            raise CommandError("standard input can be read once only: OLD and NEW cannot both be -", returncode=2)
        found = differences(self._definition(name, old), self._definition(name, new))
        said = definitions.find(name=name, version=new).changes if SEMANTIC_VERSION.fullmatch(new) else ""
        document = {"name": name, "old": old, "new": new, "changes": said or None}
        self.show(
            {**document, "differences": [each.as_dict() for each in found]},
            comparing.text(name, old, new, found, said=said),
        )
        return DONE

    @staticmethod
    def _definition(name: str, source: str) -> definition.Definition:
        """Return a published version, or what a file holds: well formed, though it may have other problems."""
        if SEMANTIC_VERSION.fullmatch(source):
            return definition.parse(definitions.find(name=name, version=source).document)
        if source != "-" and not os.path.exists(source):
            raise Refused(f"{source} is neither a version such as 1.0.0 nor a file", code="FILE_UNREADABLE")
        return definition.parse(definition.load(read(source), limit_bytes=settings.ORCHESTRATOR_MAX_DOCUMENT_BYTES))

    def do_schema(self, **options: Any) -> int:
        self.stdout.write(json.dumps(definition.language_schema(), indent=2))
        return DONE

    # ------------------------------------------------------------ instances
    def do_start(self, *, wait: bool, timeout: float, **options: Any) -> int:
        try:
            started = starting.start(actor=person(), **options)
        except OrchestratorError as refused:
            return self.refuse(refused, status=starting.status_of(refused))
        if not wait:
            self.show(*starting.answer(started))
            return DONE
        self.stderr.write(f"{started.pk} started; waiting for its end goes on without this command if you interrupt it")
        ended = self._await(started.pk, timeout)
        found = results.result(results.instance(started.pk))
        self.show(found, listing.result(found))
        if not ended:
            self.stderr.write(f"stopped waiting after {timeout:g} s; the instance goes on")
            return STILL_RUNNING
        return DONE if found["state"] == InstanceState.COMPLETED else REFUSED

    def _await(self, instance_id: UUID, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        ended = {state.value for state in INSTANCE_ENDED}
        while lists.instances().filter(pk=instance_id).values_list("state", flat=True)[0] not in ended:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def do_list(self, *, workflow: str | None, state: str | None, tag: list[str], limit: int, **options: Any) -> int:
        rows = [listing.row(found) for found in lists.instances(workflow=workflow, state=state, tags=tag)[:limit]]
        self.show({"instances": rows}, listing.instances(rows))
        return DONE

    def do_show(self, *, id: str, **options: Any) -> int:
        found = results.instance_view(id)
        self.show(found, listing.details(found))
        return DONE

    def do_why(self, *, id: str, **options: Any) -> int:
        found = results.why(id)
        self.show(found, listing.why(found))
        return DONE

    def do_history(self, *, id: str, **options: Any) -> int:
        events = results.history(id)
        self.show({"events": events}, listing.history(events))
        return DONE

    def do_logs(
        self, *, id: str, step: str | None, attempt: int | None, limit: int, follow: bool, **options: Any
    ) -> int:
        if not follow:
            self.show(*logs.answer(id=id, step=step, attempt=attempt, limit=limit))
            return DONE
        wait = partial(time.sleep, FOLLOW_SECONDS)
        for document, text in logs.follow(id=id, step=step, attempt=attempt, limit=limit, pause=wait):
            self.stdout.write(json.dumps(document, ensure_ascii=False) if self.as_json else text)
            self.stdout.flush()
        return DONE

    def do_report(self, *, id: str, **options: Any) -> int:
        self.show(*reporting.answer(results.parse_id(id)))
        return DONE

    def do_statistics(self, **options: Any) -> int:
        self.show(*statistics.answer(**options))
        return DONE

    def do_signal(self, *, id: str, event: str, data: str, expect: int | None, **options: Any) -> int:
        key = results.parse_id(id)
        self.show(*signalling.send(instance_id=key, event=event, data=data, expect=expect, actor=person()))
        return DONE

    def do_choose(self, *, id: str, **options: Any) -> int:
        given = {key: options[key] for key in ("section", "member", "act", "user", "data", "reason")}
        self.show(*choosing.choose(instance_id=results.parse_id(id), actor=person(), **given))
        return DONE

    def do_emit(self, *, event: str, correlate: str, data: str, **options: Any) -> int:
        signals.publish(event=event, correlate=correlate, data=read_input(data, "data"), actor=person())
        self.show({"event": event, "correlate": correlate}, f"{event} is published")
        return DONE

    def do_tag(self, *, id: str, action: str, tags: list[str], reason: str, **options: Any) -> int:
        self.show(*tagging.answer(id=id, action=action, tags=tags, reason=reason, actor=person()))
        return DONE

    def do_operate(self, *, verb: str, **options: Any) -> int:
        document, text, code = operating.answer(verb, actor=person(), **options)
        self.show(document, text)
        return code

    def do_migrate(self, **options: Any) -> int:
        given = {key: options[key] for key in (*migrating.OPTIONS, "id", "to", "dry_run", "reason")}
        document, text, code = migrating.answer(actor=person(), **given)
        self.show(document, text)
        return code

    def do_undo(self, *, action: str, **options: Any) -> int:
        self.show(*undoing.answer(action, actor=person(), **options))
        return DONE


def count(text: str) -> int:
    """Read how many rows are wanted; argparse makes a refusal of the ValueError."""
    number = int(text)
    if not 1 <= number <= 1000:
        raise ValueError
    return number
