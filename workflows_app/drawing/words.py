"""Words in boxes: as much of a text as fits, measured without a font.

Widths are those of DejaVu Sans Bold, which is wider than what most systems have.
"""

from __future__ import annotations

from unicodedata import combining, east_asian_width

NARROW = frozenset("fijlrt.,:;'|!()[] ")
WIDE = frozenset("mwMW@%")


def width_of(text: str, *, size: float) -> float:
    """Estimate how wide a text is in a proportional font of ``size`` pixels, rather too much than too little.

    >>> width_of("abc", size=10) < width_of("ABC", size=10) < width_of("漢字漢", size=10)
    True
    """
    return sum(map(_ems, text)) * size


def fitting(text: str, *, width: float, size: float) -> str:
    """Return the text on one line, or its beginning and an ellipsis.

    >>> fitting("short", width=100, size=13), fitting("a name that is far too long", width=100, size=13)
    ('short', 'a name tha…')
    """
    plain = " ".join(text.split())
    if width_of(plain, size=size) <= width:
        return plain
    room = width - size * 0.8
    for index, character in enumerate(plain):
        room -= _ems(character) * size
        if room < 0:
            return plain[:index].rstrip() + "…"
    return plain


def _ems(character: str) -> float:
    if combining(character):
        return 0.0
    if east_asian_width(character) in "WF":
        return 1.0
    if character in NARROW:
        return 0.46
    return 1.04 if character in WIDE else 0.78 if character.isupper() else 0.69
