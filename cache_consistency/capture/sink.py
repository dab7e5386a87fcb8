"""
The seam to whoever marks and resolves: every COMMIT that this package sees goes through here, with the tags of its transaction.

The rules of an error inside COMMIT hold for every sink, so they live here and not in the sinks:

* a refusal rolls back *first*, then leaves as a ``DatabaseError``: any other exception out of ``commit()`` loses what a PostgreSQL
  connection writes next, and lets SQLite commit all the same;
* after the real COMMIT nothing may raise: Django would roll back its own books and drop the user's ``on_commit`` hooks;
* an error of the COMMIT itself leaves as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from cache_consistency import events
from cache_consistency.exceptions import CacheConsistencyError
from cache_consistency.protocol.tags import Tag


class CommitRefused(CacheConsistencyError, DatabaseError):
    """The transaction was rolled back because its tags could not be marked; the cause says why."""


class Sink(Protocol):
    """Whoever is told of each COMMIT: ``invalidation.service``, or a recorder in tests."""

    def commit(self, connection: BaseDatabaseWrapper, tags: frozenset[Tag], commit: Callable[[], None], /) -> None:
        """
        Mark ``tags``, call ``commit`` exactly once, resolve them whatever came of it.

        :param tags: never empty.
        :raises Exception: before ``commit`` was called: the commit is refused. An error of ``commit`` is passed on.
        """
        ...


_installed: Sink | None = None
_listener: Callable[[BaseDatabaseWrapper, frozenset[Tag]], None] | None = None


def install(sink: Sink | None) -> Sink | None:
    """Have ``sink`` told of every commit from now on (None: nobody); returns who was told before."""
    global _installed  # one per process, like the hooks that feed it
    before, _installed = _installed, sink
    return before


def listen(listener: Callable[[BaseDatabaseWrapper, frozenset[Tag]], None] | None) -> None:
    """Have ``listener`` called with connection and tags of each commit that was done (`hooks.testcase`); None: nobody."""
    global _listener  # as `install`
    _listener = listener


def installed() -> Sink | None:
    return _installed


class _Once:
    """The real COMMIT, and what became of it."""

    __slots__ = ("begun", "commit", "done")

    def __init__(self, commit: Callable[[], None]) -> None:
        self.commit, self.begun, self.done = commit, False, False

    def __call__(self) -> None:
        self.begun = True
        self.commit()
        self.done = True


def commit(
    connection: BaseDatabaseWrapper, tags: frozenset[Tag], commit: Callable[[], None], *, rollback: Callable[[], None],
) -> None:
    """
    Run one COMMIT between MARK and RESOLVE.

    :param rollback: ends the transaction when the COMMIT is refused before it was sent.
    :raises CommitRefused: the sink failed before the COMMIT; everything is rolled back.
    """
    if _installed is None or not tags:
        commit()
        return
    once = _Once(commit)
    try:
        _tell(_installed, connection, tags, once)
        if _listener is not None:
            _listener(connection, tags)
    except BaseException as error:
        if once.begun and not once.done:
            raise                                                     # the COMMIT's own error
        if once.done:
            _after_commit(error)
            return
        rollback()
        if isinstance(error, DatabaseError) or not isinstance(error, Exception):
            raise
        raise CommitRefused(f"the commit on {connection.alias!r} was refused: {error}") from error


def _tell(sink: Sink, connection: BaseDatabaseWrapper, tags: frozenset[Tag], once: _Once) -> None:
    sink.commit(connection, tags, once)
    if not once.begun:
        raise RuntimeError(f"{type(sink).__name__}.commit returned without committing")


def _after_commit(error: BaseException) -> None:
    """Swallow and report an error that came after the real COMMIT; what is no Exception (Ctrl-C) goes on."""
    if not isinstance(error, Exception):
        raise error
    events.logger.error("an error after COMMIT was kept from the caller", exc_info=error)
    events.count("commit_errors", "", type(error).__name__)
