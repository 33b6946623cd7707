"""`manage.py demo`: 200 orders, a worker killed half-way, and the proof that nothing was lost."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from workflows_app.engine.errors import OrchestratorError
from workflows_app.running import (
    arrangement,
    display,
    feeding,
    first_run,
    folder_state,
    lifetime,
    postgres,
    state_lock,
)
from workflows_app.running.interrupts import Interrupts
from workflows_app.running.supervisor import Supervisor

# Set for the second start of this command, under settings that read the demonstration's own folder.
INSIDE = "ORCHESTRATOR_DEMO"


class Command(BaseCommand):
    help = "Feed sample orders, kill a worker half-way, and check that nothing was lost. Leaves nothing running."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--orders", type=int, default=200, help="how many (default: %(default)s)")
        parser.add_argument(
            "--deadline", type=float, default=300.0, help="seconds to wait for all (default: %(default)s)"
        )
        parser.add_argument("--no-kill", action="store_true", help="leave the worker alone")

    def handle(self, **options: Any) -> None:
        if os.environ.get(INSIDE) != str(settings.STATE_DIR):
            self.start_again(settings.STATE_DIR / "demo")
        plan = arrangement.decide(os.environ, base_dir=settings.BASE_DIR, state_dir=settings.STATE_DIR)
        try:
            with state_lock.held(plan.state_dir), Interrupts.heard() as interrupts:
                folder_state.clear(plan.state_dir)
                sound = self.run(plan, interrupts, options)
        except lifetime.Stopped as stopped:
            raise CommandError("Stopped before the end.") from stopped
        except (
            state_lock.AlreadyRunningError,
            postgres.PostgresError,
            first_run.FirstRunError,
            lifetime.NotServingError,
        ) as error:
            raise CommandError(str(error)) from error
        except OrchestratorError as error:
            raise CommandError(f"{error.message} ({error.code})") from error
        if not sound:
            raise CommandError("The demonstration failed.")

    def start_again(self, folder: Path) -> None:
        """Become the same command with a state folder of its own, so that `up` is not disturbed."""
        variables = {**os.environ, "ORCHESTRATOR_STATE_DIR": str(folder), INSIDE: str(folder)}
        os.execve(sys.executable, [sys.executable, *sys.argv], variables)  # noqa: S606 - ourselves again

    def run(self, plan: arrangement.Arrangement, interrupts: Interrupts, options: dict[str, Any]) -> bool:
        """Everything from the start to the table; whether all of it holds."""
        self.stdout.write("Starting …")
        orders = feeding.sample_orders(count=options["orders"], run=secrets.token_hex(3))
        progress = display.Progress(sys.stdout, title="Orders", total=len(orders))
        with lifetime.running(plan, interrupts, tell=progress.say) as supervisor:
            if plan.embedded_database:
                first_run.administrator(plan.state_dir, embedded=True)
            first_run.publish_examples(plan.base_dir)
            lifetime.wait_until_serving(plan, supervisor, interrupts)
            began = time.monotonic()
            ids = self.feed(
                orders, supervisor, interrupts, progress, began + options["deadline"], kill=not options["no_kill"]
            )
            seconds = time.monotonic() - began
            progress.end()
            tally = feeding.tally(ids)
            work = feeding.work(ids)
            checks = self.checks(plan, [str(order["order_id"]) for order in orders], tally)
        rows: list[tuple[str, object]] = [
            ("completed", tally.states.get("completed", 0)),
            ("compensated", tally.states.get("compensated", 0)),
            ("failed", tally.states.get("failed", 0)),
        ]
        others = {"completed", "compensated", "failed"}
        rows += [
            (state.replace("_", " "), count) for state, count in sorted(tally.states.items()) if state not in others
        ]
        rows += [
            ("steps executed", work.executed),
            ("steps repeated", work.repeated),
            ("lost", tally.lost),
            ("seconds", f"{seconds:.1f}"),
        ]
        self.stdout.write(f"\n{display.table(rows)}\n")
        for name, complaint in checks:
            self.stdout.write(f"  {'FAILED' if complaint else 'holds '}  {name}")
            if complaint:
                self.stdout.write("          " + complaint.replace("\n", "\n          "))
        return not any(complaint for _, complaint in checks)

    def feed(
        self,
        orders: Sequence[dict[str, Any]],
        supervisor: Supervisor,
        interrupts: Interrupts,
        progress: display.Progress,
        deadline: float,
        *,
        kill: bool,
    ) -> list[UUID]:
        """Start the orders, kill the worker when half of them have ended, wait for the rest."""
        ids: list[UUID] = []
        starting = feeding.start(orders)
        while time.monotonic() < deadline:
            if interrupts.asked:
                raise lifetime.Stopped
            supervisor.poll()
            fresh = [identity for _, identity in zip(range(10), starting, strict=False)]
            ids += fresh
            tally = feeding.tally(ids)
            progress.show(tally.ended, str(tally))
            if kill and tally.ended * 2 >= len(orders):
                kill = False
                pid = supervisor.kill("worker")
                progress.say(f"Half-way: the worker (process {pid}) and its whole group were killed with SIGKILL.")
            if len(ids) == len(orders) and not tally.lost:
                break
            if not fresh:
                interrupts.sleep(0.3)
        return ids

    def checks(
        self, plan: arrangement.Arrangement, orders: Sequence[str], tally: feeding.Tally
    ) -> list[tuple[str, str]]:
        """Name of each invariant and what speaks against it, empty where it holds."""
        manage = [sys.executable, "manage.py"]
        books = [sys.executable, "-m", "examples.order_processing.check", *orders]
        shop = {**os.environ, "DATABASE_URL": plan.shop_url}
        return [
            ("every instance ended", f"{tally.lost} did not" if tally.lost else ""),
            ("history replays to the stored state", complaint([*manage, "replay", "--check"], plan.base_dir)),
            ("the audit chain verifies", complaint([*manage, "audit", "verify"], plan.base_dir)),
            ("the shop's books balance", complaint(books, plan.base_dir, shop)),
        ]


def complaint(command: list[str], directory: Path, environment: dict[str, str] | None = None) -> str:
    """What a check said where it failed, empty where it did not."""
    done = subprocess.run(  # noqa: S603 - our own command lines
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode == 0:
        return ""
    said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
    return said or f"ended with code {done.returncode}"
