"""
Tests inside Django's ``TestCase``: its transaction is never committed, so what would be commits elsewhere count as commits here.

The block of the class and the block of the method are no transactions to us: a statement directly under them is in autocommit, and a block
that ends directly under them is marked and resolved as if it had been committed. The rollback at the end of a test is seen by nobody: give
each test a namespace of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.transaction import get_connection

from cache_consistency import switches
from cache_consistency.capture import sink, state


def make_exit(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the replacement of ``Atomic.__exit__``."""

    def __exit__(self: Any, exc_type: Any, exc_value: Any, traceback: Any) -> Any:  # noqa: N807  # that is its name
        connection = get_connection(self.using)
        result = original(self, exc_type, exc_value, traceback)
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
