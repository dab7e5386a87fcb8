"""SQLite commits where nobody said COMMIT; what was written is invalidated then, not later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

from tests.shelf.stage import Stage


@pytest.fixture
def manual(stage: Stage) -> Iterator[Stage]:
    """Autocommit is off."""
    if stage.connection.vendor != "sqlite":
        pytest.skip("SQLite's savepoints")
    pk = stage.book().pk
    assert pk == stage.books.get().pk
    stage.warm(pk)
    transaction.set_autocommit(False, using=stage.database)
    yield stage
    transaction.rollback(using=stage.database)
    transaction.set_autocommit(True, using=stage.database)


def is_committed(stage: Stage, version: int) -> bool:
    """Ask the database, elsewhere."""
    found: int = stage.elsewhere(lambda: stage.books.get().version)
    return found == version


def execute(stage: Stage, sql: str) -> None:
    with stage.connection.cursor() as cursor:
        cursor.execute(sql)


def in_a_block(stage: Stage) -> None:
    with stage.atomic():
        stage.books.update(version=2)


def in_a_textual_savepoint(stage: Stage) -> None:
    execute(stage, "SAVEPOINT here")
    stage.books.update(version=2)
    execute(stage, "release here")


@pytest.mark.parametrize("write", [
    in_a_block,
    in_a_textual_savepoint,
    lambda stage: execute(stage, "WITH two AS (SELECT 2 AS n) UPDATE shelf_book SET version = (SELECT n FROM two)"),
], ids=["the outermost block", "a savepoint in SQL", "a statement that sqlite3 begins no transaction for"])
def test_what_commits_without_a_word_in_manual_mode_is_invalidated(manual: Stage, write: Callable[[Stage], Any]) -> None:
    write(manual)
    pk = manual.books.get().pk
    assert is_committed(manual, 2), "else there is nothing to see here"
    assert manual.elsewhere(lambda: manual.version(pk)) == 2


def test_a_block_after_another_write_in_manual_mode_waits_for_the_commit(manual: Stage) -> None:
    manual.books.update(mark="B")
    pk = manual.books.get().pk
    in_a_block(manual)
    assert not is_committed(manual, 2)
    assert manual.version(pk) == 2, "its own write"
    assert manual.elsewhere(lambda: manual.version(pk)) == 1
    transaction.commit(using=manual.database)
    assert manual.elsewhere(lambda: manual.version(pk)) == 2


def test_a_savepoint_that_opens_the_transaction_ends_it(stage: Stage) -> None:
    if stage.connection.vendor != "sqlite":
        pytest.skip("SQLite's savepoints")
    pk = stage.book().pk
    stage.warm(pk)
    in_a_textual_savepoint(stage)
    assert is_committed(stage, 2)
    assert stage.version(pk) == 2
    assert stage.elsewhere(lambda: stage.version(pk)) == 2
