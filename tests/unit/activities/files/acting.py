"""What tests of files share: every activity with a path, and what stands in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Act = Callable[..., Any]
EVERY = [
    ("read", lambda path: {"path": path}),
    ("write", lambda path: {"path": path, "content": "x", "mode": "replace", "make_folders": True}),
    ("write", lambda path: {"path": path, "content": "x", "mode": "append"}),
    ("list", lambda path: {"path": path}),
    ("copy", lambda path: {"from": "here.txt", "to": path, "replace": True}),
    ("copy", lambda path: {"from": path, "to": "there.txt"}),
    ("move", lambda path: {"from": "here.txt", "to": path, "replace": True}),
    ("move", lambda path: {"from": path, "to": "there.txt"}),
    ("delete", lambda path: {"path": path}),
]
"""Activities and the parameters with a path that each may get."""


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))
