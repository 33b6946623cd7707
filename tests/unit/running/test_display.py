"""Progress moves on a terminal, and does not flood a log file."""

import io

from workflows_app.running import display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_on_a_terminal_one_line_is_rewritten() -> None:
    output = Terminal()
    progress = display.Progress(output, title="Orders", total=4)

    progress.show(1)
    progress.show(4, "done")
    progress.end()

    assert output.getvalue().count("\n") == 1
    assert output.getvalue().endswith(f"\rOrders  [{'#' * 30}] 4/4  done\n")


def test_in_a_log_file_a_line_comes_now_and_then_and_at_the_end() -> None:
    output, clock = io.StringIO(), Clock()
    progress = display.Progress(output, title="Orders", total=100, clock=clock)

    for done in range(101):
        progress.show(done)
        clock.now += 0.1
    progress.end()

    lines = output.getvalue().splitlines()
    assert lines[0].endswith("0/100")
    assert lines[-1].endswith("100/100")
    assert 3 <= len(lines) <= 5


def test_a_sentence_does_not_stick_to_the_line_that_moves() -> None:
    output = Terminal()
    progress = display.Progress(output, title="Orders", total=4)

    progress.show(1)
    progress.say("The worker was killed.")
    progress.show(2)

    assert "\rThe worker was killed.\n\rOrders" in output.getvalue()


def test_an_empty_total_is_a_full_bar() -> None:
    assert display.bar(0, 0, width=4) == "####"
