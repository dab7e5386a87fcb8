"""
Writes that go from ``CursorWrapper`` straight to the driver: COPY, ``stream``, ``executescript``.

They are reached through ``CursorWrapper.__getattr__``; properties of the same names stand before it. PostgreSQL's debug wrapper has a
``copy`` of its own, which is replaced as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from cache_consistency import switches
from cache_consistency.capture import driver, sink
from cache_consistency.capture.hooks import brackets, raw
from cache_consistency.capture.state import state_of
from cache_consistency.capture.writes import bulk_tags


def _driver_method(name: str) -> Callable[[Any], Any]:
    def get(cursor: Any) -> Any:
        return getattr(cursor.cursor, name)                           # AttributeError where the driver has no such method
    return get


def _copy(cursor: Any) -> Any:
    original = cursor.cursor.copy

    def copy(statement: Any, *args: Any, **kwargs: Any) -> Any:
        return _copied(cursor, original, statement, args, kwargs)
    return copy if switches.active() else original


def make_debug_copy(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the replacement of ``CursorDebugWrapper.copy`` of the PostgreSQL backend."""

    def copy(self: Any, statement: Any) -> Any:
        if not switches.active():
            return original(self, statement)
        return _copied(self, lambda text: original(self, text), statement, (), {})
    return copy


@contextlib.contextmanager
def _copied(cursor: Any, original: Callable[..., Any], statement: Any, args: Any, kwargs: Any) -> Iterator[Any]:
    """Wrap psycopg's ``with cursor.copy(…)``: it commits where the block ends."""
    connection = cursor.db
    tables = raw.written_tables(connection, raw.read(connection, statement), text=statement)
    with _transaction(connection, tables), original(statement, *args, **kwargs) as copying:
        yield copying


@contextlib.contextmanager
def _transaction(connection: Any, tables: tuple[str, ...]) -> Iterator[None]:
    """Have what is written inside the block marked: at the block's end in autocommit, else by the COMMIT that follows."""
    if not tables:
        yield
        return
    tags = frozenset(bulk_tags(connection, tables))
    if not driver.commits_by_itself(connection):
        state_of(connection).add(tags, tables)
        yield
        return
    driver.begin(connection)
    try:
        yield
    except BaseException:
        driver.rollback(connection)
        raise
    brackets.commit(connection, tags)


def _copy_in_one_call(name: str) -> Callable[[Any], Any]:
    """Return the getter of psycopg 2's ``copy_expert`` and ``copy_from``."""

    def get(cursor: Any) -> Any:
        original = getattr(cursor.cursor, name)

        def copy(first: Any, second: Any, *args: Any, **kwargs: Any) -> Any:
            connection = cursor.db
            text = first if name == "copy_expert" else f"COPY {second} FROM STDIN"
            tables = raw.written_tables(connection, raw.read(connection, text), text=text)
            with _transaction(connection, tables):
                return original(first, second, *args, **kwargs)
        return copy if switches.active() else original
    return get


def _stream(cursor: Any) -> Any:
    original = cursor.cursor.stream

    def stream(query: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        connection = cursor.db
        tables = raw.written_tables(connection, raw.read(connection, query), text=query)
        with _transaction(connection, tables):                        # a generator that is closed early cancels the statement
            yield from original(query, *args, **kwargs)
    return stream if switches.active() else original


def _executescript(cursor: Any) -> Any:
    original = cursor.cursor.executescript

    def executescript(script: str) -> Any:
        """Commit what is open, as sqlite3 does, and run the script; Django's books stay as they are."""
        connection = cursor.db
        current = state_of(connection)
        tables = raw.written_tables(connection, raw.read(connection, script), text=script)
        tags = current.take() | bulk_tags(connection, tables)
        found: list[Any] = []
        try:
            sink.commit(
                connection, frozenset(tags), lambda: found.append(original(script)), rollback=lambda: driver.rollback(connection),
            )
        finally:
            current.end()
            if driver.is_open(connection):                            # the script has begun a transaction
                current.add(tags, tables)
                current.textual = True
        return found[0]
    return executescript if switches.active() else original


PROPERTIES: dict[str, property] = {
    "copy": property(_copy),
    "copy_expert": property(_copy_in_one_call("copy_expert")),
    "copy_from": property(_copy_in_one_call("copy_from")),
    "stream": property(_stream),
    "executescript": property(_executescript),
}
