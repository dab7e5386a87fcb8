"""
What one connection has written and not yet committed, and whether it may use the cache meanwhile.

One `State` hangs on each connection wrapper (``BaseDatabaseWrapper._cc``) and is emptied, never replaced: by COMMIT, ROLLBACK, close and
reconnect. A savepoint that is rolled back leaves it as it is: too many tags cost a miss, too few a stale read.

A coroutine that ``async_to_sync`` runs inside ``atomic()`` lives on another thread, with another wrapper, whose own State is clean. So the
States that were written to are also known to the *task*, by a context variable, which crosses both ways between sync and async code.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper

from cache_consistency.capture import driver, sink
from cache_consistency.protocol.tags import TableTags, Tag

if TYPE_CHECKING:
    from cache_consistency.capture.writes import Untracked

Connection = BaseDatabaseWrapper

testcase = False
"""Whether the transaction of a ``TestCase`` counts as none (``hooks.testcase``)."""
_NOTHING: frozenset[str] = frozenset()
withheld: frozenset[str] | None = _NOTHING
"""``db_table`` of what this process has written and could not invalidate yet: it does not read them from the cache."""


TAG_LIMIT = 2000
"""A transaction with more tags than this in one table is marked by ``bulk`` there."""


class State:
    """Tags and tables of the open transaction of one connection, and what is remembered of its physical connection."""

    __slots__ = ("default_isolation", "memory_identity", "probed", "raised", "tables", "tag_cache", "tags", "textual", "window")

    def __init__(self) -> None:
        self.tags: set[Tag] = set()
        self.tables: set[str] = set()
        """``db_table`` of everything written in the open transaction."""
        self.window: Untracked | None = None
        """The ORM write that is being executed: it knows what the statement means."""
        self.textual = False
        """Whether a BEGIN in somebody's SQL has opened the transaction: Django does not know of it."""
        self.raised = False
        """Whether the open transaction was lifted above READ COMMITTED by SQL."""
        self.default_isolation: str | None = None
        """What the server said it uses when nobody asks for a level; None: not asked yet on this physical connection."""
        self.probed = False
        self.memory_identity: str | None = None
        self.tag_cache: dict[tuple[str, str, object, int, int], TableTags] = {}

    def add(self, tags: Iterable[Tag], tables: Iterable[str]) -> None:
        """Remember tags of the open transaction; this connection and this task are dirty for ``tables`` until it ends."""
        self.tags.update(tags)
        self.tables.update(tables)
        written = _written.get()
        if self not in written:
            _written.set((*(other for other in written if other.tables), self))

    def take(self) -> frozenset[Tag]:
        """Return the tags for a COMMIT that comes now; the connection stays dirty until `end`."""
        tags, self.tags = self.tags, set()
        return frozenset(tags if len(tags) <= TAG_LIMIT else _coarser(tags))

    def end(self) -> None:
        """Forget the transaction: it is over, whichever way."""
        self.tags = set()
        self.tables = set()
        written = _written.get()
        if written:
            _written.set(tuple(other for other in written if other.tables))
        self.textual = self.raised = False

    def reconnected(self) -> None:
        """Forget what held for the physical connection too; the window stays: its write may be what opened the new one."""
        self.end()
        self.default_isolation = None
        self.probed = False
        self.tag_cache.clear()


def _coarser(tags: Iterable[Tag]) -> set[Tag]:
    """Return ``tags`` with ``bulk`` and ``any`` in the place of whatever is too much in one table."""
    by_table: dict[str, set[Tag]] = {}
    for tag in tags:
        namespace, kind, table, _ = tag.split(":", 3)
        by_table.setdefault(f"{namespace}:{kind}:{table}:", set()).add(tag)
    kept: set[Tag] = set()
    for prefix, own in by_table.items():
        if len(own) > TAG_LIMIT:
            names = TableTags(prefix)
            own = {names.bulk, names.any}
        kept |= own
    return kept


_written: ContextVar[tuple[State, ...]] = ContextVar("cache_consistency_written", default=())


def state_of(connection: Connection) -> State:
    """Return the connection's State, made on first use."""
    state: State | None = getattr(connection, "_cc", None)
    if state is None:
        state = State()
        connection._cc = state  # type: ignore[attr-defined]
    return state


