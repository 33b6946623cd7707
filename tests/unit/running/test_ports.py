"""A port that another program has is not taken from it: another one is chosen, and the choice says so."""

import socket

from workflows_app.running import ports


def test_the_wanted_port_is_taken_where_it_is_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]

    port = ports.choose(number)

    assert (port.number, port.moved) == (number, False)


def test_another_port_is_chosen_and_named_where_the_wanted_one_is_taken() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]

        port = ports.choose(taken)

    assert port.number != taken
    assert port.moved
    assert ports.is_free(port.number)


def test_a_port_promised_to_another_process_is_not_promised_twice() -> None:
    first = ports.choose(48_000)

    second = ports.choose(48_000, avoid=frozenset({first.number}))

    assert second.number != first.number


def test_any_free_port_will_do_when_all_near_the_wanted_one_are_taken() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]

        port = ports.choose(taken, tries=1)

    assert port.moved
    assert ports.is_free(port.number)
