"""What an installation on one machine consists of: which database, broker and ports. Decided once, at start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workflows_app.running import folder_broker, ports, postgres, roles

WEB_PORT: Final = 8000
FLOWER_PORT: Final = 5555
SHOP_PORT: Final = 8090


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """The parts and where they are.

    Args:
        base_dir: the checkout.
        state_dir: folder of everything that is kept.
        embedded_database: whether we run PostgreSQL ourselves.
        embedded_broker: whether messages travel through folders.
        database_url: the database as the application.
        admin_url: the same as the role that migrates.
        shop_url: where the example shop keeps its books.
        broker_url: Celery's broker.
        host: address that the web process listens on; everything else stays on loopback.
        web, flower, shop: their ports.
        connections: connection settings for activities, the shop's included.
        public_url: what other systems reach it by; empty: the address of its pages.
    """

    base_dir: Path
    state_dir: Path
    embedded_database: bool
    embedded_broker: bool
    database_url: str
    admin_url: str
    shop_url: str
    broker_url: str
    host: str
    web: ports.Port
    flower: ports.Port
    shop: ports.Port
    connections: Mapping[str, object]
    public_url: str

    @property
    def postgres_dir(self) -> Path:
        """Data folder of the embedded PostgreSQL."""
        return self.state_dir / "postgres"

    @property
    def broker_dir(self) -> Path:
        """Folder of the broker without a server."""
        return self.state_dir / "broker"

    @property
    def log_dir(self) -> Path:
        """Folder of one log per process."""
        return self.state_dir / "log"

    @property
    def address(self) -> str:
        """Where a browser finds the pages."""
        shown = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"http://{shown}:{self.web.number}/"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that every process of the installation gets."""
        return {
            "DATABASE_URL": self.database_url,
            # The owner's address is for migrating; what runs steps must not know it.
            "DATABASE_ADMIN_URL": "",
            "CELERY_BROKER_URL": self.broker_url,
            "ORCHESTRATOR_STATE_DIR": str(self.state_dir),
            "ORCHESTRATOR_CONNECTIONS": json.dumps(self.connections),
            "ORCHESTRATOR_PUBLIC_URL": self.public_url or self.address,
            "ORCHESTRATOR_FLOWER_URL": f"http://127.0.0.1:{self.flower.number}/",
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def moved(self) -> list[str]:
        """A sentence for each port that another program had."""
        named = {"The web pages": self.web, "Flower": self.flower, "The example shop": self.shop}
        return [
            f"Port {port.wanted} is taken by another program. {name} will use {port.number}."
            for name, port in named.items()
            if port.moved
        ]


def decide(
    environment: Mapping[str, str],
    *,
    base_dir: Path,
    state_dir: Path,
    host: str = "127.0.0.1",
    web_port: int | None = None,
) -> Arrangement:
    """Choose the parts: servers that the environment names, else the embedded ones; free ports.

    Args:
        environment: variables of the process; ``DATABASE_URL``, ``DATABASE_ADMIN_URL``, ``SHOP_DATABASE_URL``,
            ``CELERY_BROKER_URL``, ``ORCHESTRATOR_CONNECTIONS``, ``ORCHESTRATOR_PUBLIC_URL`` and the ports
            ``ORCHESTRATOR_PORT``, ``ORCHESTRATOR_FLOWER_PORT``, ``ORCHESTRATOR_SHOP_PORT`` count.
        base_dir: the checkout.
        state_dir: folder of everything that is kept.
        host: address for the web process.
        web_port: its port; goes before ``ORCHESTRATOR_PORT``.
    """
    database_url = environment.get("DATABASE_URL", "")
    broker_url = environment.get("CELERY_BROKER_URL", "")
    data = state_dir / "postgres"
    promised: set[int] = set()

    def port(name: str, usual: int, at: str = "127.0.0.1") -> ports.Port:
        chosen = ports.choose(int(environment.get(name) or usual), host=at, avoid=frozenset(promised))
        promised.add(chosen.number)
        return chosen

    web = port("ORCHESTRATOR_PORT", WEB_PORT, host) if web_port is None else ports.choose(web_port, host=host)
    promised.add(web.number)
    flower = port("ORCHESTRATOR_FLOWER_PORT", FLOWER_PORT)
    shop = port("ORCHESTRATOR_SHOP_PORT", SHOP_PORT)
    theirs = json.loads(environment.get("ORCHESTRATOR_CONNECTIONS") or "{}")
    ours = {"shop": {"base_url": f"http://127.0.0.1:{shop.number}", "allow_private": True}}
    return Arrangement(
        base_dir=base_dir,
        state_dir=state_dir,
        embedded_database=not database_url,
        embedded_broker=not broker_url or broker_url.startswith("filesystem"),
        database_url=database_url or postgres.url(data),
        admin_url=environment.get("DATABASE_ADMIN_URL")
        or database_url
        or postgres.url(data, database="orchestrator", user=roles.OWNER),
        shop_url=environment.get("SHOP_DATABASE_URL")
        or database_url
        or postgres.url(data, database="shop", user=roles.SHOP),
        broker_url=broker_url or folder_broker.URL,
        host=host,
        web=web,
        flower=flower,
        shop=shop,
        connections={**theirs, **ours},
        public_url=environment.get("ORCHESTRATOR_PUBLIC_URL", ""),
    )
