"""``python -m tests.screenshots``: start an installation with the sample orders, photograph every page of it.

Each page is taken at two widths, light and dark, into ``var/screenshots``. A page that is wider than its window, that
the browser reports an error of (a refused script or style among them), or that does not answer 200, fails the command.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, ConsoleMessage, Error, Page

from tests.screenshots import scenes
from tests.services import chromium
from tests.services.processes import PATIENCE, REPOSITORY, eventually, free_port

WIDTHS: Final = (1280, 360)
SCHEMES: Final = ("light", "dark")
OURS: Final = ("DATABASE_URL", "DATABASE_ADMIN_URL", "SHOP_DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE")
TALLEST: Final = 6000
"""Pixels of a page that a picture shows."""


def main() -> int:
    """Take the pictures; return 1 if something is wrong with a page."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("--into", type=Path, default=REPOSITORY / "var" / "screenshots", help="folder for the pictures")
    parser.add_argument("--only", metavar="NAME", help="pages whose name holds this")
    options = parser.parse_args()
    if chromium.path() is None:
        print("No Chromium was found. On Debian and Ubuntu: apt-get install chromium. CHROMIUM may name one.")
        return 1
    shutil.rmtree(options.into, ignore_errors=True)
    options.into.mkdir(parents=True)
    with installation() as (address, password, manage), chromium.running() as browser:
        found = scenes.prepare(manage)
        problems: list[str] = []
        # What ended is archived only when everything else has been taken.
        for pages in (scenes.pages, partial(scenes.archived, manage)):
            chosen = [page for page in pages(found) if not options.only or options.only in page.name]
            for width, scheme in product(WIDTHS, SCHEMES) if chosen else ():
                problems += photograph(
                    browser, address, password, chosen, width=width, scheme=scheme, into=options.into
                )
    print(f"{len(list(options.into.iterdir()))} pictures are in {os.path.relpath(options.into)}/")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


@contextmanager
def installation() -> Iterator[tuple[str, str, scenes.Manage]]:
    """A running ``manage.py up`` in a folder of its own, its sample orders ended: address, password, commands."""
    with tempfile.TemporaryDirectory(prefix="screenshots-", dir="/var/tmp") as folder:
        state = Path(folder) / "state"
        ports = {name: str(free_port()) for name in ("ORCHESTRATOR_FLOWER_PORT", "ORCHESTRATOR_SHOP_PORT")}
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        environment = {**kept, **ports, "ORCHESTRATOR_ENV": "dev", "ORCHESTRATOR_STATE_DIR": str(state)}
        port, output = free_port(), Path(folder) / "up.out"

        def manage(*arguments: str) -> str:
            done = subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=REPOSITORY,
                env=environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"{' '.join(arguments)}: {done.stderr}")
            return done.stdout

        with output.open("w") as file:
            up = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(port)],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            ended = re.compile(r"sample orders ended")
            print("Starting an installation with its sample orders; this takes a minute.")
            eventually(lambda: ended.search(output.read_text()), PATIENCE * 2, output.read_text, every=0.5)
            yield f"http://127.0.0.1:{port}", (state / "admin_password").read_text().strip(), manage
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(60)


def photograph(
    browser: Browser,
    address: str,
    password: str,
    pages: list[scenes.Scene],
    *,
    width: int,
    scheme: str,
    into: Path,
) -> list[str]:
    """Log in with a window of one width and scheme, and take every page; return what is wrong with them."""
    context = browser.new_context(
        viewport={"width": width, "height": 900 if width > 500 else 740},
        color_scheme=scheme,  # type: ignore[arg-type]
        timezone_id="Europe/Vienna",
        base_url=address,
    )
    problems: list[str] = []
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if _is_problem(message) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto("/login/")
    for scene in [scene for scene in pages if not scene.needs_log_in]:
        problems += _take(page, scene, said, into / f"{scene.name}-{width}-{scheme}.png")
    page.goto("/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", password)
    page.click("main button[type=submit]")
    for scene in [scene for scene in pages if scene.needs_log_in]:
        problems += _take(page, scene, said, into / f"{scene.name}-{width}-{scheme}.png")
    context.close()
    return problems


def _is_problem(message: ConsoleMessage) -> bool:
    return message.type == "error" and "the server responded with a status of" not in message.text


def _take(page: Page, scene: scenes.Scene, said: list[str], file: Path) -> list[str]:
    said.clear()
    try:
        answer = page.goto(scene.address, wait_until="load")
    except Error as problem:
        return [f"{file.stem}: {problem}"]
    time.sleep(0.2)  # what scripts do once the page is there
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    height = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
    size = page.viewport_size or {"width": WIDTHS[0], "height": 900}
    page.screenshot(
        path=file, full_page=True, clip={"x": 0, "y": 0, "width": size["width"], "height": max(height, size["height"])}
    )
    problems = [f"{file.stem}: the browser says: {each}" for each in said]
    if answer is None or answer.status != scene.status:
        problems.append(f"{file.stem}: answered {answer.status if answer else 'nothing'}")
    if wide > 0:
        problems.append(f"{file.stem}: is {wide} pixels wider than its window")
    return problems


if __name__ == "__main__":
    sys.exit(main())
