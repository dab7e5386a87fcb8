"""
The one place that replaces anything of Django.

Methods of base classes are replaced, so it works at once for connections that are open, for every alias and thread, and for the pool.
Installing twice does nothing; uninstalling puts back exactly what was there.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models.sql.compiler import SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler
from django.db.transaction import Atomic

from cache_consistency.capture import sink, state
from cache_consistency.capture.hooks import compilers, connection, cursors, streams
from cache_consistency.capture.hooks import testcase as hooked_testcase
from cache_consistency.capture.writes import Verb

_ABSENT = object()
_lock = threading.Lock()
_replaced: list[tuple[type[Any], str, object]] = []

Make = Callable[[Any], Any]


def install(*, testcase: bool = False) -> None:
    """
    Replace what has to be replaced, once.

    :param testcase: also count the transaction of a ``TestCase`` as none (`hooks.testcase`).
    """
    with _lock:
        if not _replaced:
            for owner, name, make in _plan():
                _replace(owner, name, make)
        if testcase:
            if (Atomic, "__exit__") not in {(owner, name) for owner, name, _ in _replaced}:
                for owner, name, make in _of_testcase():
                    _replace(owner, name, make)
            sink.listen(hooked_testcase.told)
            state.set_testcase(True)                                  # whoever asked before may have switched it off again


def uninstall() -> None:
    """Put back what was there, the last replaced first."""
    with _lock:
        while _replaced:
            owner, name, before = _replaced.pop()
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        sink.listen(None)
        state.set_testcase(False)


def installed() -> list[str]:
    """Return the names of what is replaced, as ``Class.method``."""
    return [f"{owner.__name__}.{name}" for owner, name, _ in _replaced]


def _given(attribute: object, before: object) -> object:
    return attribute


def _replace(owner: type[Any], name: str, make: Make) -> None:
    _replaced.append((owner, name, owner.__dict__.get(name, _ABSENT)))
    setattr(owner, name, make(getattr(owner, name, None)))


def _plan() -> Iterator[tuple[type[Any], str, Make]]:
    yield BaseDatabaseWrapper, "_cc", lambda before: None
    yield BaseDatabaseWrapper, "commit", connection.make_commit
    yield BaseDatabaseWrapper, "rollback", connection.make_rollback
    yield BaseDatabaseWrapper, "close", connection.make_close
    yield BaseDatabaseWrapper, "connect", connection.make_connect
    yield BaseDatabaseWrapper, "set_autocommit", connection.make_set_autocommit
    yield CursorWrapper, "_execute", cursors.make_execute
    yield CursorWrapper, "_executemany", cursors.make_executemany
    yield CursorWrapper, "callproc", cursors.make_callproc
    for name, attribute in streams.PROPERTIES.items():
        yield CursorWrapper, name, functools.partial(_given, attribute)
    yield SQLInsertCompiler, "execute_sql", lambda before: compilers.make_execute_sql(before, Verb.INSERT)
    yield SQLUpdateCompiler, "execute_sql", lambda before: compilers.make_execute_sql(before, Verb.UPDATE)
    if hasattr(SQLUpdateCompiler, "execute_returning_sql"):           # Django 6.0
        yield SQLUpdateCompiler, "execute_returning_sql", lambda before: compilers.make_execute_sql(before, Verb.UPDATE)
    inherited = compilers.delete_execute_sql(SQLDeleteCompiler)
    yield SQLDeleteCompiler, "execute_sql", lambda before: compilers.make_execute_sql(inherited, Verb.DELETE)
    yield from _of_postgresql()


def _of_testcase() -> Iterator[tuple[type[Any], str, Make]]:
    yield Atomic, "__exit__", hooked_testcase.make_exit
    yield BaseDatabaseWrapper, "_savepoint", hooked_testcase.make_savepoint
    yield BaseDatabaseWrapper, "_savepoint_rollback", hooked_testcase.make_savepoint_rollback


def _of_postgresql() -> Iterator[tuple[type[Any], str, Make]]:
    """Replace the debug wrapper's ``copy``, where a driver for PostgreSQL is installed."""
    try:
        from django.db.backends.postgresql.base import CursorDebugWrapper
    except Exception:  # noqa: BLE001  # without psycopg, Django raises ImproperlyConfigured or ImportError, as it comes
        return
    if "copy" in CursorDebugWrapper.__dict__:
        yield CursorDebugWrapper, "copy", streams.make_debug_copy
