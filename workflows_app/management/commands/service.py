"""``manage.py service``: register services, look at their breakers and calls, open and close breakers by hand."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from workflows_app import service_views
from workflows_app.engine.definition.yaml_writing import write_yaml
from workflows_app.engine.states import BreakerState
from workflows_app.management.answers import DONE, AnsweringCommand, person
from workflows_app.management.listing import table, tame
from workflows_app.management.reading import read
from workflows_app.services import service_registry


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
