"""Which instance may read which artifact: its own, and those whose references came to it from outside.

A reference of another instance is let in if it stands, whole and with its signature, in the reader's own input, or in
what a step of the reader got from an event or a called workflow. One that the reader's definition made up, or copied
from somewhere else, stands in neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db import connection

from workflows_app.models import Instance

INCOMING = ("receive", "call")
"""Kinds of steps whose output comes from outside the instance."""
_INDEX = re.compile(r"\[\d+\]$")
_HOLDS = "jsonb_path_exists({}, '$.** ? (@.signature == $s)', jsonb_build_object('s', %s::text))"


def may_read(reader: UUID, owner: UUID, signature: str) -> bool:
    """Whether an instance may read the artifact of a reference.

    A called instance may read what its caller may, if that stands in its input, and a caller what the instance that it
    called may, if that stands in the call's output: so a reference that neither may read does not become readable by
    being handed to and fro.

    Args:
        reader: the instance that reads.
        owner: the instance that the artifact belongs to.
        signature: of the reference, which has been verified.
    """
    seen: set[UUID] = set()
    todo = [reader]
    while todo:
        instance = todo.pop()
        if instance == owner:
            return True
        if instance not in seen:
            seen.add(instance)
            found = _sources(instance, signature)
            if found is None:
                return True
            todo += found
    return False


def _sources(reader: UUID, signature: str) -> list[UUID] | None:
    """Return the instances that a reference came to the reader from; ``None`` where it came from outside of all."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT i.parent_id, coalesce({_HOLDS.format('i.input')}, false) "  # noqa: S608
            "FROM workflows_app_instance i WHERE i.id = %s",
            [signature, reader],
        )
        row = cursor.fetchone()
        if row is None:
            return []
        parent, in_input = row
        if in_input and parent is None:
            return None
        cursor.execute(
            "SELECT s.path FROM workflows_app_step s WHERE s.instance_id = %s "  # noqa: S608
            f"AND {_HOLDS.format('wf_kept(s.instance_id, s.output, s.output_from)')}",
            [reader, signature],
        )
        paths = [path for (path,) in cursor.fetchall()]
    sources = [parent] if in_input else []
    if paths:
        document = Instance.objects.select_related("definition_version").get(pk=reader).definition_version.document
        incoming = dict(_incoming(document.get("steps", ())))
        kinds = {path: incoming.get(_INDEX.sub("", path.rpartition(".")[2])) for path in paths}
        if "receive" in kinds.values():
            return None
        calls = [path for path, kind in kinds.items() if kind == "call"]
        sources += Instance.objects.filter(parent_id=reader, parent_path__in=calls).values_list("pk", flat=True)
    return sources


def _incoming(steps: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the steps that bring something in, by id and kind; only where steps stand, not in parameters."""
    for step in steps:
        yield from ((step["id"], kind) for kind in INCOMING if kind in step)
        for case in step.get("choice", ()):
            yield from _incoming(case["steps"])
        for branch in step.get("parallel", {}).get("branches", {}).values():
            yield from _incoming(branch)
        for kind in ("foreach", "loop", "adhoc"):
            yield from _incoming(step.get(kind, {}).get("steps", ()))
