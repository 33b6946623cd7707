"""`manage.py up`: everything on this machine, from an empty folder to a running installation, until Ctrl-C."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from workflows_app.engine.errors import OrchestratorError
from workflows_app.running import arrangement, display, feeding, first_run, keeping, lifetime, postgres, state_lock
from workflows_app.running.interrupts import Interrupts
from workflows_app.running.supervisor import Supervisor


class Command(BaseCommand):
    help = "Start everything that is missing, feed the sample orders once, and serve until Ctrl-C."
    requires_system_checks: list[str] = []
    progress: display.Progress | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address for the pages (default: %(default)s)")
        parser.add_argument("--port", type=int, help="port for the pages (default: 8000, or another free one)")
        parser.add_argument("--feed", action="store_true", help="feed the sample orders to a database of your own too")
        parser.add_argument("--no-feed", action="store_true", help="do not feed the sample orders")
        parser.add_argument("--only-migrate", action="store_true", help="migrate, set the rights, and end")

    def handle(self, **options: Any) -> None:
        began = time.monotonic()
        # Logs, mails and messages hold people's data: nobody else on this machine reads them.
        os.umask(0o077)
        plan = arrangement.decide(
            os.environ,
            base_dir=settings.BASE_DIR,
            state_dir=settings.STATE_DIR,
            host=options["host"],
            web_port=options["port"],
        )
        try:
            with state_lock.held(plan.state_dir), Interrupts.heard() as interrupts:
                if options["only_migrate"]:
                    with lifetime.database(plan):
                        first_run.migrate(plan)
                    return
                self.run(plan, interrupts, began=began, options=options)
        except lifetime.Stopped:
            self.say("Stopped.")
        except (
            state_lock.AlreadyRunningError,
            postgres.PostgresError,
            first_run.FirstRunError,
            lifetime.NotServingError,
        ) as error:
            raise CommandError(str(error)) from error
        except OrchestratorError as error:
            raise CommandError(f"{error.message} ({error.code})") from error

    def run(
        self, plan: arrangement.Arrangement, interrupts: Interrupts, *, began: float, options: dict[str, Any]
    ) -> None:
        """Start, prepare, tell, feed, serve, stop."""
        for sentence in plan.moved:
            self.say(sentence)
        self.say(
            "Starting" + ("" if plan.state_dir.joinpath("admin_password").exists() else " for the first time") + " …"
        )
        with lifetime.running(plan, interrupts, tell=self.say) as supervisor:
            login = first_run.administrator(plan.state_dir, embedded=plan.embedded_database)
            published = first_run.publish_examples(plan.base_dir)
            lifetime.wait_until_serving(plan, supervisor, interrupts)
            self.say(self.greeting(plan, login, published, seconds=time.monotonic() - began))
            if (plan.embedded_database or options["feed"]) and not options["no_feed"]:
                self.feed(plan.state_dir, supervisor, interrupts)
            # Here and in no process that is started: those do not get to know the owner.
            keeping.begin(threading.Event(), owner=plan.admin_url)
            while not interrupts.asked:
                supervisor.poll()
                interrupts.sleep(1.0)
            self.say("\nStopping …")
        self.say("Stopped. The data is kept in " + os.path.relpath(plan.state_dir) + ".")

    def feed(self, state_dir: Path, supervisor: Supervisor, interrupts: Interrupts) -> None:
        """Start the sample orders that were never started and watch them end."""
        orders = feeding.sample_orders()
        if feeding.already_fed(orders, state_dir):
            return
        progress = self.progress = display.Progress(sys.stdout, title="Sample orders", total=len(orders))
        ids = []
        began = time.monotonic()
        for identity in feeding.start(orders):
            ids.append(identity)
            supervisor.poll()
            if interrupts.asked:
                return
            if len(ids) % 10 == 0:
                progress.show(feeding.tally(ids).ended)
        while (tally := feeding.tally(ids)).lost and not interrupts.asked:
            progress.show(tally.ended)
            supervisor.poll()
            interrupts.sleep(0.3)
        progress.show(tally.ended, str(tally))
        progress.end()
        self.progress = None
        if not tally.lost:
            feeding.remember(state_dir)
            self.say(f"{len(ids)} sample orders ended in {display.duration(time.monotonic() - began)}.")

    def greeting(
        self, plan: arrangement.Arrangement, login: first_run.Login | None, published: list[str], *, seconds: float
    ) -> str:
        """Address, log-in and what to try next."""
        flower = f"http://127.0.0.1:{plan.flower.number}/"
        who = f"  log in     {login}" if login else "  log in     with an account of this database"
        return "\n".join(
            [
                "",
                f"Serving after {display.duration(seconds)}.",
                f"  open       {plan.address}",
                who,
                f"  Flower     {flower}  (the same log-in)" if login else f"  Flower     {flower}",
                f"  published  {', '.join(published)}",
                f"  logs       {os.path.relpath(plan.log_dir)}/",
                "",
                "Try next, in another terminal:",
                "  .venv/bin/python manage.py workflow list",
                "  .venv/bin/python manage.py doctor",
                "  make demo",
                "Ctrl-C stops everything.",
                "",
            ]
        )

    def say(self, sentence: str) -> None:
        """Tell the person at the terminal, above a progress line that may be there."""
        if self.progress is not None:
            self.progress.say(sentence)
        else:
            self.stdout.write(sentence)
            self.stdout.flush()
