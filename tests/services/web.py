"""The web process of an installation, and somebody who may do everything there."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from uuid import uuid4

import httpx

from tests.services.processes import PATIENCE, REPOSITORY, Process, eventually, free_port
from tests.services.product import Product

NAME = "web"
PASSWORD = "a long pass phrase"


def serve(installation: Product) -> str:
    """Serve the pages of an installation as long as it lives; return their address."""
    found = next((each for each in installation.processes if each.name == NAME and each.alive), None)
    if found is not None:
        return f"http://127.0.0.1:{found.arguments[-1]}"
    port = free_port()
    command = ["-m", "uvicorn", "orchestrator.asgi:application", "--lifespan", "off", "--port", str(port)]
    web = Process(
        NAME,
        [sys.executable, *command],
        environment=installation.environment({"PGAPPNAME": NAME}),
        log=installation.folder / "web.log",
    )
    installation.processes.append(web)
    web.start()
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{address}/healthz", trust_env=False, timeout=PATIENCE).status_code == 200
        except httpx.TransportError:
            return False

    eventually(answers, PATIENCE, web.tail)
    return address


@cache
def administrator(installation: Product) -> str:
    """Make somebody who may do everything, once, and return the name; the password is ``PASSWORD``."""
    name = f"admin-{uuid4().hex[:8]}"
    subprocess.run(
        [sys.executable, "manage.py", "createsuperuser", "--noinput", "--username", name, "--email", "a@localhost"],
        cwd=REPOSITORY,
        env=installation.environment({"DJANGO_SUPERUSER_PASSWORD": PASSWORD}),
        check=True,
        capture_output=True,
    )
    return name
