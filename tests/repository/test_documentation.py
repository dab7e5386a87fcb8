"""Links and paths in the pages lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:cache_consistency|docs|example_project|tests|tools)/[\w./-]*\.\w+)(?:::\w+)?`")


def prose(page: Path) -> str:
    """The page without its blocks of code, in which brackets are not links."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def dead_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(prose(page)):
        if not (page.parent / target).exists():
            yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_every_path_of_code_exists(page: Path) -> None:
    missing = [path for path in PATH.findall(prose(page)) if not (ROOT / path).exists()]
    assert [*dead_links(page), *missing] == []


def test_a_dead_link_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("See [there](missing.md#part), [web](https://example.org) and [here](page.md).\n```\n[code](not-a-link)\n```\n")
    assert list(dead_links(page)) == ["missing.md"]
