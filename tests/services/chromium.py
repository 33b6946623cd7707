"""A browser: the system's Chromium, driven by Playwright, which installs none of its own here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

from tests.services.processes import PATIENCE, require

expect.set_options(timeout=PATIENCE * 1000)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def path() -> str | None:
    """Where the system's Chromium is; ``CHROMIUM`` may name one; ``None`` where there is none."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def running() -> Iterator[Browser]:
    """Start the browser without a window, and end it with its processes.

    Where the machine has none, the test is skipped, or fails where brokers are demanded.
    """
    executable = path() or require(*NAMES)
    with sync_playwright() as playwright:
        # As root, in containers, it cannot have a sandbox of its own.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
