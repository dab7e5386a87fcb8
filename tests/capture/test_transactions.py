"""The ends of transactions: what is marked when, what is forgotten, and what is left after something failed."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.test import override_settings

from cache_consistency.capture import driver, hooks, sink, state
from cache_consistency.capture.sink import CommitRefused
from tests.capture.models import Category, Deferred, Item, Part
from tests.capture.recorder import Recorder

Told = Any
TABLE = "capture_tests_category"


def write(database: str, title: str = "x", pk: int = 1) -> None:
    Category.objects.using(database).filter(pk=pk).update(title=title)


def title(database: str) -> str:
    return Category.objects.using(database).get(pk=1).title


@pytest.fixture(autouse=True)
def row(recorder: Recorder, database: str) -> None:
    Category.objects.using(database).bulk_create([Category(pk=1, title="tea"), Category(pk=2, title="pots")])
    recorder.commits.clear()


def test_on_commit_hooks_run_after_the_sink_is_done(recorder: Recorder, database: str) -> None:
    seen: list[int] = []
    with transaction.atomic(using=database):
        write(database)
        transaction.on_commit(lambda: seen.append(len(recorder.commits)), using=database)
    assert seen == [1]


def test_a_rollback_marks_nothing(told: Told, database: str, connection: Any) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic(using=database):  # noqa: PT012  # the block is what is tested
        write(database)
        assert state.dirty(connection, {TABLE})
        raise ZeroDivisionError
    assert not state.dirty(connection, None)
    assert told() == []


def test_a_savepoint_that_is_rolled_back_keeps_the_connection_dirty(told: Told, database: str, connection: Any) -> None:
    with transaction.atomic(using=database):
        with pytest.raises(ZeroDivisionError), transaction.atomic(using=database):  # noqa: PT012  # the block is what is tested
            write(database)
            raise ZeroDivisionError
        assert state.dirty(connection, {TABLE})
    assert told() == [{"category any", "category row:1"}]


def test_manual_transactions(told: Told, database: str, connection: Any) -> None:
    transaction.set_autocommit(False, using=database)
    try:
        write(database)
        assert told() == []
        transaction.commit(using=database)
        assert told() == [{"category any", "category row:1"}]
        write(database, "gone")
        transaction.rollback(using=database)
        assert told() == []
        with transaction.atomic(using=database):
            write(database, "later", pk=2)
        if connection.vendor != "sqlite":                             # there the block's savepoint began the transaction, and ended it
            assert told() == []
            transaction.commit(using=database)
        assert told() == [{"category any", "category row:2"}]
    finally:
        transaction.set_autocommit(True, using=database)


def test_switching_autocommit_on_commits_on_sqlite(told: Told, database: str, connection: Any) -> None:
    transaction.set_autocommit(False, using=database)
    write(database, "switched")
    if connection.vendor == "sqlite":
        transaction.set_autocommit(True, using=database)
        assert told() == [{"category any", "category row:1"}]
    else:
        with pytest.raises(DatabaseError):
            transaction.set_autocommit(True, using=database)
        assert told() == []
        transaction.commit(using=database)
        assert told() == [{"category any", "category row:1"}]
        transaction.set_autocommit(True, using=database)
    assert title(database) == "switched"


def test_a_commit_that_is_not_allowed_marks_nothing(told: Told, database: str) -> None:
    with transaction.atomic(using=database):
        write(database)
        with pytest.raises(transaction.TransactionManagementError):
            transaction.commit(using=database)
        assert told() == []
    assert told() == [{"category any", "category row:1"}]


def test_closing_and_reconnecting_forgets(told: Told, database: str, connection: Any) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(using=database):  # noqa: PT012  # the block is what is tested
        write(database, "lost")
        connection.close()
        assert not state.state_of(connection).tags
        raise DatabaseError
    assert not state.dirty(connection, None)
    write(database, "kept")
    assert told() == [{"category any", "category row:1"}]


def test_the_first_write_of_a_new_connection_is_seen(told: Told, database: str, connection: Any) -> None:
    connection.close()
    write(database)
    assert told() == [{"category any", "category row:1"}]


class Trouble(RuntimeError):
    pass


def fail(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error
    return act


@pytest.mark.parametrize("block", [True, False], ids=["atomic", "autocommit"])
@pytest.mark.parametrize("error", [Trouble("no"), DatabaseError("no"), KeyboardInterrupt()], ids=["any", "database", "interrupt"])
def test_a_refused_commit_is_rolled_back_and_the_connection_works(
    recorder: Recorder, database: str, connection: Any, block: bool, error: BaseException,
) -> None:
    recorder.before = fail(error)
    expected = CommitRefused if isinstance(error, Trouble) else type(error)
    with pytest.raises(expected):  # noqa: PT012  # the block is what is tested
        if block:
            with transaction.atomic(using=database):
                write(database, "refused")
        else:
            write(database, "refused")
    recorder.before = lambda: None
    assert title(database) == "tea"
    assert connection.get_autocommit()
    assert driver.commits_by_itself(connection)
    assert not state.dirty(connection, None)
    write(database, "after")
    assert title(database) == "after"


@pytest.mark.parametrize("block", [True, False], ids=["atomic", "autocommit"])
def test_an_error_after_the_commit_reaches_nobody_and_the_hooks_run(recorder: Recorder, database: str, block: bool) -> None:
    recorder.after = fail(Trouble("late"))
    ran: list[int] = []
    if block:
        with transaction.atomic(using=database):
            write(database, "there")
            transaction.on_commit(lambda: ran.append(1), using=database)
        assert ran == [1]
    else:
        write(database, "there")
    assert title(database) == "there"


@pytest.mark.parametrize("block", [True, False], ids=["atomic", "autocommit"])
def test_a_constraint_that_fails_at_commit(recorder: Recorder, database: str, connection: Any, block: bool) -> None:
    with pytest.raises(IntegrityError):  # noqa: PT012  # the block is what is tested
        if block:
            with transaction.atomic(using=database):
                Deferred.objects.using(database).create(pk=1, other_id=99)
        else:
            Deferred.objects.using(database).create(pk=1, other_id=99)
    assert driver.commits_by_itself(connection)
    assert not Deferred.objects.using(database).exists()
    assert not state.dirty(connection, None)
    write(database, "after")
    assert title(database) == "after"


def test_a_failing_statement_in_autocommit(told: Told, database: str, connection: Any) -> None:
    Item.objects.using(database).create(sku="A", category_id=1)
    told()
    with pytest.raises(IntegrityError):
        Item.objects.using(database).create(sku="A", category_id=1)
    with pytest.raises(IntegrityError):
        Item.objects.using(database).bulk_create([Item(sku="B", category_id=1), Item(sku="A", category_id=1)])
    assert driver.commits_by_itself(connection)
    assert told() == []


def test_autocommit_is_marked_before_anybody_can_see_it(recorder: Recorder, database: str) -> None:
    other = connections.create_connection(database)
    seen: list[str] = []

    def look() -> None:
        with other.cursor() as cursor:
            cursor.execute(f"SELECT title FROM {TABLE} WHERE id = 1")
            seen.append(cursor.fetchone()[0])
    recorder.before = look
    recorder.after = look
    write(database, "new")
    other.close()
    assert seen == ["tea", "new"]


def test_each_thread_has_a_state_of_its_own(recorder: Recorder, database: str, connection: Any) -> None:
    found: list[bool] = []

    def other() -> None:
        found.append(state.dirty(connections[database], None))
        connections[database].close()
    with transaction.atomic(using=database):
        write(database)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found == [False]


def test_a_coroutine_inside_atomic_knows_that_its_caller_has_written(recorder: Recorder, database: str) -> None:
    async def look() -> tuple[bool, bool, bool]:
        await asyncio.sleep(0)
        elsewhere = connections[database]
        return elsewhere.in_atomic_block, state.may_serve(elsewhere, {TABLE}), state.may_store(elsewhere, {"other"})
    with transaction.atomic(using=database):
        write(database)
        assert async_to_sync(look)() == (False, False, False)
    assert async_to_sync(look)()[1:] == (True, True)


def test_interleaved_writes_of_two_connections_keep_the_true_old_value(recorder: Recorder, told: Told, database: str) -> None:
    """t=0 A changes the lookup and waits; t=1 B updates the same row and blocks; t=2 A commits; B's old value is A's."""
    if connections[database].vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    Item.objects.using(database).create(pk=10, sku="one", category_id=1)
    recorder.commits.clear()
    blocked = threading.Event()

    def second() -> None:
        blocked.set()
        Item.objects.using(database).filter(pk=10).update(sku="three")
        connections[database].close()
    thread = threading.Thread(target=second)
    with transaction.atomic(using=database):
        Item.objects.using(database).filter(pk=10).update(sku="two")
        thread.start()
        blocked.wait()
        with connections.create_connection(database).cursor() as cursor:
            for _ in range(2000):
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                if cursor.fetchone()[0]:
                    break
        cursor.db.close()
    thread.join()
    from cache_consistency.protocol.tags import value_text
    skus = [{tag.rpartition("=")[2] for tag in tags if "sku" in tag} for tags in told()]
    one, other = {value_text("one"), value_text("two")}, {value_text("two"), value_text("three")}
    assert skus in ([one, other], [other, one])                 # whoever comes back from his COMMIT first


def test_children_can_be_inserted_while_a_lookup_of_the_parent_is_being_changed(recorder: Recorder, database: str) -> None:
    if connections[database].vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    Item.objects.using(database).create(pk=10, sku="one", category_id=1)

    def insert() -> None:
        Part.objects.using(database).create(item_id=10, name="x")
        connections[database].close()
    with transaction.atomic(using=database):
        Item.objects.using(database).filter(pk=10).update(category_id=2)
        thread = threading.Thread(target=insert)
        thread.start()
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_inactive_hooks_are_as_if_they_were_not_there(told: Told, database: str) -> None:
    with override_settings(CACHE_CONSISTENCY={"CACHE": "default", "ENABLED": False}):
        write(database)
        with transaction.atomic(using=database):
            write(database, "y")
        connections[database].cursor().execute(f"UPDATE {TABLE} SET title = 'z'")
    assert told() == []


def test_without_a_sink_everything_commits(recorder: Recorder, database: str) -> None:
    sink.install(None)
    write(database, "plain")
    sink.install(recorder)
    assert title(database) == "plain"


def test_what_was_replaced_is_put_back() -> None:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.utils import CursorWrapper
    from django.db.models.sql.compiler import SQLDeleteCompiler

    hooks.uninstall()                                               # an earlier test may have asked for more
    hooks.install()
    installed = hooks.installed()
    hooks.install()
    assert hooks.installed() == installed
    hooks.uninstall()
    assert hooks.installed() == []
    assert "execute_sql" not in SQLDeleteCompiler.__dict__
    assert "copy" not in CursorWrapper.__dict__
    assert "_cc" not in BaseDatabaseWrapper.__dict__
    hooks.install()
    assert hooks.installed() == installed
