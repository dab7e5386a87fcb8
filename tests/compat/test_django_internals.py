"""The names inside Django that capture stands on; whoever adds a version of Django looks here first."""

import inspect
from typing import Any

import django
import pytest
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.utils import CursorWrapper
from django.db.models import deletion
from django.db.models.lookups import Exact, In
from django.db.models.sql import DeleteQuery, InsertQuery, Query, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler, SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler
from django.db.transaction import Atomic, atomic

from cache_consistency.capture import hooks
from tests.capture.models import Category, Item, Seat

cursors: Any = CursorWrapper
VERSION = django.VERSION[:2]


@pytest.fixture(autouse=True)
def bare() -> Any:
    """Look at Django itself, not at what was put in its place."""
    before = hooks.installed()
    hooks.uninstall()
    yield
    if before:
        hooks.install()


@pytest.mark.parametrize(("method", "signature"), [
    (BaseDatabaseWrapper.commit, "(self)"), (BaseDatabaseWrapper.rollback, "(self)"), (BaseDatabaseWrapper.close, "(self)"),
    (BaseDatabaseWrapper.connect, "(self)"),
    (BaseDatabaseWrapper.set_autocommit, "(self, autocommit, force_begin_transaction_with_broken_autocommit=False)"),
    (cursors._execute, "(self, sql, params, *ignored_wrapper_args)"),
    (cursors._executemany, "(self, sql, param_list, *ignored_wrapper_args)"),
    (CursorWrapper.callproc, "(self, procname, params=None, kparams=None)"),
    (SQLInsertCompiler.execute_sql, "(self, returning_fields=None)"), (SQLUpdateCompiler.execute_sql, "(self, result_type)"),
    (Atomic.__exit__, "(self, exc_type, exc_value, traceback)"),
], ids=lambda value: getattr(value, "__qualname__", ""))
def test_methods_that_are_replaced(method: Any, signature: str) -> None:
    assert str(inspect.signature(inspect.unwrap(method))) == signature


def test_compilers() -> None:
    assert "execute_sql" not in SQLDeleteCompiler.__dict__
    assert issubclass(SQLDeleteCompiler, SQLCompiler)
    assert hasattr(SQLUpdateCompiler, "execute_returning_sql") is (VERSION >= (6, 0))
    assert hasattr(SQLUpdateCompiler, "returning_fields") is (VERSION >= (6, 0))
    assert SQLInsertCompiler.returning_fields is None
    assert hasattr(BaseDatabaseOperations, "returning_columns") is (VERSION >= (6, 0))


def test_queries() -> None:
    inserting = InsertQuery(Category)
    inserting.insert_values([], [], raw=True)
    assert {"fields", "objs", "raw", "on_conflict", "update_fields", "unique_fields"} <= set(vars(inserting))
    assert {"values", "related_updates", "related_ids", "where"} <= set(vars(UpdateQuery(Category)))
    assert {"alias_map", "explain_info", "select_for_update", "combined_queries"} <= {*vars(Query(Category)), *dir(Query(Category))}
    assert DeleteQuery(Category).get_meta() is Category._meta


def test_nodes_of_a_where() -> None:
    where: Any = Item.objects.filter(pk=1, sku="a").exclude(stock=2).query.where
    exact = where.children[0]
    assert (where.connector, where.negated, isinstance(exact, Exact)) == ("AND", False, True)
    assert exact.lhs.target is Item._meta.pk
    assert (exact.lhs.alias, exact.lookup_name, exact.rhs) == ("capture_tests_item", "exact", 1)
    several: Any = Item.objects.filter(pk__in=["1", 2]).query.where.children[0]
    assert isinstance(several, In)
    assert list(several.rhs) == [1, 2]
    pair: Any = Seat.objects.filter(pk=("a", 1)).query.where.children[0]
    assert [target.column for target in pair.lhs.targets] == ["row", "number"]
    assert (pair.lookup_name, tuple(pair.rhs)) == ("exact", ("a", 1))


def test_wrappers_and_blocks() -> None:
    from django.db import connections
    wrapper = connections.create_connection("default")
    for name in ("in_atomic_block", "autocommit", "atomic_blocks", "needs_rollback", "closed_in_transaction", "commit_on_exit"):
        assert name in vars(wrapper)
    assert atomic()._from_testcase is False  # type: ignore[attr-defined]
    for name in ("validate_thread_sharing", "validate_no_atomic_block", "validate_no_broken_transaction", "wrap_database_errors"):
        assert hasattr(BaseDatabaseWrapper, name)


def test_cascades_of_the_database() -> None:
    assert hasattr(models, "DB_CASCADE") is (VERSION >= (6, 1))
    assert hasattr(deletion, "SKIP_COLLECTION") is (VERSION >= (6, 1))


def test_the_method_resolution_of_model_from_db() -> None:
    expected = ["db", "field_names", "values"] + (["fetch_mode"] if VERSION >= (6, 1) else [])
    assert list(inspect.signature(models.Model.from_db).parameters) == expected
