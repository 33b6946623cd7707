"""``manage.py workflow``: validate, publish, start, look at and stop workflows. The public contract of the shell."""

from __future__ import annotations

import getpass
import json
import re
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from workflows_app import selectors
from workflows_app.engine import canvas, definition
from workflows_app.engine.errors import DefinitionInvalid, InputInvalid, Problem, Refused
from workflows_app.engine.graph import Graph
from workflows_app.engine.states import INSTANCE_ENDED, InstanceState
from workflows_app.management import listing, planning
from workflows_app.management.answers import DONE, REFUSED, STILL_RUNNING, AnsweringCommand
from workflows_app.services import definitions, graphs, instances

POLL_SECONDS = 0.1
WORKFLOW_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Command(AnsweringCommand):
    help = "Validate, publish, start, look at and stop workflows."

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
        sub = verb("plan", "Show the Celery canvases that a definition compiles to, and where the engine decides.")
        sub.add_argument("source", metavar="FILE|NAME", help="YAML or JSON, - for standard input, or a published name")
        sub.add_argument("--version", dest="workflow_version", help="of a published name; the highest by default")
        sub.add_argument("--step-by-step", action="store_true", help="without fusion: a message for each step")
        verb("schema", "Print the JSON Schema of the definition language.")
        sub = verb("start", "Start an instance.")
        sub.add_argument("name", metavar="NAME")
        sub.add_argument("--version", dest="workflow_version", help="the highest published one by default")
        sub.add_argument("--input", default="{}", help="JSON, or @FILE")
        sub.add_argument("--wait", action="store_true", help="wait for the end and print the result")
        sub.add_argument("--timeout", type=float, default=60.0, help="seconds to wait, 60 by default")
        sub.add_argument("--correlation-id")
        sub.add_argument("--idempotency-key")
        sub = verb("list", "List instances, the newest first.")
        sub.add_argument("--workflow")
        sub.add_argument("--state", choices=[state.value for state in InstanceState])
        sub.add_argument("--limit", type=count, default=20, help="at most 1000 instances")
        sub = verb("show", "Show an instance with its steps and attempts.")
        sub.add_argument("id", metavar="ID")
        sub = verb("history", "Print an instance's events.")
        sub.add_argument("id", metavar="ID")
        sub = verb("cancel", "Cancel an instance: stop what runs, undo what completed.")
        sub.add_argument("id", metavar="ID")
        undo = sub.add_mutually_exclusive_group()
        undo.add_argument("--compensate", dest="compensate", action="store_true", default=None)
        undo.add_argument("--no-compensate", dest="compensate", action="store_false")
        sub.add_argument("--reason", default="")
        sub = verb("terminate", "End an instance at once; nothing is undone.")
        sub.add_argument("id", metavar="ID")
        sub.add_argument("--reason", default="")

    def answer(self, *, verb: str, **options: Any) -> int:
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

    def do_publish(self, *, file: str, **options: Any) -> int:
        version = definitions.publish(text=read(file), actor=person())
        name = version.definition.name
        self.show({"workflow": name, "version": version.version}, f"{name} {version.version} is published")
        return DONE

    def do_plan(self, *, source: str, workflow_version: str | None, step_by_step: bool, **options: Any) -> int:
        graph = self._graph(source, workflow_version)
        fusing = settings.ORCHESTRATOR_FUSION and not step_by_step
        canvases = canvas.survey(graph, fusing=fusing)
        self.show(planning.document(graph, canvases, fusing=fusing), planning.text(graph, canvases, fusing=fusing))
        return DONE

    def _graph(self, source: str, version: str | None) -> Graph:
        """Return the graph of a file, or of a published version where no such file exists."""
        if version is None and (source == "-" or not WORKFLOW_NAME.fullmatch(source) or Path(source).is_file()):
            parsed, problems = definitions.check(text=read(source))
            errors = [p for p in problems if p.severity == "error"]
            if parsed is None or errors:
                raise DefinitionInvalid(f"the definition has {len(errors)} problem(s)", problems=errors)
            return Graph(parsed, definitions.resolve_activities(parsed))
        return graphs.of_version(definitions.find(name=source, version=version).pk)

    def do_schema(self, **options: Any) -> int:
        self.stdout.write(json.dumps(definition.language_schema(), indent=2))
        return DONE

    # ------------------------------------------------------------ instances
    def do_start(
        self,
        *,
        name: str,
        workflow_version: str | None,
        input: str,
        wait: bool,
        timeout: float,
        correlation_id: str | None,
        idempotency_key: str | None,
        **options: Any,
    ) -> int:
        started = instances.start(
            name=name,
            version=workflow_version,
            input=read_input(input),
            correlation_id=correlation_id,
            idempotency_key=idempotency_key,
            actor=person(),
        )
        if not wait:
            self.show(
                {"id": str(started.pk), "workflow": name, "version": started.version, "state": started.state},
                f"{started.pk} {name} {started.version} is {started.state}",
            )
            return DONE
        self.stderr.write(f"{started.pk} started; waiting for its end goes on without this command if you interrupt it")
        ended = self._await(started.pk, timeout)
        found = selectors.result(selectors.instance(started.pk))
        self.show(found, listing.result(found))
        if not ended:
            self.stderr.write(f"stopped waiting after {timeout:g} s; the instance goes on")
            return STILL_RUNNING
        return DONE if found["state"] == InstanceState.COMPLETED else REFUSED

    def _await(self, instance_id: UUID, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        ended = {state.value for state in INSTANCE_ENDED}
        while selectors.instances().filter(pk=instance_id).values_list("state", flat=True)[0] not in ended:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def do_list(self, *, workflow: str | None, state: str | None, limit: int, **options: Any) -> int:
        rows = [listing.row(found) for found in selectors.instances(workflow=workflow, state=state)[:limit]]
        self.show({"instances": rows}, listing.table(rows))
        return DONE

    def do_show(self, *, id: str, **options: Any) -> int:
        found = selectors.instance_view(id)
        self.show(found, listing.details(found))
        return DONE

    def do_history(self, *, id: str, **options: Any) -> int:
        events = selectors.history(id)
        self.show({"events": events}, listing.history(events))
        return DONE

    def do_cancel(self, *, id: str, compensate: bool | None, reason: str, **options: Any) -> int:
        found = instances.cancel(
            instance_id=selectors.parse_id(id), compensate=compensate, reason=reason, actor=person()
        )
        self._say_state(found.pk, found.state, "cancelling" if found.state == "running" else found.state)
        return DONE

    def do_terminate(self, *, id: str, reason: str, **options: Any) -> int:
        found = instances.terminate(instance_id=selectors.parse_id(id), reason=reason, actor=person())
        self._say_state(found.pk, found.state, found.state)
        return DONE

    def _say_state(self, instance_id: UUID, state: str, word: str) -> None:
        self.show({"id": str(instance_id), "state": state}, f"{instance_id} is {word}")


def count(text: str) -> int:
    """Read how many rows are wanted; argparse makes a refusal of the ValueError."""
    number = int(text)
    if not 1 <= number <= 1000:
        raise ValueError
    return number


def person() -> str:
    """Return the name of who runs the command, for history and audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command"


def read(file: str) -> bytes:
    """Read a file, or standard input for ``-``.

    Raises:
        Refused: with code FILE_UNREADABLE.
    """
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as problem:
        raise Refused(f"{file} cannot be read: {problem.strerror}", code="FILE_UNREADABLE") from problem


def read_input(text: str) -> Any:
    """Read ``--input``: JSON, or ``@FILE`` with JSON; strict, so NaN and double keys are refused.

    Raises:
        InputInvalid: naming the place.
    """
    source = read(text[1:]) if text.startswith("@") else text
    try:
        return json.loads(source, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as problem:
        message = f"the input is not JSON: {problem}"
        raise InputInvalid(
            message, code="NOT_JSON", problems=[Problem(code="NOT_JSON", path="input", message=str(problem))]
        ) from problem


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, number in Counter(name for name, _ in pairs).items() if number > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return found
