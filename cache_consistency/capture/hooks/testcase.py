"""
Tests inside Django's ``TestCase``: its transaction is never committed, so what would be commits elsewhere count as commits here.

The block of the class and the block of the method are no transactions to us: a statement directly under them is in autocommit, and a block
that ends directly under them is marked and resolved as if it had been committed. What a savepoint that the test has set by hand takes back
is marked and resolved once more. The rollback at the end of a test is seen by nobody: give each test a namespace of its own.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import get_connection

from cache_consistency import switches
from cache_consistency.capture import sink, state
from cache_consistency.protocol.tags import Tag


@dataclasses.dataclass
class _Log:
    """What one connection has told during a test."""

    commits: list[frozenset[Tag]] = dataclasses.field(default_factory=list)
    savepoints: dict[str, int] = dataclasses.field(default_factory=dict)
    """How many commits each savepoint has before it."""


_logs: weakref.WeakKeyDictionary[BaseDatabaseWrapper, _Log] = weakref.WeakKeyDictionary()


def told(connection: BaseDatabaseWrapper, tags: frozenset[Tag]) -> None:
    """Remember what counts as committed, for a savepoint may take it back."""
    if state.under_testcase(connection):
        _logs.setdefault(connection, _Log()).commits.append(tags)


def make_savepoint(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the replacement of ``_savepoint``, which both blocks and savepoints by hand call."""

    def _savepoint(self: Any, sid: str) -> Any:
        result = original(self, sid)
        if self.in_atomic_block:
            log = _logs.setdefault(self, _Log())
            log.savepoints[sid] = len(log.commits)
        return result

    return _savepoint


def make_savepoint_rollback(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the replacement of ``_savepoint_rollback``; of a block there is nothing to take back, for nothing was told inside it."""

    def _savepoint_rollback(self: Any, sid: str) -> Any:
        result = original(self, sid)
        log = _logs.get(self)
        undone = frozenset[Tag]().union(*log.commits[log.savepoints.get(sid, 0):]) if log is not None else frozenset()
        if undone and switches.active():
            sink.commit(self, undone, lambda: None, rollback=lambda: None)
        return result

    return _savepoint_rollback


def make_exit(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the replacement of ``Atomic.__exit__``."""

    def __exit__(self: Any, exc_type: Any, exc_value: Any, traceback: Any) -> Any:  # noqa: N807  # that is its name
        connection = get_connection(self.using)
        result = original(self, exc_type, exc_value, traceback)
        if self._from_testcase:
            _logs.pop(connection, None)
        if switches.active() and not self._from_testcase and state.under_testcase(connection):
            _ended(connection, committed=exc_type is None and not connection.needs_rollback)
        return result

    return __exit__


def _ended(connection: Any, *, committed: bool) -> None:
    current = state.state_of(connection)
    tags = current.take()
    if committed:
        sink.commit(connection, tags, lambda: None, rollback=lambda: None)
    current.end()
