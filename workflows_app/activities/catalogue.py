"""The registry: every activity type and version that this process can perform."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from workflows_app.activities import discovery, signature, versions
from workflows_app.activities.registered import RegisteredActivity
from workflows_app.engine import schemas
from workflows_app.engine.errors import Conflict, NotFound, Refused
from workflows_app.engine.verifier import ActivityInfo

Function = TypeVar("Function", bound=Callable[..., Any])


class Registry:
    """Activities by name and version; lookups without a version take the newest release."""

    def __init__(self) -> None:
        self._activities: dict[str, dict[str, RegisteredActivity]] = {}
        self._lock = threading.RLock()
        self._is_discovered = False

    def activity(
        self,
        name: str,
        *,
        version: str = "1.0.0",
        description: str = "",
        parameters: Mapping[str, Any] | None = None,
        result: Mapping[str, Any] | None = None,
        effects: bool = True,
        timeout: float | None = None,
        category: str = "general",
    ) -> Callable[[Function], Function]:
        """Decorator that registers a function and returns it unchanged.

        Args:
            name: dotted type name; what definitions write after ``activity:``.
            version: semantic version.
            description: one sentence; default the first line of the function's docstring.
            parameters: JSON Schema of the parameters; default derived from the signature.
            result: JSON Schema of the result; default anything.
            effects: whether performing it may change something outside.
            timeout: suggested time-out of an attempt in seconds.
            category: where a palette lists it.

        Raises:
            Refused: ACTIVITY_INVALID if the name, version, schema or function cannot be registered.
            Conflict: ACTIVITY_DUPLICATE if the name and version are taken.
        """

        def register(fn: Function) -> Function:
            _check(name, version, fn)
            chosen = dict(parameters) if parameters is not None else signature.parameters_of(fn)
            for schema, what in ((chosen, "parameters"), (result, "result")):
                problems = schemas.check_schema(schema, path=what) if schema is not None else []
                if problems:
                    raise Refused(
                        f"Activity {name}@{version} has an invalid schema: {problems[0]}",
                        code="ACTIVITY_INVALID",
                        problems=problems,
                    )
            self.add(
                RegisteredActivity(
                    name=name,
                    version=version,
                    description=description or (fn.__doc__ or "").strip().partition("\n")[0],
                    parameters=chosen,
                    result=result,
                    effects=effects,
                    timeout=timeout,
                    category=category,
                    fn=fn,
                )
            )
            return fn

        return register

    def add(self, entry: RegisteredActivity) -> None:
        """Register an activity.

        Raises:
            Conflict: ACTIVITY_DUPLICATE if the name and version are taken.
        """
        with self._lock:
            taken = self._activities.get(entry.name, {}).get(entry.version)
            if taken is not None:
                raise Conflict(
                    f"Activity {entry.key} of {_origin(entry)} is already registered by {_origin(taken)}.",
                    code="ACTIVITY_DUPLICATE",
                )
            self._activities.setdefault(entry.name, {})[entry.version] = entry

    def discover(self) -> None:
        """Import every configured module and entry point, once per process.

        Raises:
            DiscoveryFailed: naming each module that broke; the others are registered all the same, and the
                next call tries the broken ones again.
        """
        with self._lock:
            if not self._is_discovered:
                discovery.load_all(rollback=self._undone_on_error)
                self._is_discovered = True

    def get(self, name: str) -> RegisteredActivity:
        """The activity ``name`` (newest release) or ``name@version``.

        Raises:
            NotFound: EXECUTOR_NOT_FOUND.
        """
        bare, pin, version = name.partition("@")
        with self._lock:
            known = self._activities.get(bare, {})
            entry = known.get(version if pin or not known else versions.newest(list(known)))
            if entry is not None:
                return entry
            there = f"; registered are {', '.join(sorted(known))}" if known else ""
        raise NotFound(f"No activity {name} is registered on this worker{there}.", code="EXECUTOR_NOT_FOUND")

    def all(self) -> list[RegisteredActivity]:
        """Every registered activity, by name and version."""
        with self._lock:
            return [entry for _, known in sorted(self._activities.items()) for _, entry in sorted(known.items())]

    def infos(self) -> dict[str, ActivityInfo]:
        """What the verifier needs to know, under ``name`` (newest release) and ``name@version``."""
        found: dict[str, ActivityInfo] = {}
        with self._lock:
            for name, known in self._activities.items():
                for version, entry in known.items():
                    found[entry.key] = ActivityInfo(name=name, version=version, parameters=dict(entry.parameters))
                found[name] = found[f"{name}@{versions.newest(list(known))}"]
        return found

    @contextmanager
    def _undone_on_error(self) -> Iterator[None]:
        """Forget what a module registered before it broke, so that its own error shows again at the next try.

        What it imported and what was imported whole stays: Python will not run that again.
        """
        before = {name: dict(known) for name, known in self._activities.items()}
        try:
            yield
        except BaseException:
            self._activities = {
                name: kept
                for name, known in self._activities.items()
                if (
                    kept := {
                        version: entry
                        for version, entry in known.items()
                        if version in before.get(name, {}) or entry.fn.__module__ in sys.modules
                    }
                )
            }
            raise


def _check(name: str, version: str, fn: Callable[..., Any]) -> None:
    if not name or "@" in name or name.split() != [name]:
        raise Refused(f"{name!r} cannot be the name of an activity.", code="ACTIVITY_INVALID")
    if not versions.is_version(version):
        raise Refused(f"Activity {name}: {version!r} is not a semantic version.", code="ACTIVITY_INVALID")
    try:
        signature.check_callable(fn)
    except TypeError as error:
        raise Refused(f"Activity {name}@{version}: {error}.", code="ACTIVITY_INVALID") from error


def _origin(entry: RegisteredActivity) -> str:
    return f"{entry.fn.__module__}.{getattr(entry.fn, '__qualname__', entry.fn)}"


registry = Registry()
"""The process's activities."""
activity = registry.activity
