"""Pages: the code blocks and tables of a Markdown file, with the line they stand on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[3] / "docs"
GUIDES = [*sorted((DOCS / "guides").glob("*.md")), DOCS.parent / "README.md"]

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CELLS = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its info string (``yaml refused``), its text, and where it stands."""

    info: str
    text: str
    place: str

    def __str__(self) -> str:
        return self.place


def blocks(*pages: Path) -> list[Block]:
    """Return the fenced blocks of the pages in order."""
    found = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(match[1].strip(), match[2], f"{page.name}:{line}"))
    return found


def table(page: Path, heading: str, *, number: int = 0) -> list[list[str]]:
    """Return the rows of a table below a heading, without its head.

    Args:
        page: the file.
        heading: text of the heading, without its ``#``.
        number: which table below it, from 0.

    Returns:
        the cells of each row; an escaped pipe is a pipe.
    """
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    lines = re.split(rf"(?m)^#+ {re.escape(heading)}$", prose)[1].splitlines()
    tables: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("#"):
            break
        if line.startswith("|"):
            tables[-1].append(line)
        elif tables[-1]:
            tables.append([])
    rows = [_CELLS.split(line.strip().strip("|")) for line in tables[number][2:]]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]


def code(cell: str) -> str:
    """Return what stands in backticks in a cell.

    >>> code("`input.a`")
    'input.a'
    """
    return cell.strip("`")


def names(cell: str) -> set[str]:
    """Return every piece in backticks.

    >>> sorted(names("`error`, *`output`*"))
    ['error', 'output']
    """
    return set(re.findall(r"`([^`]+)`", cell))
