"""Statements of somebody's own: what their text says becomes ``bulk`` and ``any`` of the tables that they write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.db import DatabaseError

from cache_consistency import events
from cache_consistency.capture import catalog, driver, sink, state
from cache_consistency.capture.hooks import brackets
from cache_consistency.capture.hooks.served import serve
from cache_consistency.capture.rawsql import Control, Statement, classify
from cache_consistency.capture.state import State
from cache_consistency.capture.tokens import names_of_table
from cache_consistency.capture.writes import bulk_tags
from cache_consistency.declare import tracked
from cache_consistency.protocol.tags import Tag

Execute = Callable[..., Any]
_SKIPPED = ("SAVEPOINT ", "RELEASE SAVEPOINT ", "ROLLBACK TO SAVEPOINT ")
"""What Django's own savepoints send; their names change all the time and would fill the memory of texts."""
_LONG = 20_000
"""Characters; longer texts (data written into the SQL) are not worth remembering."""

_FIRST_WORD = re.compile(r"\w{1,20}")
_LITERAL = re.compile(r"""['"$]|\b\d|--|/\*""")
"""Where a value may begin: a text (MySQL's and, at times, SQLite's in quotation marks), a number, a comment."""
_SHOWN = 100
"""Characters of a text that was not understood."""

_by_name: tuple[int, dict[str, list[str]]] = (0, {})


def text_of(connection: Any, sql: Any) -> str:
    """Return the text of what may be passed to ``execute``: str, bytes, or a ``Composable`` of psycopg."""
    if isinstance(sql, str):
        return sql
    if isinstance(sql, (bytes, bytearray)):
        return bytes(sql).decode("utf-8", "replace")
    return str(sql.as_string(connection.connection)) if hasattr(sql, "as_string") else str(sql)


def read(connection: Any, sql: Any) -> Statement:
    """Return what a statement does, as far as its text says."""
    text = text_of(connection, sql)
    return (classify if len(text) <= _LONG else classify.__wrapped__)(text, connection.vendor)


def execute(cursor: Any, original: Execute, sql: Any, params: Any, current: State, *, many: bool = False) -> Any:
    """Execute a statement, or many of one text, and see to the tables that it writes and to the transaction that it begins or ends."""
    connection = cursor.db
    if isinstance(sql, str) and ";" not in sql and (
        (sql.startswith(_SKIPPED) and not driver.savepoints_may_commit(connection))
        or (sql[:7] == "SELECT " and connection.vendor != "postgresql")
    ):
        return original(cursor, sql, params)
    statement = read(connection, sql)
    if statement.idle:
        return original(cursor, sql, params)
    tables = written_tables(connection, statement, text=sql)
    if statement.controls:
        return _control(connection, lambda: original(cursor, sql, params), statement, tables, current)
    if not tables:
        result = original(cursor, sql, params)
    elif statement.bracketable and driver.can_bracket(connection) and driver.commits_by_itself(connection):
        result = _bracketed(cursor, original, sql, params, tables, many=many)
    else:
        result = unbracketed(connection, lambda: original(cursor, sql, params), tables, current)
    _remember(connection, statement, current, f"{text_of(connection, sql)}{params}" if statement.raises else "")
    return result


def callproc(cursor: Any, call: Callable[[], Any], name: Any, current: State) -> Any:
    """Call a procedure: on PostgreSQL it is a function of which the catalogue knows whether it may write."""
    connection = cursor.db
    if connection.vendor == "postgresql":
        plain = str(name).rpartition(".")[2].strip('"').lower()
        connection.ensure_connection()
        if not catalog.writing_functions(connection, [plain]):
            return call()
    return unbracketed(connection, call, tuple(tracked.tables()), current)


def unbracketed(connection: Any, act: Callable[[], Any], tables: Iterable[str], current: State) -> Any:
    """Do something that writes ``tables``: in a transaction it waits for the COMMIT, else it is its own, and is marked and resolved."""
    tags = frozenset(bulk_tags(connection, tables))
    if state.in_transaction(connection):
        current.add(tags, tables)                                     # before: part of it may be done when it fails
        in_doubt = connection.vendor == "sqlite" and not driver.is_open(connection)      # sqlite3 begins only for some statements
        return _in_doubt(connection, act, current) if in_doubt else act()
    found: list[Any] = []
    sink.commit(connection, tags, lambda: found.append(act()), rollback=lambda: None)
    return found[0]


