"""
Noticing a token that does not go away, and finding out that its writer is dead.

Readers do it, nobody else: the first to meet the same token for a second asks the database, and those who come later go on with the
question where it was left, so that no read ever waits for the answer.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError

from cache_consistency import events
from cache_consistency.capture import state
from cache_consistency.exceptions import StoreError
from cache_consistency.protocol import wishes
from cache_consistency.protocol.recovery import recover
from cache_consistency.protocol.tags import Tag
from cache_consistency.protocol.versions import tokens
from cache_consistency.protocol.wishes import Steps, Wish
from cache_consistency.stores.base import Store

PATIENCE = 1.0
"""Seconds a token may stand before somebody asks whether its writer is over."""
INTERVAL = 0.05
"""Seconds between two questions about the same token."""
LEASE = 2.0
"""Seconds one asker has a token for itself."""
_MEMORY = 1024


class _Case:
    """One token as this process knows it."""

    __slots__ = ("asked", "seen", "steps", "tags")

    def __init__(self, now: float) -> None:
        self.seen = now
        self.asked = now
        self.tags: set[Tag] = set()
        self.steps: Steps[bool] | None = None


_cases: OrderedDict[str, _Case] = OrderedDict()
_lock = threading.Lock()


def notice(store: Store, connection: Any, tags: Sequence[Tag], states: Sequence[bytes | None]) -> None:
    """Take note of pending tags that a read has met; ask about those that have been there for long."""
    for tag, pending in zip(tags, states, strict=True):
        for token in tokens(pending):
            case = _remember(token.decode("ascii", "replace"), tag)
            if case is not None:
                _ask(store, connection, token.decode("ascii", "replace"), case)


def forget() -> None:
    """Begin with no memory (after fork, in tests)."""
    with _lock:
        _cases.clear()


def _remember(token: str, tag: Tag) -> _Case | None:
    """Return the case if it is time to ask about it now, and nobody else in this process does."""
    now = time.monotonic()
    with _lock:
        case = _cases.get(token)
        if case is None:
            case = _cases[token] = _Case(now)
            if len(_cases) > _MEMORY:
                _cases.popitem(last=False)
        case.tags.add(tag)
        if now - case.seen < PATIENCE or now - case.asked < INTERVAL:
            return None
        case.asked = now
        return case


def _ask(store: Store, connection: Any, token: str, case: _Case) -> None:
    if state.in_transaction(connection):
        return                                                      # only an autocommit connection gets a new snapshot each time
    shell = _RecoverShell(store, connection)
    with _lock:
        steps, case.steps = case.steps, None
        tags = tuple(case.tags)
    if steps is None:
        steps = recover(token, tags)
    try:
        if _advance(steps, shell):
            with _lock:
                case.steps = steps
            return
    except (StoreError, DatabaseError) as error:
        events.emit(events.Event("recover", "", "failed", {"error": str(error)}))
        return
    with _lock:
        _cases.pop(token, None)


def _advance(steps: Steps[bool], shell: _RecoverShell) -> bool:
    """Go on until the steps pause (True) or end (False)."""
    try:
        wish = next(steps)
        while wish.__class__ is not wishes.Pause:
            wish = steps.send(shell(wish))
    except StopIteration as end:
        if end.value:
            events.emit(events.Event("recover", "", "resolved"))
        return False
    return True


class _RecoverShell:
    """Answers RECOVER on PostgreSQL; elsewhere there is no barrier and the deadline decides."""

    def __init__(self, store: Store, connection: Any) -> None:
        self.store = store
        self.connection = connection

    def __call__(self, wish: Wish) -> Any:
        match wish:
            case wishes.Lease(token):
                return self.store.lease(self.store.keyspace.lease("recover", token), ttl=LEASE)
            case wishes.Barrier():
                return self._number("SELECT pg_current_xact_id()::text") if self.connection.vendor == "postgresql" else None
            case wishes.Horizon():
                return self._number("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
            case wishes.Resolve(tags, token):
                return self.store.resolve(tags, token)
        raise TypeError(f"recovery does not ask for {type(wish).__name__}")

    def _number(self, sql: str) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return int(cursor.fetchone()[0])
