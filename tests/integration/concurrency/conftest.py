"""A database with real commits, for what happens between sessions."""

from __future__ import annotations

from tests.integration.robustness.conftest import committed_db, fresh_sessions

__all__ = ["committed_db", "fresh_sessions"]
