"""Fills that are late, early, or in the middle of a write: none of them is ever served in place of what a write has left."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Model
from pytest_django import Settings

from tests.shelf.models import Book
from tests.shelf.stage import Stage


def test_an_entry_stands_until_its_row_is_written(stage: Stage) -> None:
    book = stage.book()
    stage.warm(book.pk)
    stage.books.filter(pk=book.pk).update(version=2)
    assert stage.served_version(book.pk) is None
    assert stage.served_version(book.pk) == 2


@pytest.mark.parametrize(("when", "move"), [("after", "take"), ("before", "put"), ("after", "put")])
def test_a_fill_that_a_whole_write_overtook_is_never_served(stage: Stage, when: str, move: str) -> None:
    """t=0 a reader takes versions (and reads); t=1 elsewhere a whole write; t=2 the reader stores; t=3 nobody is served that."""
    book = stage.book()
    def write() -> object:
        return stage.elsewhere(lambda: stage.books.filter(pk=book.pk).update(version=2))
    getattr(stage.store, when)(move, write)
    stage.version(book.pk)
    assert stage.store.moves["put"] == 1
    assert stage.served_version(book.pk) is None
    assert stage.served_version(book.pk) == 2


def test_versions_are_taken_before_the_row_is_read(stage: Stage) -> None:
    """t=0 a miss; t=1 elsewhere a whole write; t=2 TAKE. Whoever had read the row before t=1 would now file it under the new version."""
    book = stage.book()
    stage.store.before("take", lambda: stage.elsewhere(lambda: stage.books.filter(pk=book.pk).update(version=2)))
    assert stage.version(book.pk) == 2
    assert stage.served_version(book.pk) == 2


def test_a_late_fill_on_top_of_a_newer_one_is_a_miss_and_no_more(stage: Stage) -> None:
    """t=0 a reader has read the old row; t=1 elsewhere a write, and another reader fills; t=2 the first one stores the old row."""
    book = stage.book()

    def write_and_read() -> None:
        stage.books.filter(pk=book.pk).update(version=2)
        assert stage.version(book.pk) == 2
    stage.store.before("put", lambda: stage.elsewhere(write_and_read))
    assert stage.version(book.pk) == 1
    assert stage.served_version(book.pk) is None
    assert stage.served_version(book.pk) == 2


@pytest.mark.parametrize(("when", "move"), [("after", "mark"), ("before", "resolve")])
def test_nobody_is_served_between_mark_and_resolve(stage: Stage, when: str, move: str) -> None:
    book = stage.book()
    stage.warm(book.pk)
    with stage.held(lambda: stage.books.filter(pk=book.pk).update(version=2), when=when, move=move):
        committed = move == "resolve"
        found, queries = stage.asked(lambda: stage.version(book.pk))
        assert (found, queries) == (2 if committed else 1, 1)
        assert stage.served_version(book.pk) is None, "and nothing was stored"
    assert stage.served_version(book.pk) is None
    assert stage.served_version(book.pk) == 2


def test_a_list_by_a_lookup_is_not_served_between_commit_and_resolve(stage: Stage) -> None:
    book = stage.book(mark="B")
    def read() -> list[int]:
        return [found.version for found in stage.cached.filter(mark="B")]
    assert stage.asked(read) == ([1], 1)
    assert stage.asked(read) == ([1], 0)
    with stage.held(lambda: stage.books.filter(pk=book.pk).update(version=2), when="before", move="resolve"):
        assert stage.asked(read) == ([2], 1)
        assert stage.asked(read) == ([2], 1)
    assert stage.asked(read) == ([2], 1)
    assert stage.asked(read) == ([2], 0)


class Lagging:
    """Sends plain reads to a replica that lags: it has nothing yet."""

    def __init__(self, primary: str) -> None:
        self.primary = primary

    def db_for_read(self, model: type[Model], **hints: object) -> str:
        return "other"

    def db_for_write(self, model: type[Model], **hints: object) -> str:
        return self.primary


def test_a_fill_asks_the_primary_whatever_the_router_says_of_reads(stage: Stage, settings: Settings) -> None:
    """A replica that lags would be read after the versions were taken, and show what was before them."""
    book = stage.book()
    settings.DATABASE_ROUTERS = [Lagging(stage.database)]
    assert not Book.objects.filter(pk=book.pk).exists(), "the replica"
    cached: Any = Book.cached
    assert cached.get(pk=book.pk).version == 1
    assert [found.version for found in cached.filter(pk=book.pk)] == [1]
    assert cached.filter(pk=book.pk).count() == 1
