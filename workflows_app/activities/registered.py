"""One registered activity: what it is called, what it takes, and how an attempt performs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows_app.activities import signature
from workflows_app.activities.context import ActivityContext
from workflows_app.engine import schemas
from workflows_app.engine.errors import ActivityError, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredActivity:
    """A function with its contract.

    Args:
        name: dotted type name (``orders.validate``).
        version: semantic version.
        description: one sentence for people.
        parameters: JSON Schema of the parameters.
        result: JSON Schema of the result, ``None`` for any.
        effects: whether performing it may change something outside.
        timeout: suggested time-out of an attempt in seconds.
        category: where a palette lists it.
        fn: the function.
    """

    name: str
    version: str
    description: str
    parameters: Mapping[str, Any]
    result: Mapping[str, Any] | None
    effects: bool
    timeout: float | None
    category: str
    fn: Callable[..., Any] = field(repr=False)

    @property
    def key(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    def perform(self, parameters: Mapping[str, Any], context: ActivityContext) -> Any:
        """Check the parameters and call the function.

        Args:
            parameters: the evaluated ``with`` of the step.
            context: the attempt.

        Returns:
            The function's result.

        Raises:
            ActivityError: INVALID_PARAMETERS (not recoverable) if they break the schema, INVALID_RESULT (effect
                unknown) if the result breaks the declared one, and whatever the function raises.
        """
        given = dict(parameters)
        self._refuse(schemas.validate(given, self.parameters, path="with"))
        if signature.takes_context(self.fn):
            if signature.CONTEXT in given:
                self._refuse([Problem(code="INVALID_PARAMETERS", path="with.context", message="The name is reserved.")])
            given[signature.CONTEXT] = context
        try:
            signature.of(self.fn).bind(**given)
        except TypeError as error:
            self._refuse([Problem(code="INVALID_PARAMETERS", path="with", message=f"{error}.".capitalize())])
        result = self.fn(**given)
        if self.result is not None:
            self._check_result(result)
        return result

    def _refuse(self, problems: Iterable[Problem]) -> None:
        found = list(problems)
        if not found:
            return
        raise ActivityError(
            f"{self.key} refuses its parameters: " + " ".join(str(problem) for problem in found[:5]),
            code="INVALID_PARAMETERS",
            details={"problems": [problem.as_dict() for problem in found[:50]]},
            recoverable=False,
        )

    def _check_result(self, result: Any) -> None:
        problems = schemas.validate(result, self.result or {}, path="result")
        if problems:
            raise ActivityError(
                f"{self.key} returned what its result schema forbids: " + " ".join(str(item) for item in problems[:5]),
                code="INVALID_RESULT",
                details={"problems": [problem.as_dict() for problem in problems[:50]], "effect": "unknown"},
            )
