"""The product's processes against one database and one broker: workers, the sweeper, and an operator at a prompt."""

from __future__ import annotations

import itertools
import json
import os
import select
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
from celery import Celery

from orchestrator.settings.messaging import transport_options
from tests.services.messages import Messages
from tests.services.processes import PATIENCE, REPOSITORY, Process, eventually
from workflows_app.engine.states import INSTANCE_ENDED

ANSWER_SECONDS = 10
"""For an answer of a worker, which may have died; whoever asked asks again."""
COMMAND_SECONDS = 5 * PATIENCE
"""For a command; none waits for what never comes."""


class Answer(NamedTuple):
    """What one command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out.strip(), f"no document on standard output; standard error: {self.err}"
        return json.loads(self.out)


class Product:
    """One installation without a supervisor: the test starts, kills and stops its processes.

    Args:
        folder: where logs, calls and markers go.
        database_url: a migrated database of its own.
        broker: a running one of ``redis``, ``rabbitmq``, ``filesystem``.
    """

    def __init__(self, folder: Path, database_url: str, broker: Any) -> None:
        self.folder = folder
        self.database_url = database_url
        self.broker = broker
        self.messages = Messages(broker.url)
        self.processes: list[Process] = []
        self.documents: dict[str, Mapping[str, Any]] = {}
        self._numbers = itertools.count(1)
        self._operator: Process | None = None
        self._session: Any = None

    # ------------------------------------------------------------------ processes
    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment of a process; nothing of the caller's settings leaks into it."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.environ.get("HOME", "/"),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONUNBUFFERED": "1",
            "ORCHESTRATOR_ENV": "test",
            "DJANGO_SETTINGS_MODULE": "orchestrator.settings.test",
            "DATABASE_URL": self.database_url,
            "ORCHESTRATOR_STATE_DIR": str(self.folder),
            "ORCHESTRATOR_ACTIVITIES": "tests.services.activities",
            "ORCHESTRATOR_TEST_FOLDER": str(self.folder),
            "ORCHESTRATOR_FAILPOINTS_DIR": str(self.folder),
            **self.broker.environment,
            **(more or {}),
        }

    def worker(self, *, queue: str = "default", concurrency: int = 2, pool: str = "prefork", **more: str) -> Process:
        """Start a worker and wait until it consumes; ``more`` are environment variables."""
        worker = self.start_worker(queue=queue, concurrency=concurrency, pool=pool, **more)
        self.await_worker(worker)
        return worker

    def start_worker(self, *, queue: str, concurrency: int, pool: str = "prefork", **more: str) -> Process:
        """Start a worker, which consumes some seconds later; several may be on their way at once."""
        number = next(self._numbers)
        # INFO, because the tests wait for what the worker says; otherwise as the product's supervisor starts it.
        name = f"worker{number}"
        options = f"worker -Q {queue} -c {concurrency} --pool {pool} -n {self._node(name)} --loglevel INFO"
        options += " --without-gossip --without-mingle"
        worker = self._process(name, ["-m", "celery", "-A", "orchestrator", *options.split()], more)
        worker.start()
        return worker

    def await_worker(self, worker: Process) -> None:
        """Wait until a worker that was started consumes."""
        worker.wait_until(lambda: " ready." in worker.log.read_text(errors="replace"))

    def _node(self, name: str) -> str:
        """A worker's name in its broker, where there may be other installations."""
        return f"{name}@{self.folder.name}"

    def is_idle(self, worker: Process) -> bool:
        """Whether a worker says that it has finished every message which it received."""
        node, state = self._node(worker.name), Path(worker.environment["ORCHESTRATOR_STATE_DIR"])
        with Celery("operator", broker=self.broker.url, set_as_current=False) as app:
            app.conf.broker_transport_options = transport_options(self.broker.url.partition(":")[0], state)
            asked = app.control.inspect([node], timeout=ANSWER_SECONDS)
            # In this order: a message that begins meanwhile is in both answers.
            answers = (asked.reserved() or {}).get(node), (asked.active() or {}).get(node)
        return answers == ([], [])

    def sweeper(self, **more: str) -> Process:
        """Start a sweeper; it needs no readiness, every test waits for what it does."""
        sweeper = self._process(f"sweeper{next(self._numbers)}", ["manage.py", "sweep"], more)
        sweeper.start()
        return sweeper

    def _process(self, name: str, arguments: list[str], more: Mapping[str, str], *, pipes: bool = False) -> Process:
        process = Process(
            name,
            [sys.executable, *arguments],
            environment=self.environment(more),
            log=self.folder / f"{name}.log",
            pipes=pipes,
        )
        self.processes.append(process)
        return process

    def sweepers(self) -> list[Process]:
        """The sweepers that run."""
        return [process for process in self.processes if process.name.startswith("sweeper") and process.alive]

    def workers(self) -> list[Process]:
        """The workers that run."""
        return [process for process in self.processes if process.name.startswith("worker") and process.alive]

    def stop_workers(self) -> None:
        """Kill every worker; the sweeper and the operator stay."""
        for worker in [process for process in self.processes if process.name.startswith("worker")]:
            worker.kill()
            self.processes.remove(worker)

    def stop(self) -> None:
        """Kill everything started here, newest first."""
        for process in reversed(self.processes):
            process.kill()
        self.processes.clear()
        self._operator = None
        if self._session is not None:
            self._session.close()
            self._session = None

    def tails(self) -> str:
        """The last lines of every log, for a message."""
        return "\n".join(process.tail(25) for process in self.processes)

    # ------------------------------------------------------------------ commands
    def command(self, *arguments: str) -> Answer:
        """One management command, as ``manage.py ARGUMENTS`` would answer, in a process that stays warm."""
        if self._operator is None or not self._operator.alive:
            number = next(self._numbers)
            self._operator = self._process(f"operator{number}", ["-m", "tests.services.operator"], {}, pipes=True)
            self._operator.start()
        streams = self._operator.popen
        streams.stdin.write(json.dumps(arguments) + "\n")
        streams.stdin.flush()
        answers, _, _ = select.select([streams.stdout], [], [], COMMAND_SECONDS)
        assert answers, f"no answer to {arguments}\n{self._operator.tail()}"
        line = streams.stdout.readline()
        assert line, f"the operator's process ended\n{self._operator.tail()}"
        return Answer(**json.loads(line))

    def publish(self, document: Mapping[str, Any]) -> None:
        """Publish a definition; a refusal fails the test with its problems."""
        file = self.folder / f"{document['workflow']}-{document['version']}.json"
        file.write_text(json.dumps(document))
        answer = self.command("workflow", "publish", str(file))
        assert answer.code == 0, answer
        self.documents[document["workflow"]] = document

    def begin(self, name: str, value: Mapping[str, Any] | None = None, *more: str) -> str:
        """Start an instance and return its id."""
        answer = self.command("workflow", "start", name, "--input", json.dumps(value or {}), "--format", "json", *more)
        assert answer.code == 0, answer
        return str(answer.json["id"])

    def show(self, instance: str) -> dict[str, Any]:
        answer = self.command("workflow", "show", instance, "--format", "json")
        assert answer.code == 0, answer
        return answer.json

    def history(self, instance: str) -> list[dict[str, Any]]:
        answer = self.command("workflow", "history", instance, "--format", "json")
        assert answer.code == 0, answer
        return answer.json["events"]

    def instances(self) -> list[dict[str, Any]]:
        answer = self.command("workflow", "list", "--limit", "1000", "--format", "json")
        assert answer.code == 0, answer
        return answer.json["instances"]

    def attempts(self, instance: str) -> dict[str, int]:
        """How many attempts of each step were started, undos included."""
        return dict(Counter(event["step"] for event in self.history(instance) if event["type"] == "step.started"))

    def ended(
        self, instance: str, deadline: float = PATIENCE, *, meanwhile: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        """Wait until an instance ended and return its view; ``meanwhile`` is called before each look."""

        def over() -> bool:
            if meanwhile is not None:
                meanwhile()
            return self.state(instance) in INSTANCE_ENDED

        def report() -> str:
            return f"instance {instance} ended: {json.dumps(self.show(instance), indent=1)}\n{self.tails()}"

        eventually(over, deadline, report, every=0.1)
        return self.show(instance)

    def state(self, instance: str) -> str:
        """The state of an instance, from the database: a test that waits asks often, and a command costs much more."""
        if self._session is None:
            self._session = psycopg2.connect(self.database_url)
            self._session.autocommit = True
        with self._session.cursor() as cursor:
            cursor.execute("SELECT state FROM workflows_app_instance WHERE id = %s", [instance])
            return str(cursor.fetchone()[0])

    def run(self, document: Mapping[str, Any], value: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Publish a definition, start an instance, wait until it ended and return its view."""
        self.publish(document)
        return self.ended(self.begin(document["workflow"], value))

    # ------------------------------------------------------------------ the outside world
    def calls(self, call: str | None = None, **equal: Any) -> list[dict[str, Any]]:
        """What the test activities did, in order; filtered by the name of the call and by exact fields."""
        file = self.folder / "calls.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        found = [json.loads(line) for line in lines]
        if call is not None:
            equal["call"] = call
        return [entry for entry in found if all(entry.get(name) == value for name, value in equal.items())]

    def called(self, call: str, deadline: float = PATIENCE, count: int = 1, **equal: Any) -> dict[str, Any]:
        """Wait until the activities made ``count`` such calls and return the last."""
        eventually(
            lambda: len(self.calls(call, **equal)) >= count,
            deadline,
            lambda: f"call {call} {equal} {count} times, were {self.calls(call, **equal)}\n{self.tails()}",
        )
        return self.calls(call, **equal)[-1]

    def release(self, name: str, *, attempt: int | None = None) -> None:
        """Let ``test.block`` with that name return, in every attempt or in one."""
        (self.folder / (f"release-{name}" if attempt is None else f"release-{name}.{attempt}")).touch()

    def disarm(self, point: str) -> None:
        """Forget how often a failpoint fired."""
        for marker in self.fired(point):
            marker.unlink()

    def fired(self, point: str) -> list[Path]:
        """One marker for each time that a counted failpoint fired."""
        return sorted(self.folder.glob(f"{point.partition('=')[0]}.[0-9]*"))
