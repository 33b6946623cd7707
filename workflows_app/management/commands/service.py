"""``manage.py service``: register services, look at their breakers and calls, open and close breakers by hand."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from workflows_app.engine.definition.yaml_writing import write_yaml
from workflows_app.engine.errors import NotFound
from workflows_app.engine.states import BreakerState
from workflows_app.management.answers import DONE, AnsweringCommand, person
from workflows_app.management.listing import table
from workflows_app.management.reading import read
from workflows_app.selectors import call_statistics, service_views
from workflows_app.services import call_retries, service_registry
from workflows_app.taming import tame

LONGEST_LIST = 1000
LONGEST_WINDOW = 720


class Command(AnsweringCommand):
    help = "Register services that steps call, look at them, open and close their breakers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")

        def verb(name: str, help: str) -> ArgumentParser:
            sub = verbs.add_parser(name, help=help, description=help)
            self.add_format(sub)
            return sub

        sub = verb("register", "Register a service, in the place of what stands under its name.")
        sub.add_argument("file", metavar="FILE", help="YAML or JSON, - for standard input")
        verb("list", "List the registered services.")
        sub = verb("show", "Show a service, its breakers and its last calls.")
        sub.add_argument("name", metavar="NAME")
        sub = verb("calls", "List the last calls of a service, or of an instance, or show one.")
        sub.add_argument("name", metavar="NAME|CALL", nargs="?", help="a service, or the id of one call")
        sub.add_argument("--instance", type=UUID, metavar="ID", help="only those of this instance")
        sub.add_argument("--operation", help="only those of this operation")
        sub.add_argument("--failed", action="store_true", help="only those that failed, or of which nobody knows")
        sub.add_argument("--limit", type=int, default=service_views.MOST_CALLS, help="at most so many, 1000 at most")
        sub = verb("statistics", "Count and measure what was called lately, by service and operation.")
        sub.add_argument("name", metavar="NAME", nargs="?", help="only this service")
        sub.add_argument(
            "--hours", type=int, default=call_statistics.HOURS, help="how far back, 24 by default, 720 at most"
        )
        sub = verb("retry", "Make a failed call again, if its step can.")
        sub.add_argument("call", type=int, metavar="CALL", help="its id, as `calls` lists it")
        sub.add_argument("--reason", default="", help="kept in the history and the audit trail")
        sub = verb("remove", "Forget a service and its breakers.")
        sub.add_argument("name", metavar="NAME")
        for name, words in (
            ("open", "Open the breaker of an operation: no call goes through until it is closed."),
            ("close", "Close the breaker of an operation: calls go through again."),
        ):
            sub = verb(name, words)
            sub.add_argument("name", metavar="NAME")
            sub.add_argument("operation", metavar="OPERATION")
            sub.add_argument("--reason", required=True, help="kept with the breaker and in the audit trail")

    def answer(self, *, verb: str, **options: Any) -> int:
        document, text = getattr(self, f"do_{verb}")(**options)
        self.show(document, text)
        return DONE

    def do_register(self, *, file: str, **options: Any) -> tuple[Any, str]:
        found = service_registry.register(text=read(file), actor=person())
        return {"service": found.name, "content_hash": found.content_hash}, f"{found.name} is registered"

    def do_list(self, **options: Any) -> tuple[Any, str]:
        rows = service_views.rows()
        return {"services": rows}, table(rows)

    def do_show(self, *, name: str, **options: Any) -> tuple[Any, str]:
        view = service_views.view(service_registry.find(name=name))
        head = f"{view['service']}, registered {view['registered_at']} by {tame(view['registered_by'])}"
        if view["under_way"]:
            head = f"{head}; calls under way: {view['under_way']}"
        shown = ("planned_at", "operation", "endpoint", "instance", "step", "attempt", "state", "status")
        calls = [{key: call[key] for key in shown} for call in view["calls"]]
        parts = [head, write_yaml(view["document"]).rstrip(), table(view["breakers"])]
        return view, "\n\n".join([*parts, table(calls) if calls else "no calls yet"])

    def do_calls(
        self,
        *,
        name: str | None,
        instance: UUID | None,
        operation: str | None,
        failed: bool,
        limit: int,
        **options: Any,
    ) -> tuple[Any, str]:
        if name is not None and name.isascii() and name.isdigit():
            return self._call(int(name))
        if name is None and instance is None:
            raise CommandError("name a service, or an instance with --instance", returncode=2)
        if not 1 <= limit <= LONGEST_LIST:
            raise CommandError(f"--limit is 1 to {LONGEST_LIST}", returncode=2)
        found = service_views.calls(service=name, instance=instance, operation=operation, failed=failed, number=limit)
        if name is not None and not found:
            service_registry.find(name=name)  # what a service that was removed has left is shown all the same
        shown = ["id", "planned_at", "service", "operation", "kind", "instance", "step", "attempt"]
        shown += ["retries", "maximum", "state", "status", "code"]
        rows = [{key: call[key] for key in shown} for call in found]
        return {"calls": found}, table(rows) if rows else "no calls"

    def do_statistics(self, *, name: str | None, hours: int, **options: Any) -> tuple[Any, str]:
        if not 1 <= hours <= LONGEST_WINDOW:
            raise CommandError(f"--hours is 1 to {LONGEST_WINDOW}", returncode=2)
        found = call_statistics.statistics(hours=hours, service=name)
        if name is not None and not found["calls"]:
            service_registry.find(name=name)
        rows = [
            {
                **{key: each[key] for key in ("service", "operation", "calls", "success_rate", "retries", "open")},
                **{f"{key}_seconds": value for key, value in each["seconds"].items()},
                **{f"{key}_bytes": value for key, value in each["bytes"].items()},
            }
            for each in found["operations"]
        ]
        head = f"the latest {call_statistics.MOST} calls" if found["cut"] else f"calls of the last {hours} h"
        return found, f"{head}\n{table(rows)}" if rows else f"no calls within the last {hours} h"

    @staticmethod
    def _call(key: int) -> tuple[Any, str]:
        found = service_views.calls(call=key, number=1) if key < 2**63 else []
        if not found:
            raise NotFound(f"there is no call {key}", code="CALL_NOT_FOUND")
        return {"calls": found}, write_yaml(found[0]).rstrip()

    def do_retry(self, *, call: int, reason: str, **options: Any) -> tuple[Any, str]:
        instance, step, way = call_retries.again(call_id=call, actor=person(), reason=reason)
        document = {"call": call, "instance": str(instance), "step": step, "way": way.name.lower()}
        return document, f"{step} of {instance} makes the call again: {way.value}"

    def do_remove(self, *, name: str, **options: Any) -> tuple[Any, str]:
        service_registry.remove(name=name, actor=person())
        return {"service": name, "removed": True}, f"{tame(name)} is removed"

    def do_open(self, **options: Any) -> tuple[Any, str]:
        return self._switch(BreakerState.OPEN, **options)

    def do_close(self, **options: Any) -> tuple[Any, str]:
        return self._switch(BreakerState.CLOSED, **options)

    @staticmethod
    def _switch(state: BreakerState, *, name: str, operation: str, reason: str, **options: Any) -> tuple[Any, str]:
        service_registry.switch(name=name, operation=operation, state=state, reason=reason, actor=person())
        document = {"service": name, "operation": operation, "state": state.value}
        return document, f"the breaker of {tame(name)}.{tame(operation)} is {state.value}"
