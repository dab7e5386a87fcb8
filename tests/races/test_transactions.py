"""What a connection has not committed, and what it sees that is older than what others have committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections, transaction

from tests.shelf.stage import Stage


def test_a_transaction_reads_its_own_writes_and_nobody_else_does(stage: Stage) -> None:
    book = stage.book()
    stage.warm(book.pk)
    with stage.undone():
        stage.books.filter(pk=book.pk).update(version=2)
        assert stage.asked(lambda: stage.version(book.pk)) == (2, 1)
        assert stage.elsewhere(lambda: stage.served_version(book.pk)) == 1
    assert stage.served_version(book.pk) == 1, "a rollback marks nothing"


def test_what_is_read_before_commit_is_not_stored(stage: Stage) -> None:
    book = stage.book()
    stage.store.moves.clear()
    with stage.undone():
        stage.books.filter(pk=book.pk).update(version=2)
        stage.version(book.pk)
    assert stage.store.moves["put"] == 0
    assert stage.version(book.pk) == 1


def test_a_transaction_that_rolls_back_asks_nothing_of_the_store(stage: Stage) -> None:
    book = stage.book()
    stage.store.moves.clear()
    with stage.undone():
        stage.books.filter(pk=book.pk).update(version=2)
    assert stage.store.moves == {}


@pytest.mark.parametrize("rows", [1, 40])
def test_a_writing_transaction_costs_two_round_trips_however_many_rows(stage: Stage, rows: int) -> None:
    books = [stage.book() for _ in range(rows)]
    stage.store.moves.clear()
    with stage.atomic():
        for book in books:
            book.title = "another"
            book.save()
    assert stage.store.moves == {"mark": 1, "resolve": 1}


def test_a_savepoint_that_is_rolled_back_leaves_the_transaction_dirty(stage: Stage) -> None:
    """t=0 a write; t=1 another inside a savepoint, undone; t=2 what is read is still nobody else's, and must not be stored."""
    book = stage.book()
    stage.warm(book.pk)
    stage.store.moves.clear()
    with stage.undone():
        stage.books.filter(pk=book.pk).update(version=2)
        with stage.undone():
            stage.books.filter(pk=book.pk).update(version=3)
        assert stage.asked(lambda: stage.version(book.pk)) == (2, 1)
    assert stage.store.moves["put"] == 0
    assert stage.version(book.pk) == 1


def test_what_only_a_savepoint_wrote_is_invalidated_all_the_same(stage: Stage) -> None:
    book = stage.book()
    stage.warm(book.pk)
    with stage.atomic():
        with stage.undone():
            stage.books.filter(pk=book.pk).update(version=3)
        assert stage.asked(lambda: stage.version(book.pk)) == (1, 1)
    assert stage.store.moves["mark"] >= 1
    assert stage.version(book.pk) == 1


def plain_version(stage: Stage, pk: int) -> int:
    found: int = stage.books.get(pk=pk).version
    return found


def save(stage: Stage, pk: int) -> None:
    book = stage.books.get(pk=pk)
    book.version = 2
    book.save()