def written_tables(connection: Any, statement: Statement, *, text: Any = "") -> tuple[str, ...]:
    """Return the tracked tables that ``statement`` may change, those that the database's own cascades reach included."""
    everything = statement.everything
    if not everything and statement.functions and connection.vendor == "postgresql":
        everything = catalog.writing_functions(connection, statement.functions)
    if everything:
        if not statement.understood:
            _say_that_it_was_not_understood(connection.vendor, text_of(connection, text))
        return tuple(tracked.tables())
    names = statement.targets | statement.mentions
    if not names:
        return ()
    known = _tracked_names()
    found = {table for name in names for table in known.get(name, ())}
    if statement.deletes:
        found.update(child for table in tuple(found) if (item := tracked.table(table)) for child in item.database_cascades)
    return tuple(sorted(found))


def _say_that_it_was_not_understood(vendor: str, text: str) -> None:
    """Warn once for each first word, and show none of the values that stand in the text."""
    word = (_FIRST_WORD.search(text) or [""])[0].upper()
    shown = " ".join(_LITERAL.split(text, maxsplit=1)[0].split())
    events.warn_once(
        f"raw:{vendor}:{word}", "This SQL was not understood, so it is taken as a write to every tracked table, as is other SQL of this "
        "kind from now on: %s", shown if len(shown) <= _SHOWN and len(shown) == len(text) else f"{shown[:_SHOWN]} …",
    )


def _tracked_names() -> dict[str, list[str]]:
    """Return the tracked tables by each name that SQL may use for them."""
    global _by_name
    version, names = _by_name
    if version != tracked.version():
        version, names = tracked.version(), {}
        for table in tracked.tables():
            for name in names_of_table(table):
                names.setdefault(name, []).append(table)
        _by_name = (version, names)
    return names


def _bracketed(cursor: Any, original: Execute, sql: Any, params: Any, tables: tuple[str, ...], *, many: bool) -> Any:
    connection = cursor.db
    tags: set[Tag] = bulk_tags(connection, tables)

    def execute(cursor: Any, sql: Any, params: Any) -> Any:
        try:
            return original(cursor, sql, params)
        except DatabaseError:
            if many and connection.vendor == "sqlite":
                brackets.commit(connection, frozenset(tags))          # without us, each row before the bad one was committed on its own
            raise

    return brackets.run(cursor, execute, sql, params, after=lambda result: (_fetched(cursor, result), tags), many=many)


def _fetched(cursor: Any, result: Any) -> Any:
    """On SQLite, fetch what RETURNING delivers: a statement that is half read cannot be committed."""
    if cursor.db.vendor != "sqlite" or cursor.description is None:
        return result
    with cursor.db.wrap_database_errors:
        return serve(cursor, cursor.cursor.fetchall())


def _control(connection: Any, act: Callable[[], Any], statement: Statement, tables: tuple[str, ...], current: State) -> Any:
    """Follow a text that begins or ends a transaction, whatever Django believes."""
    if statement.controls == (Control.RELEASE,) and not tables:
        return _in_doubt(connection, act, current) if driver.savepoints_may_commit(connection) else act()
    tags = frozenset(bulk_tags(connection, tables))
    current.add(tags, tables)
    result = _commit(connection, act, current) if Control.COMMIT in statement.controls else act()
    if statement.controls[0] is not Control.BEGIN or len(statement.controls) > 1:
        current.end()
    if driver.is_open(connection):
        current.add(tags, tables)                                     # of a text that begins another transaction and writes in it
        current.textual = statement.controls[-1] is Control.BEGIN
        current.raised = current.raised or statement.raises
    return result


def _in_doubt(connection: Any, act: Callable[[], Any], current: State) -> Any:
    """Do something of which only the driver knows, and only afterwards, whether it was a COMMIT."""
    tags, tables = current.take(), frozenset(current.tables)
    found: list[Any] = []
    try:
        sink.commit(connection, tags, lambda: found.append(act()), rollback=lambda: None)
    finally:
        if driver.is_open(connection):
            current.add(tags, tables)
        else:
            current.end()
    return found[0]


def _commit(connection: Any, act: Callable[[], Any], current: State) -> Any:
    tags = current.take()
    found: list[Any] = []
    try:
        sink.commit(connection, tags, lambda: found.append(act()), rollback=lambda: _roll_back(connection, current))
    except BaseException:
        if driver.is_open(connection):
            current.add(tags, current.tables)                         # a busy SQLite keeps the transaction, for another try
        else:
            current.end()
        raise
    return found[0]


def _roll_back(connection: Any, current: State) -> None:
    driver.rollback(connection)
    current.end()


def _remember(connection: Any, statement: Statement, current: State, text: str) -> None:
    """Remember what a statement did to the isolation; ``set_config`` sets many things, and rarely this one."""
    if statement.raises and "isolation" in text.lower() and driver.is_open(connection):
        current.raised = True
    if statement.sets_default:
        current.default_isolation = None
    if statement.defines_function:
        catalog.forget()
