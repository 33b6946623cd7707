"""The broker without a server delivers each message to one reader, in order, and forgets listeners that ended."""

from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue

from workflows_app.running import folder_broker


def connect(folder: Path) -> Connection:
    options = {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.001,
    }
    return Connection(transport="workflows_app.running.folder_broker:Transport", transport_options=options)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with connect(tmp_path) as opened:
        yield opened


def waiting(connection: Connection, name: str, limit: int = 1000) -> list[Any]:
    queue = connection.SimpleQueue(name)
    received = []
    try:
        while len(received) < limit:
            message = queue.get(block=False)
            message.ack()
            received.append(message.payload)
    except (Empty, queue.Empty):
        pass
    finally:
        queue.close()
    return received


def send(connection: Connection, name: str, *payloads: Any) -> None:
    queue = connection.SimpleQueue(name)
    for payload in payloads:
        queue.put(payload)
    queue.close()


def test_messages_arrive_once_and_in_the_order_they_were_sent(connection: Connection) -> None:
    send(connection, "default", *({"n": n} for n in range(50)))

    received = waiting(connection, "default")

    assert received == [{"n": n} for n in range(50)]
    assert waiting(connection, "default") == []


def test_two_readers_share_a_queue_without_getting_a_message_twice(tmp_path: Path, connection: Connection) -> None:
    send(connection, "default", *range(20))

    with connect(tmp_path) as other:
        first = waiting(connection, "default", limit=7)
        second = waiting(other, "default", limit=5)
        rest = waiting(connection, "default")

    assert sorted(first + second + rest) == list(range(20))


def test_a_message_sent_right_after_an_empty_look_is_found(connection: Connection) -> None:
    for n in range(30):
        assert waiting(connection, "default") == []
        send(connection, "default", n)
        assert waiting(connection, "default") == [n]


def test_a_queue_does_not_see_the_messages_of_another(connection: Connection) -> None:
    send(connection, "default", "short")
    send(connection, "long", "long")

    assert waiting(connection, "long") == ["long"]
    assert waiting(connection, "default") == ["short"]


def test_a_message_that_is_still_being_written_is_not_seen(tmp_path: Path, connection: Connection) -> None:
    send(connection, "default", 1)
    (tmp_path / "messages" / "default" / "00-half.draft").write_bytes(b'{"half')

    assert waiting(connection, "default") == [1]


def test_every_listener_of_a_fanout_gets_a_message_and_one_that_ended_keeps_nothing(
    tmp_path: Path, connection: Connection
) -> None:
    events = Exchange("events", type="fanout")
    channel = connection.default_channel
    for name in ("flower", "ended"):
        Queue(name, events)(channel).declare()
    folder_broker.forget_queues(tmp_path, "ended")

    connection.Producer().publish({"type": "task-sent"}, exchange=events, declare=[events])

    assert (tmp_path / "messages" / "flower").is_dir()
    assert len(list((tmp_path / "messages" / "flower").glob("*.msg"))) == 1
    assert not (tmp_path / "messages" / "ended").exists()


def test_bindings_made_by_several_processes_at_once_all_stay(tmp_path: Path, connection: Connection) -> None:
    events = Exchange("events", type="fanout")
    with connect(tmp_path) as other:
        Queue("one", events)(connection.default_channel).declare()
        Queue("two", events)(other.default_channel).declare()

    bound = {row.queue for row in connection.default_channel.get_table("events")}

    assert bound == {"one", "two"}


def test_a_queue_name_cannot_leave_the_message_folder(tmp_path: Path, connection: Connection) -> None:
    channel = connection.default_channel

    message = {"body": "", "properties": {"delivery_tag": "t", "delivery_info": {}}}

    channel._put("../../escape", message)

    assert not (tmp_path.parent / "escape").exists()
    assert channel._get("../../escape") == message


def test_emptying_removes_messages_and_bindings_and_leaves_other_files(tmp_path: Path, connection: Connection) -> None:
    send(connection, "default", 1, 2)
    (tmp_path / "note.txt").write_text("mine")

    folder_broker.empty(tmp_path)

    assert waiting(connection, "default") == []
    assert (tmp_path / "note.txt").read_text() == "mine"
