"""The pages as tests read them: their tables, their links, their blocks of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)\s]*)\)")
_CELL = re.compile(r"(?<!\\)\|")


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of code in one language, in order."""
    return [body for given, body in _BLOCK.findall(page) if given == language]


def prose(page: str) -> str:
    return _BLOCK.sub("", page)


def links(page: str) -> list[str]:
    return _LINK.findall(prose(page))


def rows(page: str, heading: str = "") -> Iterator[tuple[str, ...]]:
    """Yield the rows of all tables (of the section with this heading) as cells without backticks, heads left out."""
    found = _section(prose(page), heading).splitlines()
    for number, line in enumerate(found):
        is_head = number + 1 < len(found) and found[number + 1].startswith("|--")
        if line.startswith("|") and not line.startswith("|--") and not is_head:
            yield tuple(cell.strip() for cell in _CELL.split(line)[1:-1])


def plain(cell: str) -> str:
    return cell.replace("`", "")


def names(cell: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as MkDocs and code browsers make them."""
    heads = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", head.lower()).strip()) for head in heads}


def _section(page: str, heading: str) -> str:
    if not heading:
        return page
    _, _, rest = page.partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0]
