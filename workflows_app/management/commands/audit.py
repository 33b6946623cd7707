"""``manage.py audit verify``: prove that no history and no audit entry was altered, removed or reordered."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from workflows_app.management.answers import DONE, REFUSED, AnsweringCommand
from workflows_app.services import verification


class Command(AnsweringCommand):
    help = "Verify the hash chains of the audit trail and of every instance's history."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
        sub = verbs.add_parser("verify", help="walk every chain and name the first bad entry of each")
        sub.add_argument(
            "--anchor",
            metavar="SEQUENCE:HASH",
            type=parse_anchor,
            help="a head printed by an earlier run and kept elsewhere: proves that the trail's tail was not cut since",
        )
        self.add_format(sub)

    def answer(self, *, anchor: tuple[int, str] | None, **options: Any) -> int:
        faults = [fault for fault in (verification.verify_audit(),) if fault]
        faults += verification.verify_checkpoints()
        if anchor is not None and not verification.contains_audit_head(*anchor):
            faults.append(
                verification.Fault(target="audit trail", sequence=anchor[0], reason="the anchored entry is gone")
            )
        checked = 0
        for instance_id in verification.instance_ids():
            checked += 1
            if fault := verification.verify_history(instance_id):
                faults.append(fault)
        length, head = verification.audit_head()
        lines = [str(fault) for fault in faults]
        lines.append(f"{length} audit entries and {checked} histories verified, {len(faults)} broken")
        if length:
            lines.append(f"anchor (keep it outside the database): {length}:{head}")
        document = {
            "audit_entries": length,
            "histories": checked,
            "anchor": f"{length}:{head}" if length else None,
            "faults": [{"target": f.target, "sequence": f.sequence, "reason": f.reason} for f in faults],
        }
        self.show(document, "\n".join(lines))
        return REFUSED if faults else DONE


def parse_anchor(text: str) -> tuple[int, str]:
    """Split ``SEQUENCE:HASH``.

    Raises:
        ArgumentTypeError: the text is no anchor.
    """
    number, _, head = text.partition(":")
    if not number.isdigit() or len(head) != 64:
        raise ArgumentTypeError(f"not an anchor, SEQUENCE:HASH is expected: {text[:100]!r}")
    return int(number), head
