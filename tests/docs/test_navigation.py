"""A reader finds each page, and each link leads to what it says."""

import re
from pathlib import Path

import pytest

import cache_consistency
from tests.docs.pages import DOCS, PAGES, ROOT, anchors, blocks, links, rows, text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    dead = []
    for link in links(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            dead.append(link)
    assert dead == []


def test_the_navigation_names_each_page_once() -> None:
    navigation, _, _ = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2].partition("\nvalidation:")
    named = re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)
    assert sorted(named) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_the_first_page_links_to_each_other() -> None:
    linked = {link.partition("#")[0] for link in links(text("index.md"))}
    assert linked == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"index.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_python_is_python(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8"), "python"):
        compile(block.replace("{...}", "{}"), str(page), "exec")


def test_decisions_are_numbered_without_a_gap_and_have_one_form() -> None:
    records = sorted((DOCS / "decisions").glob("*.md"))
    assert [record.name[:4] for record in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    for record in records:
        page = record.read_text(encoding="utf-8")
        assert re.match(rf"# {record.name[:4]} \S.*\n\nDecided with \d+\.\d+\.\d+\.\n\n## What was asked\n\n\S", page), record.name
        assert re.search(r"^## Decisions?\n\n\S", page, re.MULTILINE), record.name


def test_the_changelog_tells_of_this_version() -> None:
    assert f"## [{cache_consistency.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_each_part_of_the_product_has_a_row_that_says_where_it_is_or_that_it_is_to_come() -> None:
    table = [row for row in rows(text("where-is-it.md")) if len(row) == 6]
    steps = [row[0] for row in table]
    assert {"1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "3.1", "3.2", "3.3", "4.1", "4.2", "4.3"} <= set(steps)
    assert {"5.1", "5.2", "5.3", "6.1", "6.2", "6.3", "manual", "beyond"} <= set(steps)
    for step, what, _, _, tests, state in table:
        assert re.match(r"(\*\*here\*\*|\*\*in part\*\*|to come)", state), (step, what)
        missing = [folder for folder in re.findall(r"`(tests/[\w/]*)`", tests) if not (ROOT / folder).is_dir()]
        assert missing == [], step


def test_what_is_said_to_be_to_come_is_not_there() -> None:
    package = ROOT / "cache_consistency"
    for name in ("audit", "dependencies", "keys", "freshness", "concurrency", "monitoring", "jobs", "management"):
        assert not (package / name).exists(), f"{name}/ is here now: say so in docs/where-is-it.md"


def test_the_glossary_is_in_order_and_has_each_word_once() -> None:
    words = [row[0].replace("*", "").replace(" (noun)", "").replace(" (verb)", "") for row in rows(text("glossary.md"))]
    assert words == sorted(words)
    assert [word for word in words if words.count(word) > 1] == ["store", "store"]
