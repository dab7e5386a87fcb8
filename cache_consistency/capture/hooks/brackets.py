"""
BEGIN and COMMIT round one statement that would be its own commit.

A bare statement commits before anybody knows which rows it changed, waits for locks inside the life of its mark, and goes on to commit if
its client is killed meanwhile. So a write of a tracked table in autocommit runs as BEGIN, statement, MARK, COMMIT, RESOLVE, under Django's
feet: for Django the connection stays in autocommit. On PostgreSQL, BEGIN travels in the same message as the statement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cache_consistency.capture import driver, sink
from cache_consistency.protocol.tags import Tag

Execute = Callable[..., Any]


def run(
    cursor: Any, execute: Execute, sql: Any, params: Any, *, after: Callable[[Any], tuple[Any, set[Tag]]],
    before: Callable[[], None] | None = None, many: bool = False,
) -> Any:
    """
    Execute one statement in a transaction of its own.

    :param execute: Django's own ``_execute`` or ``_executemany``.
    :param before: called inside the transaction, before the statement; SQLite only.
    :param many: ``params`` is a list of parameters, and ``execute`` takes it.
    :param after: called with what ``execute`` returned, before COMMIT; returns what to return, and the tags.
    :raises CommitRefused: rolled back. Any error of the statement or of COMMIT leaves as it came, with the transaction ended.
    """
    connection = cursor.db
    try:
        result = _begin_and_execute(cursor, execute, sql, params, before=before, many=many)
        result, tags = after(result)
    except BaseException:
        driver.rollback(connection)
        raise
    commit(connection, frozenset(tags))
    return result


def commit(connection: Any, tags: frozenset[Tag]) -> None:
    """Commit what a bracket has opened, through the sink."""
    sink.commit(connection, tags, lambda: driver.commit(connection), rollback=lambda: driver.rollback(connection))


def _begin_and_execute(
    cursor: Any, execute: Execute, sql: Any, params: Any, *, before: Callable[[], None] | None, many: bool,
) -> Any:
    connection = cursor.db
    connection.validate_no_broken_transaction()
    if not many and isinstance(sql, str) and driver.joins_begin(connection, cursor.cursor):
        result = execute(cursor, f"BEGIN;{sql}", params)
        cursor.cursor.nextset()                                       # past BEGIN's own result
        return result
    driver.begin(connection)
    if before is not None:
        before()
    return execute(cursor, sql, params)