WRITES: dict[str, Any] = {
    "update": lambda stage, pk: stage.books.filter(pk=pk).update(version=2),
    "save": save,
    "raw": lambda stage, pk: stage.connection.cursor().execute("UPDATE shelf_book SET version = 2 WHERE id = %s", [pk]),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_statement_in_autocommit_is_marked_before_it_commits_and_resolved_before_it_returns(stage: Stage, write: str) -> None:
    """A bare statement is its own commit: whoever looks between its MARK and its RESOLVE must see it on the right side."""
    book = stage.book()
    stage.warm(book.pk)
    seen: list[int] = []
    def look() -> None:
        seen.append(stage.elsewhere(lambda: plain_version(stage, book.pk)))
    stage.store.after("mark", look)
    stage.store.before("resolve", look)
    WRITES[write](stage, book.pk)
    assert seen == [1, 2]
    assert stage.served_version(book.pk) is None
    assert stage.version(book.pk) == 2


def test_a_commit_in_somebodys_sql_is_bracketed(stage: Stage) -> None:
    book = stage.book()
    stage.warm(book.pk)
    seen: list[int] = []
    stage.store.after("mark", lambda: seen.append(stage.elsewhere(lambda: plain_version(stage, book.pk))))
    with stage.connection.cursor() as cursor:
        cursor.execute("BEGIN")
        stage.books.filter(pk=book.pk).update(version=2)
        assert stage.asked(lambda: stage.version(book.pk)) == (2, 1)
        cursor.execute("COMMIT")
    assert seen == [1]
    assert stage.version(book.pk) == 2
    assert stage.served_version(book.pk) == 2


def test_a_transaction_without_autocommit_is_bracketed_by_its_commit(stage: Stage) -> None:
    book = stage.book()
    stage.warm(book.pk)
    seen: list[int] = []
    stage.store.after("mark", lambda: seen.append(stage.elsewhere(lambda: plain_version(stage, book.pk))))
    transaction.set_autocommit(False, using=stage.database)
    try:
        stage.books.filter(pk=book.pk).update(version=2)
        transaction.commit(using=stage.database)
    finally:
        transaction.set_autocommit(True, using=stage.database)
    assert seen == [1]
    assert stage.version(book.pk) == 2


def test_switching_autocommit_on_commits_on_sqlite_and_is_bracketed(stage: Stage) -> None:
    if stage.connection.vendor != "sqlite":
        pytest.skip("PostgreSQL refuses it inside a transaction")
    book = stage.book()
    stage.warm(book.pk)
    seen: list[int] = []
    stage.store.after("mark", lambda: seen.append(stage.elsewhere(lambda: plain_version(stage, book.pk))))
    transaction.set_autocommit(False, using=stage.database)
    stage.books.filter(pk=book.pk).update(version=2)
    transaction.set_autocommit(True, using=stage.database)
    assert seen == [1]
    assert stage.version(book.pk) == 2


def test_a_transaction_that_sees_an_old_snapshot_is_neither_served_nor_stores(stage: Stage) -> None:
    """t=0 it reads, at REPEATABLE READ; t=1 elsewhere a write and a fill; t=2 it sees the past, alone."""
    if stage.connection.vendor == "sqlite":
        pytest.skip("a block that is IMMEDIATE keeps others from writing; see the next test")
    book = stage.book()
    with stage.atomic():
        stage.connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert plain_version(stage, book.pk) == 1
        stage.elsewhere(lambda: stage.books.filter(pk=book.pk).update(version=2))
        stage.store.moves.clear()
        assert stage.asked(lambda: stage.version(book.pk)) == (1, 1)
        assert stage.store.moves == {}
        stage.elsewhere(lambda: stage.warm(book.pk))
        assert stage.asked(lambda: stage.version(book.pk)) == (1, 1)
    assert stage.served_version(book.pk) == 2


def test_a_deferred_transaction_of_sqlite_is_neither_served_nor_stores(stage: Stage) -> None:
    if stage.connection.vendor != "sqlite":
        pytest.skip("SQLite's transactions only")
    book = stage.book()
    cursor = stage.connection.cursor()
    cursor.execute("BEGIN DEFERRED")
    assert plain_version(stage, book.pk) == 1
    stage.elsewhere(lambda: stage.books.filter(pk=book.pk).update(version=2))
    stage.elsewhere(lambda: stage.warm(book.pk))
    stage.store.moves.clear()
    assert stage.asked(lambda: stage.version(book.pk)) == (1, 1)
    assert stage.store.moves == {}
    cursor.execute("COMMIT")
    assert stage.served_version(book.pk) == 2


def test_what_is_read_beside_a_cursor_that_is_half_read_is_not_stored(stage: Stage) -> None:
    """On SQLite a cursor between its first and its last row keeps its connection on the snapshot of the first."""
    book, _ = stage.book(), stage.book()
    rows = stage.books.order_by("pk").iterator(chunk_size=1)
    assert next(rows).version == 1
    stage.elsewhere(lambda: stage.books.filter(pk=book.pk).update(version=2))
    stage.version(book.pk)
    rows.close()
    assert stage.elsewhere(lambda: stage.version(book.pk)) == 2
    assert stage.version(book.pk) == 2


def closing(read: Callable[[], object]) -> object:
    """Read on a thread of asgiref's, and leave no connection on it."""
    try:
        return read()
    finally:
        connections.close_all()


def test_a_coroutine_inside_a_transaction_is_not_served_what_the_transaction_has_changed(stage: Stage) -> None:
    """It runs on another thread, whose own connection has written nothing; the task knows better."""
    book = stage.book()
    stage.warm(book.pk)

    async def read() -> tuple[int, object, object]:
        through_the_block = (await stage.cached.aget(pk=book.pk)).version
        try:
            direct: object = stage.cached.get(pk=book.pk).version
        except SynchronousOnlyOperation:
            direct = "asked the database"
        aside = await sync_to_async(lambda: closing(lambda: stage.served_version(book.pk)), thread_sensitive=False)()
        return through_the_block, direct, aside

    with stage.undone():
        stage.books.filter(pk=book.pk).update(version=2)
        stage.store.moves.clear()
        assert async_to_sync(read)() == (2, "asked the database", None)
        assert stage.store.moves == {}
    assert stage.served_version(book.pk) == 1


@pytest.mark.parametrize("lock", ["select_for_update", "broken block"])
def test_what_must_come_from_the_database_does(stage: Stage, lock: str) -> None:
    book = stage.book()
    stage.warm(book.pk)
    with stage.atomic():
        if lock == "select_for_update":
            for _ in range(2):
                assert stage.asked(lambda: stage.cached.select_for_update().get(pk=book.pk).version) == (1, 1)
        else:
            transaction.set_rollback(True, using=stage.database)
            with pytest.raises(transaction.TransactionManagementError):
                stage.cached.get(pk=book.pk)
