"""The same command uses the servers that the environment names, and embedded ones where it names none."""

import json
import socket
from pathlib import Path

from workflows_app.running import arrangement, programs

STATE = Path("/somewhere/var")


def decide(**environment: str) -> arrangement.Arrangement:
    return arrangement.decide(environment, base_dir=Path("/somewhere"), state_dir=STATE)


def test_without_any_setting_everything_is_embedded_and_the_owner_is_not_the_application() -> None:
    plan = decide()

    assert plan.embedded_database
    assert plan.embedded_broker
    assert plan.database_url == "postgresql://orchestrator_app@/orchestrator?host=/somewhere/var/postgres"
    assert plan.admin_url == "postgresql://orchestrator_owner@/orchestrator?host=/somewhere/var/postgres"
    assert plan.shop_url == "postgresql://shop@/shop?host=/somewhere/var/postgres"


def test_servers_that_the_environment_names_are_used_and_no_embedded_one() -> None:
    plan = decide(DATABASE_URL="postgresql://app@db/flows", CELERY_BROKER_URL="amqp://broker")

    assert not plan.embedded_database
    assert not plan.embedded_broker
    assert {plan.database_url, plan.admin_url, plan.shop_url} == {"postgresql://app@db/flows"}
    assert plan.environment["CELERY_BROKER_URL"] == "amqp://broker"


def test_the_role_that_migrates_may_be_another_one() -> None:
    plan = decide(DATABASE_URL="postgresql://app@db/flows", DATABASE_ADMIN_URL="postgresql://owner@db/flows")

    assert plan.admin_url == "postgresql://owner@db/flows"
    assert plan.database_url == "postgresql://app@db/flows"


def test_a_taken_port_is_replaced_and_said() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]

        plan = decide(ORCHESTRATOR_PORT=str(taken))

    assert plan.web.number != taken
    assert plan.moved[0].startswith(f"Port {taken} is taken by another program. The web pages will use ")


def test_no_two_processes_get_the_same_port() -> None:
    plan = decide(ORCHESTRATOR_PORT="48500", ORCHESTRATOR_FLOWER_PORT="48500", ORCHESTRATOR_SHOP_PORT="48500")

    assert len({plan.web.number, plan.flower.number, plan.shop.number}) == 3


def test_the_shop_is_a_connection_beside_those_of_the_administrator() -> None:
    plan = decide(ORCHESTRATOR_CONNECTIONS='{"bank": {"base_url": "https://bank.example"}}')

    connections = json.loads(plan.environment["ORCHESTRATOR_CONNECTIONS"])
    assert connections["bank"] == {"base_url": "https://bank.example"}
    assert connections["shop"]["base_url"] == f"http://127.0.0.1:{plan.shop.number}"


def test_no_secret_is_on_a_command_line() -> None:
    plan = decide(DATABASE_URL="postgresql://app:hush@db/flows", CELERY_BROKER_URL="amqp://user:hush@broker")

    started = programs.of(plan, password="hush-hush")

    assert [program.name for program in started] == ["shop", "web", "worker", "long", "sweep", "beat", "flower"]
    assert not [word for program in started for word in program.command if "hush" in word]


def test_everything_but_the_pages_stays_on_loopback() -> None:
    plan = arrangement.decide({}, base_dir=Path("/somewhere"), state_dir=STATE, host="0.0.0.0")

    started = {program.name: program for program in programs.of(plan, password="x")}

    assert "0.0.0.0" in started["web"].command
    assert started["flower"].environment["FLOWER_ADDRESS"] == "127.0.0.1"
    assert "0.0.0.0" not in started["shop"].command
    assert plan.address.startswith("http://127.0.0.1:")
