"""The check: inputs that no rule takes, rules that hold together, rules that are never reached; exact where decidable.

The inputs are walked one after the other with the set of rules that still hold, and places where the same rules hold
are looked at once: the work grows with the number of different sets, not with the product of all pieces. It is
bounded all the same, and says so where the bound ends it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import combinations

from workflows_app.engine.decision_tables.cells import Formula, Scalar
from workflows_app.engine.decision_tables.model import HitPolicy, Table
from workflows_app.engine.decision_tables.regions import pieces, takes
from workflows_app.engine.errors import Problem

MOST_PLACES = 50_000
MOST_FINDINGS = 50
MOST_TESTS = 10_000_000
"""Tests that are made at most: of each input its pieces times the tests in its cells."""

Place = Mapping[str, Scalar]


class _TooMany(Exception):
    pass


def check(table: Table) -> list[Problem]:
    """Return what is doubtful about a sound table, at most ``MOST_FINDINGS`` of each sort.

    Codes: TABLE_OVERLAP (an error under the policy unique: two rules take the same inputs), and the warnings TABLE_GAP
    (no rule takes them), TABLE_RULE_UNREACHED (under first: earlier rules take all that it takes) and
    TABLE_UNDECIDED (CEL conditions, or too many combinations: why something could not be decided).

    >>> from workflows_app.engine.decision_tables.parsing import parse
    >>> table = parse({"table": "t", "version": "1.0.0", "inputs": [{"name": "n", "type": "integer"}],
    ...     "outputs": [{"name": "o"}], "rules": [{"when": {"n": "< 5"}, "then": {"o": 1}},
    ...                                           {"when": {"n": "> 5"}, "then": {"o": 2}}]})
    >>> [str(problem) for problem in check(table)]
    ['rules: no rule takes {"n": 5} (TABLE_GAP)']
    """
    found = list(_uncertain(table))
    try:
        found += _Walk(table).findings()
    except _TooMany:
        message = "the rules tell too many combinations of inputs apart: gaps and overlaps are not checked"
        found.append(_warning("TABLE_UNDECIDED", "rules", message))
    return found


def _uncertain(table: Table) -> Iterator[Problem]:
    for index, rule in enumerate(table.rules):
        formulas = [name for name, cell in rule.cells.items() if isinstance(cell, Formula)]
        where = [*formulas, *(["if"] if rule.condition is not None else [])]
        if where:
            message = f"rule {rule.id} has an expression ({', '.join(where)}): what it takes is not checked"
            yield _warning("TABLE_UNDECIDED", f"rules[{index}]", message)


class _Walk:
    """Looks at every set of rules that can hold together."""

    def __init__(self, table: Table) -> None:
        self.table = table
        rules = table.rules
        self.sure = 0
        for index, rule in enumerate(rules):
            if rule.condition is None and not any(isinstance(cell, Formula) for cell in rule.cells.values()):
                self.sure |= 1 << index
        self.columns: list[tuple[str, list[tuple[int, Scalar]]]] = []
        tests = 0
        for column in table.inputs:
            cells = [rule.cells.get(column.name, ()) for rule in rules]
            masks: dict[int, Scalar] = {}
            cut = pieces(column, cells)
            tests += len(cut) * sum(1 if isinstance(cell, Formula) else len(cell) + 1 for cell in cells)
            if tests > MOST_TESTS:
                raise _TooMany
            for value in cut:
                mask = sum(1 << n for n, cell in enumerate(cells) if takes(cell, value) is not False)
                masks.setdefault(mask, value)
            self.columns.append((column.name, list(masks.items())))
        self.seen: dict[tuple[int, int], None] = {}

    def sets(self) -> Iterator[tuple[int, Place]]:
        """Yield each set of rules that hold for some inputs, as a bit mask, with such inputs."""
        stack: list[tuple[int, int, dict[str, Scalar]]] = [(0, (1 << len(self.table.rules)) - 1, {})]
        while stack:
            depth, mask, place = stack.pop()
            if depth == len(self.columns):
                yield mask, place
                continue
            name, masks = self.columns[depth]
            for piece, value in reversed(masks):
                key = (depth + 1, mask & piece)
                if key in self.seen:
                    continue
                if len(self.seen) >= MOST_PLACES:
                    raise _TooMany
                self.seen[key] = None
                stack.append((*key, {**place, name: value}))

    def findings(self) -> list[Problem]:
        gaps: list[Problem] = []
        overlaps: dict[tuple[int, int], Place] = {}
        first = 0
        for mask, place in self.sets():
            sure = mask & self.sure
            if not mask and len(gaps) < MOST_FINDINGS:
                gaps.append(_warning("TABLE_GAP", "rules", f"no rule takes {_shown(place)}"))
            elif not sure and len(gaps) < MOST_FINDINGS:
                message = f"only rules with an expression may take {_shown(place)}"
                gaps.append(_warning("TABLE_UNDECIDED", "rules", message))
            if self.table.hit is HitPolicy.UNIQUE:
                for pair in combinations(_members(sure), 2):
                    if len(overlaps) >= MOST_FINDINGS:
                        break
                    overlaps.setdefault(pair, place)
            # A rule is reached where no rule before it surely holds.
            ahead = sure & -sure
            first |= mask & ((ahead << 1) - 1 if ahead else mask)
        if self.table.hit is HitPolicy.COLLECT:
            gaps = [gap for gap in gaps if gap.code != "TABLE_GAP"]
        return [*gaps, *self._overlapping(overlaps), *self._unreached(first)]

    def _overlapping(self, overlaps: Mapping[tuple[int, int], Place]) -> Iterator[Problem]:
        for (one, other), place in sorted(overlaps.items(), key=lambda each: each[0]):
            rules = self.table.rules
            message = f"rules {rules[one].id} and {rules[other].id} both take {_shown(place)}; the policy is unique"
            yield Problem(code="TABLE_OVERLAP", path=f"rules[{other}]", message=message)

    def _unreached(self, first: int) -> Iterator[Problem]:
        if self.table.hit is HitPolicy.FIRST:
            for index, rule in enumerate(self.table.rules):
                if not first >> index & 1:
                    message = f"rule {rule.id} is never reached: earlier rules take all that it takes"
                    yield _warning("TABLE_RULE_UNREACHED", f"rules[{index}]", message)


def _members(mask: int) -> Iterator[int]:
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1


def _shown(place: Place) -> str:
    return json.dumps(dict(place), ensure_ascii=False)


def _warning(code: str, path: str, message: str) -> Problem:
    return Problem(code=code, path=path, message=message, severity="warning")
