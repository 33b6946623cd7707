"""Markdown of our own documentation as HTML: raw HTML in it stays text, links lead to the pages of the product."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

_DROPPED = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """One heading of a page: its text, its anchor, and how deep it is, from 1."""

    text: str
    anchor: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A page: its title, its other headings, and its HTML."""

    title: str
    headings: tuple[Heading, ...]
    html: str


def render(text: str, *, link: Callable[[str], str | None], picture: Callable[[str], str]) -> Rendered:
    """Render a page.

    Args:
        text: Markdown, CommonMark with tables.
        link: what a relative address of the text becomes; ``None``: it leads nowhere here, and only its text stays.
        picture: what the relative address of a picture becomes.

    >>> page = render("# A b\\n\\n## C `d`!\\n\\n<script>", link=str, picture=str)
    >>> page.title, page.headings[0].anchor
    ('A b', 'c-d')
    >>> "&lt;script&gt;" in page.html
    True
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    headings = _name_headings(tokens)
    for token in tokens:
        if token.children:
            token.children = _resolved(token.children, link, picture)
    title = next((each.text for each in headings if each.level == 1), "")
    html = parser.renderer.render(_scrolling(_heads(tokens)), parser.options, {})
    # A long line of an example is scrolled to with the keys; what a page writes itself is escaped.
    html = html.replace("<pre>", '<pre tabindex="0">')
    return Rendered(title=title, headings=tuple(each for each in headings if each.level > 1), html=html)


def anchor_of(text: str) -> str:
    """Return the anchor of a heading, as code hosts make them.

    >>> anchor_of("workflow start NAME"), anchor_of("State tables (`a`)")
    ('workflow-start-name', 'state-tables-a')
    """
    return _DROPPED.sub("", text.strip().lower()).replace(" ", "-")


def _name_headings(tokens: list[Token]) -> list[Heading]:
    found: list[Heading] = []
    taken: dict[str, int] = {}
    for token, inline in pairwise(tokens):
        if token.type != "heading_open":
            continue
        text = "".join(each.content for each in inline.children or ())
        anchor = anchor_of(text)
        taken[anchor] = taken.get(anchor, -1) + 1
        anchor = f"{anchor}-{taken[anchor]}" if taken[anchor] else anchor
        token.attrSet("id", anchor)
        found.append(Heading(text=text, anchor=anchor, level=int(token.tag[1])))
    return found


def _resolved(children: list[Token], link: Callable[[str], str | None], picture: Callable[[str], str]) -> list[Token]:
    kept: list[Token] = []
    dropped = 0
    for child in children:
        if child.type == "image":
            child.attrSet("src", picture(str(child.attrGet("src") or "")))
        if child.type == "link_open":
            address = str(child.attrGet("href") or "")
            own = address if address.startswith(("#", "https://", "http://")) else link(address)
            if own is None:
                dropped += 1
                continue
            child.attrSet("href", own)
            if address.startswith("http"):
                child.attrSet("rel", "noreferrer noopener")
        if child.type == "link_close" and dropped:
            dropped -= 1
            continue
        kept.append(child)
    return kept


def _heads(tokens: list[Token]) -> list[Token]:
    """Make plain cells of the empty heads of columns: they are no names."""
    for head, inline, end in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if head.type == "th_open" and not inline.content.strip():
            head.tag = end.tag = "td"
    return tokens


def _scrolling(tokens: list[Token]) -> list[Token]:
    """Put each table into a frame that scrolls by itself, so that a wide one does not widen the page."""
    framed: list[Token] = []
    for token in tokens:
        if token.type == "table_open":
            frame = Token("frame_open", "div", 1, attrs={"class": "scroll", "role": "group", "tabindex": "0"})
            frame.attrSet("aria-label", "Table")
            framed.append(frame)
        framed.append(token)
        if token.type == "table_close":
            framed.append(Token("frame_close", "div", -1))
    return framed
