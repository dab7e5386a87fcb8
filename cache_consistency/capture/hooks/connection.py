"""The ends of transactions: ``commit``, ``rollback``, ``close``, ``connect`` and ``set_autocommit`` of every connection wrapper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from cache_consistency import switches
from cache_consistency.capture import driver, sink
from cache_consistency.capture.state import State

Method = Callable[..., Any]


def make_commit(original: Method) -> Method:
    """
    Return the replacement of ``commit``: MARK, COMMIT, RESOLVE.

    ``Atomic.__exit__`` runs the user's ``on_commit`` hooks after ``commit`` has returned, so after RESOLVE was sent: no tag has its old
    version any more, some may be pending for a moment.
    """

    def commit(self: BaseDatabaseWrapper) -> Any:
        current: State | None = self._cc  # type: ignore[attr-defined]
        if current is None:
            return original(self)
        if not switches.active():
            current.take()                                            # switched off since: nobody is told
        self.validate_thread_sharing()
        self.validate_no_atomic_block()                               # first: a commit that is not allowed marks nothing
        tags = current.take()
        try:
            sink.commit(self, tags, lambda: original(self), rollback=self.rollback)
        except BaseException:
            if tags and driver.is_open(self):
                current.add(tags, current.tables)                     # a busy SQLite keeps the transaction, for another try
            else:
                current.end()
            raise
        current.end()
        return None

    return commit


def make_rollback(original: Method) -> Method:
    """Return the replacement of ``rollback``: what was not committed concerns nobody."""

    def rollback(self: BaseDatabaseWrapper) -> Any:
        result = original(self)
        if self._cc is not None:  # type: ignore[attr-defined]
            self._cc.end()  # type: ignore[attr-defined]
        return result

    return rollback


def make_close(original: Method) -> Method:
    """Return the replacement of ``close``: the server rolls back what was open."""

    def close(self: BaseDatabaseWrapper) -> Any:
        try:
            return original(self)
        finally:
            if self._cc is not None:  # type: ignore[attr-defined]
                self._cc.reconnected()  # type: ignore[attr-defined]

    return close


def make_connect(original: Method) -> Method:
    """
    Return the replacement of ``connect``: a new physical connection knows nothing of the old one.

    The State is emptied, not replaced: the first ORM write of a connection has put its window there when the cursor opens the connection.
    """

    def connect(self: BaseDatabaseWrapper) -> Any:
        if self._cc is not None:  # type: ignore[attr-defined]
            self._cc.reconnected()  # type: ignore[attr-defined]
        return original(self)

    return connect


def make_set_autocommit(original: Method) -> Method:
    """Return the replacement of ``set_autocommit``: switching it on commits what is open, on SQLite and MySQL, past ``commit``."""

    def set_autocommit(
        self: BaseDatabaseWrapper, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:
        current: State | None = self._cc  # type: ignore[attr-defined]
        if autocommit and current is not None and current.tags and switches.active() and _commits_when_switched_on(self):
            tags = current.take()
            try:
                sink.commit(self, tags, lambda: driver.commit(self), rollback=lambda: driver.rollback(self))
            finally:
                current.end()
        return original(self, autocommit, force_begin_transaction_with_broken_autocommit)

    return set_autocommit


def _commits_when_switched_on(connection: BaseDatabaseWrapper) -> bool:
    if connection.in_atomic_block or connection.vendor == "postgresql" or connection.connection is None:
        return False                                                  # Django or PostgreSQL refuses; the tags wait for what comes next
    return driver.is_open(connection)
