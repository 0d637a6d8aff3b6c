"""Reading the documentation: headings, tables, links and samples of Markdown files.

Tells what is written; judges nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from attrs import frozen
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

READER = MarkdownIt("commonmark").enable("table")


@frozen
class Sample:
    """A fenced block: its language (`python`, `console`, …), its text and where it begins."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """The parsed page."""
    return tuple(READER.parse(page.read_text(encoding="utf-8")))


def samples(*languages: str) -> list[Sample]:
    """Every fenced block in one of `languages`, over all pages."""
    return [
        Sample(page, token.map[0] + 1 if token.map else 0, token.info.split()[0], token.content)
        for page in PAGES
        for token in tokens(page)
        if token.type == "fence" and token.info.split()[:1] and token.info.split()[0] in languages
    ]


def headings(page: Path) -> list[str]:
    """The text of every heading, in order."""
    return [after.content for token, after in pairwise(tokens(page)) if token.type == "heading_open"]


def titles(page: Path) -> int:
    """How many headings of the first level there are."""
    return sum(token.tag == "h1" for token in tokens(page) if token.type == "heading_open")


def anchor(heading: str) -> str:
    """The fragment by which a heading is linked to, as code hosts and site makers form it."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.strip().replace(" ", "-")


def links(page: Path) -> Iterator[str]:
    """The target of every link."""
    for token in tokens(page):
        for child in token.children or []:
            if child.type == "link_open":
                yield str(child.attrGet("href"))


def rows(page: Path) -> list[list[str]]:
    """The cells of every table row, as they are written (code marks included), head rows included."""
    found: list[list[str]] = []
    for token, after in pairwise(tokens(page)):
        if token.type == "tr_open":
            found.append([])
        elif token.type in {"td_open", "th_open"}:
            found[-1].append(after.content)
    return found


def code(cell: str) -> list[str]:
    """What stands between code marks in `cell`."""
    return re.findall(r"`([^`]+)`", cell)