def set_testcase(value: bool) -> None:  # noqa: FBT001  # a setter
    global testcase  # an attribute of the module is the cheapest switch
    testcase = value


def withhold(tables: frozenset[str] | None) -> None:
    """
    Read exactly ``tables`` (None: every table) from the database, in all of this process, whatever the cache says.

    Called by whoever owes the store their invalidation, whenever what is owed has changed.
    """
    global withheld  # as `testcase`
    withheld = tables if tables is None or tables else _NOTHING


def _is_withheld(tables: Collection[str] | None) -> bool:
    return withheld is None or (bool(withheld) and (tables is None or not withheld.isdisjoint(tables)))


def dirty(connection: Connection, tables: Collection[str] | None) -> bool:
    """Return whether this connection or this task has written one of ``tables`` (None: any) in a transaction that is still open."""
    state: State | None = getattr(connection, "_cc", None)
    if state is not None and state.tables and (tables is None or not state.tables.isdisjoint(tables)):
        return True
    return any(other.tables and (tables is None or not other.tables.isdisjoint(tables)) for other in _written.get())


def in_transaction(connection: Connection) -> bool:
    """Return whether what is written now waits for a later COMMIT; asks the driver, so a BEGIN in SQL counts too."""
    if under_testcase(connection):
        return False
    if connection.connection is None:
        return connection.in_atomic_block
    return connection.in_atomic_block or not driver.commits_by_itself(connection)


def under_testcase(connection: Connection) -> bool:
    """Return whether the innermost block is one that a ``TestCase`` has opened round a test, and such blocks count as none."""
    if not testcase or not connection.in_atomic_block:
        return False
    blocks: list[Any] = connection.atomic_blocks
    return bool(blocks) and blocks[-1]._from_testcase


def touch(connection: Connection, tags: Iterable[Tag], tables: Iterable[str]) -> None:
    """
    Add tags to the open transaction; without one, invalidate them now.

    :raises CommitRefused: without a transaction only, when the sink refuses.
    """
    if in_transaction(connection):
        state_of(connection).add(tags, tables)
    else:
        sink.commit(connection, frozenset(tags), lambda: None, rollback=lambda: None)


def may_serve(connection: Connection, tables: Collection[str] | None) -> bool:
    """
    Return whether a cached entry that depends on ``tables`` may stand for what this connection would read now.

    Not in a transaction that has written one of them, in a broken block (Django must say so), above READ COMMITTED, or while an ORM write
    is being made: what it reads, it reads to write; and not while this process owes the store an invalidation of one of them.
    """
    state: State | None = getattr(connection, "_cc", None)
    if (
        not connection.in_atomic_block
        and (connection.autocommit or connection.connection is None)
        and (state is None or not (state.tables or state.textual or state.window))
        and not _written.get()
        and withheld is _NOTHING
        and (connection.vendor != "sqlite" or connection.connection is None or not connection.connection.in_transaction)
    ):
        return True                                                   # the common case: autocommit, clean, nothing open
    writing = state is not None and state.window is not None
    if writing or connection.needs_rollback or dirty(connection, tables) or _is_withheld(tables):
        return False
    return not in_transaction(connection) or _reads_what_is_committed(connection)


def may_store(connection: Connection, tables: Collection[str] | None) -> bool:
    """
    Return whether what this connection reads now may be stored: `may_serve`, nothing written at all, no replica, and on SQLite no cursor
    half read.

    A half-read cursor keeps SQLite's connection on the snapshot of its first row: whatever is read meanwhile may be old.
    """
    if not may_serve(connection, tables) or dirty(connection, None) or driver.is_replica(connection):
        return False
    return connection.vendor != "sqlite" or not driver.half_read(connection, state_of(connection))


def _reads_what_is_committed(connection: Connection) -> bool:
    """Return whether each statement of the open transaction sees what has been committed so far."""
    state = state_of(connection)
    if state.raised or connection.vendor == "sqlite":                 # SQLite's transactions are always one snapshot
        return False
    level = driver.isolation_level(connection)
    if level is None and connection.vendor == "postgresql":
        if state.default_isolation is None:
            state.default_isolation = driver.default_isolation_level(connection)
        level = state.default_isolation
    return level in {"read committed", "read uncommitted"}
