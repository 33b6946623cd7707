"""Clearing a state folder that belongs to one run alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

# What an installation makes in its state folder, the lock apart.
OURS: Final = ("postgres", "postgres.new", "broker", "log", "mail", "artifacts", "admin_password", "sample_orders")


def clear(state_dir: Path) -> None:
    """Remove what an earlier run left; files that are not an installation's stay. To be called under the lock."""
    for name in OURS:
        path = state_dir / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
