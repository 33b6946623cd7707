"""``manage.py replay --check``: fold every history and compare with what is stored."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from workflows_app.management.answers import DONE, REFUSED, AnsweringCommand
from workflows_app.selectors import results
from workflows_app.services import verification


class Command(AnsweringCommand):
    help = "Replay histories: the state that they fold to must be the state that is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", required=True, help="compare and report every difference")
        parser.add_argument("id", nargs="*", metavar="ID", help="instances; all of them by default")
        self.add_format(parser)

    def answer(self, *, id: list[str], **options: Any) -> int:
        chosen = [results.instance(each).pk for each in id] if id else verification.instance_ids()
        checked, different = 0, {}
        for instance_id in chosen:
            checked += 1
            if found := verification.check_replay(instance_id):
                different[str(instance_id)] = found
        lines = [f"{key}: {line}" for key, found in different.items() for line in found]
        lines.append(f"{checked} instances replayed, {len(different)} differ from what is stored")
        self.show({"checked": checked, "different": different}, "\n".join(lines))
        return REFUSED if different else DONE
