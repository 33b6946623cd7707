"""Where the examples' databases and files lie: below the folder that steps of the installation may use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def file_root(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder, decided as ``make up`` decides it.

    Args:
        environment: ``ORCHESTRATOR_FILE_ROOT`` names it; else it is ``files`` in ``ORCHESTRATOR_STATE_DIR``,
            which is ``var`` in the checkout unless told otherwise.
    """
    if named := environment.get("ORCHESTRATOR_FILE_ROOT"):
        return Path(named)
    return Path(environment.get("ORCHESTRATOR_STATE_DIR") or CHECKOUT / "var") / "files"
