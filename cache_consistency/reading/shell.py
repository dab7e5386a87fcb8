"""
The shell of a read: answers the wishes of READ and MISS with the store, the database connection and the counters.

Before the first wish it asks whether this connection may be served from the cache at all; if not, the database answers and nothing is
stored. A store that fails is never the caller's trouble.
"""

from __future__ import annotations

from asyncio import _get_running_loop
from collections.abc import Callable, Collection, Sequence
from typing import Any

from cache_consistency import events, stores, switches
from cache_consistency.capture import state
from cache_consistency.exceptions import StoreError
from cache_consistency.protocol import wishes
from cache_consistency.protocol.drivers import run
from cache_consistency.protocol.entries import Miss
from cache_consistency.protocol.questions import Loaded, Question
from cache_consistency.protocol.steps import fill
from cache_consistency.protocol.wishes import Steps, Wish
from cache_consistency.reading.recovering import notice
from cache_consistency.stores.base import Store

Load = Callable[[tuple[int, ...]], Loaded]


class ReadShell:
    """Answers for one read of ``tables`` on one connection."""

    __slots__ = ("connection", "label", "load", "store", "tables")

    def __init__(self, store: Store, connection: Any, *, tables: Collection[str], label: str, load: Load) -> None:
        self.store = store
        self.connection = connection
        self.tables = tables
        self.label = label
        self.load = load

    def __call__(self, wish: Wish) -> Any:
        if wish.__class__ is wishes.Get:                            # the only wish of a hit
            return self.store.get(wish.keys)
        return _ANSWERS[wish.__class__](self, wish)

    def may_store(self, wish: wishes.MayStore) -> bool:
        return state.may_store(self.connection, self.tables)

    def take(self, wish: wishes.Take) -> object:
        return self.store.take(wish.tags)

    def ask_database(self, wish: wishes.Load) -> Loaded:
        return self.load(wish.wanted)

    def put(self, wish: wishes.Put) -> None:
        try:
            self.store.put(wish.entries, ttl=wish.ttl)
        except StoreError as error:
            events.warn_once("store_error", "entries cannot be stored, and the database answers instead: %s", error)
        else:
            events.count("store", self.label, "stored", len(wish.entries))

    def missed(self, wish: wishes.Missed) -> None:
        events.count("miss", self.label, wish.cause)
        if wish.states:
            notice(self.store, self.connection, wish.tags, wish.states)


_ANSWERS: dict[type[Wish], Callable[[ReadShell, Any], Any]] = {
    wishes.MayStore: ReadShell.may_store,
    wishes.Take: ReadShell.take,
    wishes.Load: ReadShell.ask_database,
    wishes.Put: ReadShell.put,
    wishes.Missed: ReadShell.missed,
}


def serving_store(connection: Any, tables: Collection[str], label: str) -> Store | None:
    """
    Return the store if a read of ``tables`` on this connection may be answered by it now, else None (and count why).

    In an event loop it may not: a hit would block the loop, and Django refuses the query that a miss needs. So it refuses both alike.
    """
    if switches.reads() == "off" or _get_running_loop() is not None:
        return None
    store = stores.current()
    if store is None:
        return None
    if not state.may_serve(connection, tables):
        events.count("bypass", label, "transaction")
        return None
    return store


def drive(steps: Steps[Any], shell: ReadShell) -> Any:
    """Run a read to its end and count it."""
    result = run(steps, shell)
    if result.__class__ is bytes:
        events.count("hit", shell.label)
    return result


def refill(questions: Sequence[Question], unreadable: tuple[int, ...], shell: ReadShell, *, ttl: float) -> Loaded:
    """Ask the database instead of entries whose payload cannot be read, and put what it says in their place."""
    events.count("miss", shell.label, Miss.CORRUPT, len(unreadable))
    loaded: Loaded = run(fill(questions, unreadable, ttl=ttl), shell)
    return loaded
