"""A ``VARY`` that fails is the trouble of nobody who reads or writes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from cache_consistency import events, stores, switches
from cache_consistency.capture import hooks, sink
from cache_consistency.exceptions import StoreUnavailable
from cache_consistency.invalidation.api import invalidate
from cache_consistency.invalidation.retry import queue
from cache_consistency.invalidation.service import Service
from cache_consistency.reading.explain import explain
from tests.shelf.models import Book
from tests.shelf.stage import Stage


class Tenants:
    """``VARY`` of a project that sometimes knows no tenant."""

    fails = False

    def __call__(self, connection: Any) -> str:
        if self.fails:
            raise LookupError("no tenant 'secret'")
        return "one"


@pytest.fixture
def hooked() -> Iterator[None]:
    """Put the hooks and the service in place, and no store."""
    before, told = hooks.installed(), sink.installed()
    with switches.active_in_tests():
        hooks.install()
        sink.install(Service())
        yield
    sink.install(told)
    if not before:
        hooks.uninstall()


@pytest.fixture
def tenants() -> Tenants:
    return Tenants()


@pytest.fixture
def stage(make_stage: Any, tenants: Tenants) -> Stage:
    made: Stage = make_stage(VARY=tenants)
    events.reset()
    return made


def test_a_read_asks_the_database_while_it_fails_and_that_is_counted_and_said_once(
    stage: Stage, tenants: Tenants, caplog: pytest.LogCaptureFixture
) -> None:
    book = stage.book()
    stage.warm(book.pk)
    tenants.fails = True
    for _ in range(2):
        assert not stage.is_served(book.pk)
        assert list(stage.cached.filter(pk=book.pk)) == [book]
        assert stage.cached.in_bulk([book.pk]) == {book.pk: book}
    assert "failed" in explain(book).reason
    assert events.total("unnamed", subject=stage.database) > 0
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
    assert "secret" not in caplog.text
    tenants.fails = False
    assert stage.is_served(book.pk)


@pytest.mark.parametrize("write", [
    lambda stage, book: stage.books.filter(pk=book.pk).update(version=2),
    lambda stage, book: Book(pk=book.pk, isbn="new", version=2).save(using=stage.database, force_update=True),
    lambda stage, book: stage.connection.cursor().execute("UPDATE shelf_book SET version = 2"),
], ids=["update", "save", "raw"])
@pytest.mark.parametrize("inside", [False, True], ids=["autocommit", "atomic"])
def test_a_write_commits_while_it_fails_and_gives_up_every_entry(
    stage: Stage, tenants: Tenants, write: Any, inside: bool
) -> None:
    book = stage.book()
    stage.warm(book.pk)
    tenants.fails = True
    if inside:
        with stage.atomic():
            write(stage, book)
    else:
        write(stage, book)
    tenants.fails = False
    assert stage.version(book.pk) == 2
    assert events.total("epoch", outcome="unnamed") == 1


def test_a_read_that_was_on_its_way_meanwhile_leaves_no_entry_that_is_served(stage: Stage, tenants: Tenants) -> None:
    book = stage.book()

    def write() -> None:
        tenants.fails = True
        stage.books.filter(pk=book.pk).update(version=2)
        tenants.fails = False
    stage.store.before("put", lambda: stage.elsewhere(write))
    assert stage.version(book.pk) == 1
    assert stage.version(book.pk) == 2


def test_a_database_identity_that_fails_is_as_a_vary_that_fails(make_stage: Any, tenants: Tenants) -> None:
    stage: Stage = make_stage(DATABASE_IDENTITY=tenants)
    tenants.fails = True                                            # from the beginning: what was once named is remembered
    book = stage.book()
    assert not stage.is_served(book.pk)
    assert not stage.is_served(book.pk)
    tenants.fails = False
    stage.warm(book.pk)


def test_what_rolls_back_gives_up_nothing(stage: Stage, tenants: Tenants) -> None:
    book = stage.book()
    stage.warm(book.pk)
    tenants.fails = True
    with stage.undone():
        stage.books.filter(pk=book.pk).update(version=2)
    tenants.fails = False
    assert stage.is_served(book.pk)


def test_a_store_that_is_away_as_well_is_owed_it(stage: Stage, tenants: Tenants) -> None:
    book = stage.book()
    stage.warm(book.pk)
    tenants.fails = True

    def away() -> None:
        raise StoreUnavailable("away")
    stage.store.before("new_epoch", away)
    stage.books.filter(pk=book.pk).update(version=2)
    tenants.fails = False
    assert stage.version(book.pk) == 2                              # withheld, or paid meanwhile
    assert queue.pay()
    assert stage.version(book.pk) == 2


def test_what_is_invalidated_by_hand_while_it_fails_is_everything(stage: Stage, tenants: Tenants) -> None:
    book = stage.book()
    stage.warm(book.pk)
    tenants.fails = True
    invalidate(book)
    with transaction.atomic(using=stage.database):
        invalidate(book)
    tenants.fails = False
    assert not stage.is_served(book.pk)


@pytest.mark.parametrize("vary", ["no.such.thing", 5, "tests.shelf.models.NoSuchName", "tests.strange.unimportable.vary"])
def test_one_that_cannot_be_used_leaves_everything_working_uncached(
    database: str, consistent: str, settings: Any, hooked: None, vary: object
) -> None:
    settings.CACHE_CONSISTENCY = {"CACHE": consistent, "QUARANTINE": 0, "VARY": vary}
    assert stores.current() is None
    assert [problem.name for problem in stores.problems()] == ["VARY"]
    books, cached = Book.objects.using(database), Book.cached.db_manager(database)
    with transaction.atomic(using=database):
        book = books.create(isbn="a")
    books.filter(pk=book.pk).update(version=2)
    for _ in range(2):
        with CaptureQueriesContext(connections[database]) as queries:
            assert cached.get(pk=book.pk).version == 2
        assert len(queries) == 1
    assert list(cached.filter(version=2)) == [book]
