"""Order: what of the new version is still to come, what of it is passed by, and what would read something too early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workflows_app.engine.errors import Problem
from workflows_app.engine.expressions import Reference
from workflows_app.engine.graph import Graph
from workflows_app.engine.migration.standing import Standing, problem
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.states import STEP_OPEN, StepState

SETTLED_AS = frozenset({"state", "attempts"})
"""What a skipped step has that a reader can make sense of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """The new graph's nodes outside of iterations, as they would stand right after the migration.

    Args:
        states: of those that have begun or settled, by path.
        passed: those that are recorded as skipped, with the reason, in document order.
    """

    states: Mapping[str, StepState]
    passed: Mapping[str, str]

    def is_open(self, path: str) -> bool:
        """Whether a node has not settled."""
        return path not in self.passed and self.states.get(path, StepState.PENDING) in STEP_OPEN

    def waits(self, path: str) -> bool:
        """Whether a node's turn is still to come."""
        return path not in self.passed and path not in self.states


def coming(standing: Standing) -> tuple[Coming, list[Problem]]:
    """Say how the nodes of the new graph would stand, and which cases of a choice cannot be told apart any more."""
    new = standing.new
    states = {
        target: standing.state(node.path)
        for node in standing.begun()
        if (target := standing.target(node.path)) is not None and standing.state(node.path) is not StepState.PENDING
    }
    passed: dict[str, str] = {}
    found = Coming(states=states, passed=passed)
    problems = [each for node in standing.begun() for each in _cases(standing, node, passed)]
    for path, node in new.nodes.items():
        if node.parent is None or not found.waits(path):
            continue
        if node.parent in passed:
            passed[path] = "block"
        elif not (found.waits(node.parent) or found.is_open(node.parent)):
            passed[path] = "migrated"  # the block that it stands in is over
    known = {standing.target(path) for path in standing.old.nodes}
    for path in reversed(_in_order(new)):
        node = new.nodes[path]
        entered = node.parent is None or node.parent in states
        added = path not in known and entered and found.waits(path)
        if added and node.successors and not any(found.waits(each) for each in node.successors):
            passed[path] = "migrated"
            passed.update((inner.path, "block") for inner in new.descendants(path))
    in_order = {path: passed[path] for path in new.nodes if path in passed}
    return Coming(states=states, passed=in_order), problems


def _cases(standing: Standing, node: Node, passed: dict[str, str]) -> list[Problem]:
    """Let what is new in the cases of an open choice that were not taken be skipped, as what was in them."""
    target = standing.target(node.path)
    if node.kind is not NodeKind.CHOICE or target is None or standing.state(node.path) is not StepState.WAITING:
        return []
    lists = standing.new.nodes[target].lists
    taken = next((each for each in node.lists if any(_is_taken(standing, path) for path in each)), ())
    here = [
        [index for index, steps in enumerate(lists) if any(standing.target(path) in steps for path in paths)]
        for paths in ([path for path in taken if standing.has_begun(path)], taken)
    ]
    if len(here[0]) > 1:
        message = "is open, and what has begun in its case stands in several cases then"
        return [problem("STEP_MOVED", node.path, message)]
    index = next(iter(here[0] or here[1]), None)
    begun = {standing.target(path) for path in standing.old.nodes if standing.has_begun(path)}
    for place, steps in enumerate(lists):
        if place != index:
            passed.update((path, "choice") for path in steps if path not in begun)
    return []


def _is_taken(standing: Standing, path: str) -> bool:
    return standing.row(path).state is not StepState.SKIPPED


def _in_order(graph: Graph) -> list[str]:
    """Return the nodes outside of iterations so that each stands behind those of its list that it waits for."""
    found: dict[str, None] = {}
    for path in graph.nodes:
        todo = [path]
        while todo:
            unmet = [need for need in graph.nodes[todo[-1]].needs if need not in found]
            if unmet:
                todo += unmet
            else:
                found.setdefault(todo.pop())
    return list(found)


# ---------------------------------------------------------------- what is read
def problems(standing: Standing, there: Coming) -> Iterator[Problem]:
    """Yield what would read a step that is passed by, or one that it would not wait for any more."""
    old, new, version = standing.old, standing.new, standing.new.definition.version
    states = {node.path: standing.state(node.path) for node in standing.begun()}
    begun = {path: state for path, state in states.items() if state is not StepState.PENDING}
    before = Coming(states=begun, passed={})
    called = {other: path for path, other in standing.renames.items()}
    for name, node in new.written.items():
        reader = _outermost(new, node)
        if not (there.waits(name) if node.depth == 0 else there.is_open(reader)):
            continue
        for source, references in _sources(new, node):
            if source in there.passed and not _only_state(references):
                yield problem("READS_SKIPPED", name, f"reads {source} in {version}, which would be passed by")
            elif there.is_open(source) and not _awaited(new, there, reader, source):
                was = [called.get(path, path) for path in (name, reader, source)]
                if was[0] in old.written and was[2] in old.nodes and not _awaited(old, before, was[1], was[2]):
                    continue  # it would not have waited either
                message = f"reads {source} in {version}, and would begin before that has settled"
                yield problem("READS_TOO_EARLY", name, message)
    for reference in new.output.reads:
        if reference.root == "steps" and reference.name in there.passed and not _only_state([reference]):
            yield problem("READS_SKIPPED", "output", f"reads {reference.name} in {version}, which would be passed by")


def _sources(graph: Graph, node: Node) -> Iterator[tuple[str, list[Reference]]]:
    """Yield what a node reads of steps outside of iterations, by step."""
    found: dict[str, list[Reference]] = {}
    for reference in sorted(node.reads, key=repr):
        if reference.root == "steps" and reference.name in graph.nodes:
            found.setdefault(str(reference.name), []).append(reference)
    yield from found.items()


def _only_state(references: list[Reference]) -> bool:
    return all(each.path[:1] and each.path[0] in SETTLED_AS for each in references)


def _outermost(graph: Graph, node: Node) -> str:
    """Return the block outside of iterations that a written node stands in, or the node itself."""
    while node.depth and node.parent is not None:
        node = graph.written[node.parent]
    return node.path


def _awaited(graph: Graph, there: Coming, reader: str, source: str) -> bool:
    """Whether a node begins after another one has settled, by ``needs`` of what has not begun."""
    if reader not in graph.nodes or source not in graph.nodes:
        return True
    ways = {graph.nodes[path].parent: path for path in _way(graph, source)}
    later = next((path for path in _way(graph, reader) if graph.nodes[path].parent in ways), None)
    if later is None:
        return False
    earlier = ways[graph.nodes[later].parent]
    if later == earlier:
        return True  # one stands in the other
    seen: set[str] = set()
    todo = [earlier]
    while todo:
        after = [path for path in graph.nodes[todo.pop()].successors if there.waits(path) and path not in seen]
        seen.update(after)
        todo += after
    return later in seen


def _way(graph: Graph, path: str) -> list[str]:
    """Return a node and the blocks around it, inner before outer."""
    return [path, *(around.path for around in graph.ancestors(path))]
