"""
The service: brackets every commit that touched tracked tables with MARK and RESOLVE.

Until there is an outbox, a writer that cannot reach the store commits all the same and owes the RESOLVE in this process: readers may see
the past until it is paid, and for good only until the entry's TTL if the process dies first.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

from cache_consistency import events, stores, switches
from cache_consistency.capture.tagging import UNNAMED
from cache_consistency.conf import app_settings
from cache_consistency.declare import tracked
from cache_consistency.exceptions import StoreError, TooManyWriters
from cache_consistency.invalidation.announce import announce, announce_after
from cache_consistency.invalidation.retry import Debt, queue
from cache_consistency.protocol import wishes
from cache_consistency.protocol.drivers import run
from cache_consistency.protocol.steps import touch, write
from cache_consistency.protocol.tags import Tag, parts
from cache_consistency.protocol.wishes import Wish
from cache_consistency.stores.base import Store

CROWDED_PAUSE = 0.001
"""Seconds, at least, between two attempts to join the writers of a crowded tag."""


class Service:
    """What the capture layer hands commits to (`capture.sink.Sink`)."""

    def commit(self, connection: Any, tags: frozenset[Tag], commit: Callable[[], None]) -> None:
        """
        Commit, bracketed.

        :param commit: does the real COMMIT; what it raises leaves here unchanged, nothing else does after it ran.
        """
        store = stores.current()
        if store is None or not tags:
            commit()
            return
        named = tags - {UNNAMED}
        try:
            if named:
                run(write(tuple(named), mark_ttl=app_settings().MARK_TTL), _WriteShell(store, commit))
            else:
                commit()
        finally:                                                    # also for a COMMIT of which nobody knows what became of it
            if len(named) < len(tags):
                _give_up_everything(store)
        announce_after(connection, named)


def renew(tags: Iterable[Tag], *, reason: str, using: str) -> None:
    """Give ``tags`` new versions now, outside any transaction; a store that is away is owed it. Switched off, it does nothing."""
    store, wanted = stores.current() if switches.active() else None, tuple(dict.fromkeys(tags))
    if store is not None and wanted:
        named = tuple(tag for tag in wanted if tag != UNNAMED)
        if named:
            run(touch(named), _WriteShell(store, _nothing))
        if len(named) < len(wanted):
            _give_up_everything(store)
        announce(named, reason=reason, using=using)


def _give_up_everything(store: Store) -> None:
    """Begin a new epoch for a write whose tags could not be named; a store that is away is owed it."""
    try:
        store.new_epoch()
    except StoreError:
        queue.owe_everything(store)
    else:
        events.count("epoch", "", "unnamed")


def _nothing() -> None:
    raise AssertionError("no COMMIT belongs to this")


class _WriteShell:
    """Answers the wishes of one WRITE."""

    __slots__ = ("commit", "marked", "sent", "store")

    def __init__(self, store: Store, commit: Callable[[], None]) -> None:
        self.store = store
        self.commit = commit
        self.sent = 0.0
        self.marked = False

    def __call__(self, wish: Wish) -> Any:
        return _ANSWERS[wish.__class__](self, wish)

    def token(self, wish: wishes.NewToken) -> str:
        return secrets.token_hex(12)

    def mark(self, wish: wishes.Mark) -> None:
        """Send MARK; again for up to ``TIMEOUT`` where a tag has too many writers, who are through in milliseconds."""
        settings, began = app_settings(), time.monotonic()
        self.marked = False                                         # a second one that fails says that the first is old
        while True:
            self.sent = time.monotonic()
            try:
                self.store.mark(wish.tags, wish.token, ttl=settings.MARK_TTL)
            except TooManyWriters:
                if time.monotonic() - began > settings.TIMEOUT:
                    raise
                time.sleep(CROWDED_PAUSE * (1 + secrets.randbelow(4)))          # not all of them at once
            else:
                break
        self.marked = True

    def age(self, wish: wishes.MarkAge) -> float:
        return time.monotonic() - self.sent

    def do_commit(self, wish: wishes.Commit) -> None:
        self.commit()

    def resolve(self, wish: wishes.Resolve) -> int:
        """
        Send RESOLVE; after a good MARK its answer is read when this thread next uses the store.

        Until it is executed the tags are pending, which is safe. Without a mark, or with one that a slow COMMIT may have outlived, nothing
        protects readers, so that answer is waited for.
        """
        age = self.age(wishes.MarkAge())
        if not self.marked or age > app_settings().MARK_TTL / 2:
            return self.store.resolve(wish.tags, wish.token)

        def on_answer(answer: int | StoreError) -> None:
            if isinstance(answer, StoreError):
                self.owe(wishes.Owe(wish.tags, wish.token, marked=True))
            elif answer < len(wish.tags):
                _lost_marks(len(wish.tags), answer, age)
        self.store.resolve_soon(wish.tags, wish.token, on_answer)
        return len(wish.tags)

    def unmarked(self, wish: wishes.Unmarked) -> None:
        events.emit(events.Event("unmarked", "", type(wish.error).__name__, {"tags": len(wish.tags), "error": str(wish.error)}))
        events.warn_once("unmarked", "a transaction commits without its mark: %s", wish.error)

    def owe(self, wish: wishes.Owe) -> None:
        events.emit(events.Event("owed", "", "marked" if wish.marked else "unmarked", {"tags": len(wish.tags)}))
        queue.owe(Debt(self.store, wish.tags, wish.token, _tables(wish.tags)))

    def lost_marks(self, wish: wishes.LostMarks) -> None:
        _lost_marks(wish.expected, wish.found, self.age(wishes.MarkAge()))


def _lost_marks(expected: int, found: int, age: float) -> None:
    if age < app_settings().MARK_TTL:
        events.emit(events.Event("lost_marks", "", "", {"expected": expected, "found": found}))
        events.warn_once("lost_marks", "somebody deletes or evicts pending tags: %d of %d stood", found, expected)


_ANSWERS: dict[type[Wish], Callable[[_WriteShell, Any], Any]] = {
    wishes.NewToken: _WriteShell.token,
    wishes.Mark: _WriteShell.mark,
    wishes.MarkAge: _WriteShell.age,
    wishes.Commit: _WriteShell.do_commit,
    wishes.Resolve: _WriteShell.resolve,
    wishes.Unmarked: _WriteShell.unmarked,
    wishes.Owe: _WriteShell.owe,
    wishes.LostMarks: _WriteShell.lost_marks,
}


def _tables(tags: tuple[Tag, ...]) -> frozenset[str]:
    return frozenset(tracked.name_in_tag(parts(tag).table) for tag in tags)


