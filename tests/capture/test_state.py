"""When the cache may answer, and when what was read may be stored."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, transaction

from cache_consistency.capture import state
from tests.capture.models import Category
from tests.capture.recorder import Recorder

TABLE = "capture_tests_category"
OTHER = "capture_tests_item"


@pytest.fixture(autouse=True)
def rows(recorder: Recorder, database: str) -> None:
    Category.objects.using(database).bulk_create([Category(pk=number, title="x") for number in range(1, 300)])


def write(database: str) -> None:
    Category.objects.using(database).filter(pk=1).update(title="y")


def test_a_clean_connection_in_autocommit_may(connection: Any) -> None:
    assert state.may_serve(connection, {TABLE})
    assert state.may_store(connection, {TABLE})


def test_a_connection_that_was_never_opened_may(database: str) -> None:
    fresh = connections.create_connection(database)
    assert state.may_serve(fresh, {TABLE})
    assert fresh.connection is None


def test_a_transaction_of_read_committed_may_until_it_writes(connection: Any, database: str) -> None:
    reads_commits = connection.vendor == "postgresql"
    with transaction.atomic(using=database):
        assert state.may_serve(connection, {TABLE}) is reads_commits
        assert state.may_store(connection, {TABLE}) is reads_commits
        write(database)
        assert not state.may_serve(connection, {TABLE})
        assert not state.may_serve(connection, None)
        assert state.may_serve(connection, {OTHER}) is reads_commits
        assert not state.may_store(connection, {OTHER})
    assert state.may_store(connection, {TABLE})


def test_a_broken_block_is_left_to_django(connection: Any, database: str) -> None:
    with transaction.atomic(using=database):
        transaction.set_rollback(True, using=database)
        assert not state.may_serve(connection, {TABLE})
        assert not state.may_store(connection, {TABLE})


def test_a_begin_in_sql_counts(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        assert state.in_transaction(connection)
        assert state.may_serve(connection, {TABLE}) is (connection.vendor == "postgresql")
        cursor.execute("ROLLBACK")
    assert not state.in_transaction(connection)
    assert state.may_serve(connection, {TABLE})


class TestIsolation:
    @pytest.fixture(autouse=True)
    def only_postgres(self, connection: Any) -> Iterator[None]:
        if connection.vendor != "postgresql":
            pytest.skip("PostgreSQL's levels")
        yield
        connection.close()

    @pytest.mark.parametrize("sql", [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "set local transaction_isolation = 'serializable'",
    ])
    def test_a_transaction_that_was_lifted_may_not(self, connection: Any, database: str, sql: str) -> None:
        with transaction.atomic(using=database):
            connection.cursor().execute(sql)
            assert not state.may_serve(connection, {TABLE})
        assert state.may_serve(connection, {TABLE})
        with transaction.atomic(using=database):
            assert state.may_serve(connection, {TABLE})

    def test_a_begin_with_a_level_may_not(self, connection: Any) -> None:
        connection.cursor().execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        assert not state.may_serve(connection, {TABLE})
        connection.cursor().execute("COMMIT")
        assert state.may_serve(connection, {TABLE})

    @pytest.mark.parametrize("sql", [
        "SET default_transaction_isolation = 'repeatable read'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SELECT set_config('default_transaction_isolation', 'serializable', false)",
    ])
    def test_a_session_that_was_lifted_may_not(self, connection: Any, database: str, sql: str) -> None:
        with transaction.atomic(using=database):
            assert state.may_serve(connection, {TABLE})
        connection.cursor().execute(sql)
        assert state.may_serve(connection, {TABLE})                   # in autocommit each statement sees what is committed
        with transaction.atomic(using=database):
            assert not state.may_serve(connection, {TABLE})

    def test_a_level_of_the_settings_may_not(self, database: str) -> None:
        from django.db.backends.postgresql.psycopg_any import IsolationLevel
        lifted = connections.create_connection(database)
        lifted.settings_dict = {**lifted.settings_dict, "OPTIONS": {"isolation_level": IsolationLevel.REPEATABLE_READ}}
        try:
            lifted.set_autocommit(False)
            assert not state.may_serve(lifted, {TABLE})
            lifted.rollback()
        finally:
            lifted.close()


class TestHalfReadCursors:
    """SQLite: a SELECT that is half read holds the whole connection on its snapshot."""

    def test_nothing_is_stored_while_an_iterator_is_open(self, connection: Any, database: str) -> None:
        may = connection.vendor != "sqlite"
        rows = Category.objects.using(database).order_by("pk").iterator(chunk_size=10)
        next(rows)
        assert state.may_store(connection, {TABLE}) is may
        assert state.may_serve(connection, {TABLE})
        list(rows)
        assert state.may_store(connection, {TABLE})

    def test_nor_while_a_raw_cursor_is(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id FROM {TABLE}")
            cursor.fetchone()
            assert state.may_store(connection, {TABLE}) is (connection.vendor != "sqlite")
            cursor.fetchall()
            assert state.may_store(connection, {TABLE})

    def test_the_reason_an_old_snapshot_is_served(self, connection: Any, database: str) -> None:
        if connection.vendor != "sqlite":
            pytest.skip("SQLite's snapshots")
        rows: Any = Category.objects.using(database).order_by("pk").iterator(chunk_size=10)
        next(rows)
        other = connections.create_connection(database)
        other.cursor().execute(f"UPDATE {TABLE} SET title = 'new' WHERE id = 1")
        other.close()
        assert Category.objects.using(database).get(pk=1).title == "x"
        rows.close()
        assert Category.objects.using(database).get(pk=1).title == "new"

    def test_writing_goes_on_while_a_cursor_is_half_read(self, connection: Any, database: str) -> None:
        for row in Category.objects.using(database).filter(pk__lt=40).iterator(chunk_size=10):
            row.title = "seen"
            row.save()
        assert Category.objects.using(database).filter(title="seen").count() == 39


def test_touch_waits_for_the_commit_or_is_told_at_once(recorder: Recorder, connection: Any, database: str) -> None:
    recorder.commits.clear()
    state.touch(connection, ["cc:t:x.y:any"], ["y"])
    assert recorder.commits == [frozenset({"cc:t:x.y:any"})]
    with transaction.atomic(using=database):
        state.touch(connection, ["cc:t:x.y:bulk"], ["y"])
        assert state.dirty(connection, {"y"})
        assert len(recorder.commits) == 1
    assert recorder.commits[1:] == [frozenset({"cc:t:x.y:bulk"})]
