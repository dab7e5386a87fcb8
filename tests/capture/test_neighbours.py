"""Beside others: TestCase, debug cursors, profilers that compile twice, execute wrappers, other ways of binding, other databases."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext

from cache_consistency.capture import driver, hooks, state
from tests.capture.models import Category, Item
from tests.capture.recorder import Recorder, spelled

Told = Any


@pytest.fixture(autouse=True)
def rows(recorder: Recorder, database: str) -> None:
    Category.objects.using(database).bulk_create([Category(pk=1, title="tea"), Category(pk=2, title="pots")])
    recorder.commits.clear()


def every_kind(database: str) -> int:
    """Write in each of the ways that hooks meet; returns the pk that the database chose."""
    made = Item.objects.using(database).create(sku="n", category_id=1)
    made.sku = "m"
    made.save()
    with transaction.atomic(using=database):
        Category.objects.using(database).filter(pk=1).update(title="u")
    made_pk = int(made.pk)
    Item.objects.using(database).filter(sku="m").delete()
    with connections[database].cursor() as cursor:
        cursor.execute("UPDATE capture_tests_category SET title = 'r'")
    return made_pk


def shapes(commits: list[set[str]], pk: int) -> list[set[str]]:
    return [{tag.replace(f"row:{pk}", "row:N") for tag in tags} for tags in commits]


@pytest.fixture
def expected(told: Told, database: str) -> list[set[str]]:
    pk = every_kind(database)
    return shapes(told(), pk)


def test_a_plain_connection_marks_five_commits(expected: list[set[str]]) -> None:
    assert len(expected) == 5


def test_debug_cursors(expected: list[set[str]], told: Told, database: str, settings: Any) -> None:
    settings.DEBUG = True
    with CaptureQueriesContext(connections[database]):
        pk = every_kind(database)
    assert shapes(told(), pk) == expected


def test_execute_wrappers(expected: list[set[str]], told: Told, database: str) -> None:
    seen: list[str] = []

    def wrapper(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)
    with connections[database].execute_wrapper(wrapper):
        pk = every_kind(database)
    assert shapes(told(), pk) == expected
    assert not [sql for sql in seen if "BEGIN;" in sql]


def test_a_wrapper_that_blocks_marks_nothing(told: Told, database: str) -> None:
    def blocker(*args: Any) -> None:
        raise DatabaseError("blocked")
    with connections[database].execute_wrapper(blocker), pytest.raises(DatabaseError):
        Category.objects.using(database).filter(pk=1).update(title="u")
    assert told() == []


def test_a_profiler_that_compiles_and_explains_again(
    expected: list[set[str]], told: Told, database: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = SQLCompiler.execute_sql

    def profiled(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        sql, params = self.as_sql()
        with self.connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}", params)
            cursor.fetchall()
        return result
    monkeypatch.setattr(SQLCompiler, "execute_sql", profiled)
    pk = every_kind(database)
    assert shapes(told(), pk) == expected


def test_begin_in_a_message_of_its_own(
    expected: list[set[str]], told: Told, database: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "joins_begin", lambda connection, cursor: False)
    pk = every_kind(database)
    assert shapes(told(), pk) == expected


def test_parameters_bound_by_the_server(expected: list[set[str]], told: Told, database: str) -> None:
    if connections[database].vendor != "postgresql":
        pytest.skip("PostgreSQL's option")
    connection = connections[database]
    connection.close()
    before = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**before, "server_side_binding": True}
    connection.features.__dict__.pop("uses_server_side_binding", None)
    try:
        pk = every_kind(database)
        assert shapes(told(), pk) == expected
    finally:
        connection.close()
        connection.settings_dict["OPTIONS"] = before
        connection.features.__dict__.pop("uses_server_side_binding", None)


def test_a_database_without_returning_and_brackets_of_ours(told: Told, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What MySQL and others get: ``atomic()`` round the statement, ``bulk`` where the rows are not in the WHERE."""
    monkeypatch.setattr(driver, "can_bracket", lambda connection: False)
    monkeypatch.setattr("cache_consistency.capture.writes.Window._can_return", lambda window: False)
    Category.objects.using(database).filter(pk=1).update(title="u")
    assert told() == [{"category any", "category row:1"}]
    Item.objects.using(database).create(sku="n", category_id=1)
    assert told() == [{"item any", "item bulk"}]
    assert connections[database].get_autocommit()


class TestInsideTestCase:
    """The block of a TestCase counts as no transaction at all."""

    @pytest.fixture(autouse=True)
    def inside(self, recorder: Recorder, database: str) -> Iterator[None]:
        hooks.install(testcase=True)
        block = transaction.atomic(using=database)
        block._from_testcase = True  # type: ignore[attr-defined]
        block.__enter__()
        yield
        transaction.set_rollback(True, using=database)
        block.__exit__(None, None, None)
        hooks.uninstall()
        hooks.install()

    def test_a_statement_is_its_own_commit(self, recorder: Recorder, database: str, connection: Any) -> None:
        Category.objects.using(database).filter(pk=1).update(title="u")
        assert [spelled(connection, tags) for tags in recorder.commits] == [{"category any", "category row:1"}]
        assert state.may_serve(connection, {"capture_tests_category"})
        connection.cursor().execute("UPDATE capture_tests_category SET title = 'r'")
        assert len(recorder.commits) == 2

    def test_a_block_is_a_commit(self, recorder: Recorder, database: str, connection: Any) -> None:
        with transaction.atomic(using=database), transaction.atomic(using=database):
            Category.objects.using(database).filter(pk=1).update(title="u")
            assert not recorder.commits
            assert not state.may_serve(connection, {"capture_tests_category"})
        assert [spelled(connection, tags) for tags in recorder.commits] == [{"category any", "category row:1"}]
        assert not state.dirty(connection, None)

    def test_what_a_savepoint_takes_back_is_told_again(self, recorder: Recorder, database: str, connection: Any) -> None:
        Item.objects.using(database).create(sku="before", category_id=1)
        savepoint = connection.savepoint()
        Category.objects.using(database).filter(pk=1).update(title="taken back")
        with transaction.atomic(using=database):
            Category.objects.using(database).filter(pk=2).update(title="taken back")
        recorder.commits.clear()
        connection.savepoint_rollback(savepoint)
        assert [spelled(connection, tags) for tags in recorder.commits] == [{"category any", "category row:1", "category row:2"}]

    def test_a_block_that_rolls_back_tells_nothing(self, recorder: Recorder, database: str) -> None:
        Category.objects.using(database).filter(pk=1).update(title="before")
        recorder.commits.clear()

        def fail() -> None:
            with transaction.atomic(using=database):
                Category.objects.using(database).filter(pk=1).update(title="taken back")
                raise KeyError
        with pytest.raises(KeyError):
            fail()
        assert not recorder.commits

    def test_a_block_that_fails_is_none(self, recorder: Recorder, database: str, connection: Any) -> None:
        def failing() -> None:
            with transaction.atomic(using=database):
                Category.objects.using(database).filter(pk=1).update(title="u")
                raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError):
            failing()
        assert not recorder.commits
        assert not state.dirty(connection, None)
