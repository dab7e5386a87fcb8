"""
Every statement: ``CursorWrapper._execute``, ``_executemany`` and ``callproc``.

These are the innermost places of Django: they see the SQL after all ``execute_wrappers``, and are not called when a wrapper blocks. Most
statements are reads and leave after one comparison. A statement that an ORM write sends is explained by the open window; any other is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import Error
from django.db.backends.utils import CursorWrapper

from cache_consistency import switches
from cache_consistency.capture import driver, sink, state
from cache_consistency.capture.hooks import brackets, raw
from cache_consistency.capture.hooks.served import serve
from cache_consistency.capture.state import State, state_of
from cache_consistency.capture.writes import Window, tags_or_coarse

Execute = Callable[..., Any]


def make_execute(original: Execute) -> Execute:
    """Return the replacement of ``CursorWrapper._execute``."""

    def _execute(self: CursorWrapper, sql: Any, params: Any, *ignored_wrapper_args: Any) -> Any:
        # what the ORM reads; a bracket may be that of a function that writes, and what comes after a semicolon may be anything
        if (sql.__class__ is str and sql[:8] == 'SELECT "' and "(" not in sql and ";" not in sql) or not switches.active():
            return original(self, sql, params, *ignored_wrapper_args)
        current = state_of(self.db)
        window = current.window
        if window is not None and window.matches(sql):
            if isinstance(window, Window):
                return _write(self, original, sql, params, window, current)
            return original(self, sql, params, *ignored_wrapper_args)
        return raw.execute(self, original, sql, params, current)

    return _execute


def make_executemany(original: Execute) -> Execute:
    """Return the replacement of ``CursorWrapper._executemany``; the ORM never uses it."""

    def _executemany(self: CursorWrapper, sql: Any, param_list: Any, *ignored_wrapper_args: Any) -> Any:
        if not switches.active():
            return original(self, sql, param_list, *ignored_wrapper_args)
        return raw.execute(self, original, sql, param_list, state_of(self.db), many=True)

    return _executemany


def make_callproc(original: Execute) -> Execute:
    """Return the replacement of ``CursorWrapper.callproc``: it speaks to the driver past ``_execute``."""

    def callproc(self: CursorWrapper, procname: Any, params: Any = None, kparams: Any = None) -> Any:
        if not switches.active():
            return original(self, procname, params, kparams)
        return raw.callproc(self, lambda: original(self, procname, params, kparams), procname, state_of(self.db))

    return callproc


def _write(cursor: CursorWrapper, original: Execute, sql: str, params: Any, window: Window, current: State) -> Any:
    """Execute the statement of an ORM write and learn what it changed, before anybody can commit it."""
    connection = cursor.db

    def before() -> None:
        if window.before is not None:
            window.old = _ask(connection, *window.before)

    def after(result: Any) -> tuple[Any, set[str]]:
        result, rows = _collect(cursor, result, window)
        return result, tags_or_coarse(window, rows, cursor.rowcount)

    if driver.can_bracket(connection) and driver.commits_by_itself(connection):
        return brackets.run(cursor, original, sql, params, before=before, after=after)
    if window.before is not None:
        # In a deferred transaction a SELECT takes a snapshot, and the UPDATE after it would fail if somebody wrote in between.
        driver.run(connection, f"DELETE FROM {window.quoted} WHERE 0")
        before()
    try:
        result, tags = after(original(cursor, sql, params))
    except BaseException as error:
        if not isinstance(error, Error):
            current.add(window.coarse(), window.tables())             # interrupted: it may have been executed
        raise
    if state.under_testcase(connection):
        sink.commit(connection, frozenset(tags), lambda: None, rollback=lambda: None)
    elif tags:
        current.add(tags, window.tables())
    return result


def _collect(cursor: CursorWrapper, result: Any, window: Window) -> tuple[Any, list[tuple[Any, ...]] | None]:
    """Fetch what was returned, give the caller's columns back to the cursor, and return ours."""
    connection = cursor.db
    # SQLite cannot commit a statement whose rows are not fetched.
    if not window.extra and not (window.asked and connection.vendor == "sqlite"):
        return result, None
    with connection.wrap_database_errors:
        rows: list[tuple[Any, ...]] = cursor.cursor.fetchall()
    if window.asked:
        result = serve(cursor, [row[: window.asked] for row in rows])
    return result, [tuple(row[window.asked:]) for row in rows] if window.extra else None


def _ask(connection: Any, sql: str, params: Any) -> list[tuple[Any, ...]]:
    """Ask with Django's placeholders, past its wrappers and logs."""
    cursor = connection.create_cursor()
    try:
        with connection.wrap_database_errors:
            cursor.execute(sql, params)
            return [tuple(row) for row in cursor.fetchall()]
    finally:
        cursor.close()
