"""
Questions to the database driver, and BEGIN, COMMIT and ROLLBACK past Django's books.

Whether a statement is its own commit is asked of the driver, not of Django: a BEGIN in somebody's SQL leaves Django in autocommit with a
transaction open, and a COMMIT in it leaves Django inside ``atomic()`` with none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import Error, InternalError
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    from cache_consistency.capture.state import State

_IDLE = 0
"""libpq's PQTRANS_IDLE"""
_INERROR = 3
"""libpq's PQTRANS_INERROR: only ROLLBACK is taken"""
_PROBE = "cache_consistency_probe"


def commits_by_itself(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a statement executed now commits at its end; 0.1 µs. The connection must be open."""
    raw: Any = connection.connection
    if connection.vendor == "postgresql":
        return bool(raw.autocommit) and transaction_status(raw) == _IDLE
    if connection.vendor == "sqlite":
        return raw.isolation_level is None and not raw.in_transaction
    return connection.autocommit and not connection.in_atomic_block


def transaction_status(raw: Any) -> int:
    """Return libpq's status: 0 idle, 1 active, 2 in a transaction, 3 in a failed one, 4 unknown."""
    pgconn = getattr(raw, "pgconn", None)
    return int(raw.info.transaction_status if pgconn is None else pgconn.transaction_status)


def savepoints_may_commit(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the release of a savepoint may be a COMMIT: on SQLite, unless it was Django that began the transaction."""
    raw: Any = connection.connection
    return connection.vendor == "sqlite" and raw is not None and (raw.isolation_level is not None or not connection.in_atomic_block)


def is_open(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the driver says that a transaction is open, whoever began it."""
    raw: Any = connection.connection
    if raw is None:
        return False
    if connection.vendor == "postgresql":
        return not raw.closed and transaction_status(raw) != _IDLE
    if connection.vendor == "sqlite":
        return bool(raw.in_transaction)
    return not commits_by_itself(connection)


def is_broken(connection: BaseDatabaseWrapper) -> bool:
    """Return whether PostgreSQL has given the open transaction up."""
    raw: Any = connection.connection
    return connection.vendor == "postgresql" and raw is not None and transaction_status(raw) == _INERROR


def can_bracket(connection: BaseDatabaseWrapper) -> bool:
    """Return whether BEGIN and COMMIT can be sent under Django's feet."""
    return connection.vendor in {"postgresql", "sqlite"}


def joins_begin(connection: BaseDatabaseWrapper, cursor: Any) -> bool:
    """Return whether BEGIN and the statement can travel in one message: psycopg 3 with parameters bound by the client."""
    raw: Any = connection.connection
    return hasattr(raw, "pgconn") and hasattr(cursor, "mogrify") and getattr(raw, "_pipeline", None) is None


def begin(connection: BaseDatabaseWrapper) -> None:
    """Open a transaction past Django's books; on SQLite with the write lock, so that what is read next cannot be overtaken."""
    run(connection, "BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")


def commit(connection: BaseDatabaseWrapper) -> None:
    """
    Send COMMIT past Django's books.

    :raises DatabaseError: the server refused (a deferred constraint); the transaction is rolled back, also on SQLite, which keeps it open.
    """
    if is_broken(connection):                                         # COMMIT would answer ROLLBACK, and nobody would be told
        rollback(connection)
        raise InternalError("the transaction was aborted by an earlier statement; nothing was committed")
    try:
        with connection.wrap_database_errors:
            if hasattr(connection.connection, "pgconn"):
                connection.connection.commit()                        # psycopg sends it whenever a transaction is open
            else:
                _run(connection, "COMMIT")
    except BaseException:
        rollback(connection)
        raise


def rollback(connection: BaseDatabaseWrapper) -> None:
    """Send ROLLBACK if the driver says that a transaction is open; a connection that cannot even do that is closed."""
    if not is_open(connection):
        return
    try:
        with connection.wrap_database_errors:
            if hasattr(connection.connection, "pgconn"):
                connection.connection.rollback()
            else:
                _run(connection, "ROLLBACK")
    except Error:
        connection.close()


def run(connection: BaseDatabaseWrapper, sql: str) -> None:
    """Send ``sql`` through the driver: no wrapper, no log and no hook sees it. Errors are Django's."""
    with connection.wrap_database_errors:
        _run(connection, sql)


def ask(connection: BaseDatabaseWrapper, sql: str, params: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """Send a SELECT through the driver, which is opened if need be; returns all rows. Errors are Django's."""
    connection.ensure_connection()
    with connection.wrap_database_errors:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql, params)
            return list(cursor.fetchall())
        finally:
            cursor.close()


def _run(connection: BaseDatabaseWrapper, sql: str) -> None:
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql)
    finally:
        cursor.close()


def isolation_level(connection: BaseDatabaseWrapper) -> str | None:
    """Return the level that the driver asks for with BEGIN, in SQL's words; None: it leaves that to the server."""
    raw: Any = connection.connection
    if connection.vendor == "postgresql":
        level: Any = getattr(raw, "isolation_level", None)
        return None if level is None else getattr(level, "name", str(level)).replace("_", " ").lower()
    level = getattr(connection, "isolation_level", None)
    if connection.vendor == "oracle":
        return "read committed"
    return level if isinstance(level, str) else "unknown"


def default_isolation_level(connection: BaseDatabaseWrapper) -> str:
    """Ask PostgreSQL, in one round trip, what it uses when nobody asks for a level."""
    return str(ask(connection, "SHOW default_transaction_isolation")[0][0])


def is_replica(connection: BaseDatabaseWrapper) -> bool:
    """
    Return whether the server only follows another one, so that what it answers may be older than the tags say.

    PostgreSQL 14 and later tell it unasked, also when it changes; earlier ones are asked, in one round trip. Elsewhere nobody knows.
    """
    raw: Any = connection.connection
    if connection.vendor != "postgresql" or raw is None or not hasattr(raw, "pgconn"):
        return False
    told = raw.pgconn.parameter_status(b"in_hot_standby")
    if told is None:
        return bool(ask(connection, "SELECT pg_is_in_recovery()")[0][0])
    return bool(told == b"on")


def half_read(connection: BaseDatabaseWrapper, state: State) -> bool:
    """
    Return whether a SELECT of this SQLite connection has not delivered its last row.

    Only the engine knows, and it tells in one way: a function cannot be redefined while a statement is running.
    """
    raw: Any = connection.connection
    if raw is None:
        return False
    if not state.probed:
        raw.create_function(_PROBE, 0, _probe)                        # the first time nothing is redefined
        state.probed = True
    try:
        raw.create_function(_PROBE, 0, _probe)
    except sqlite3.OperationalError:
        return True
    return False


_probe: Callable[[], None] = lambda: None  # noqa: E731  # what it does is never asked
