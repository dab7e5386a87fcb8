"""
What is owed to the store: RESOLVEs that got no answer.

They wait in a bounded queue of this process and are tried again by a thread that is started when there is something to do and ends when
there is nothing left. Too many of them become one: a new epoch, which invalidates everything. What a process that dies takes with it is
said in ``docs/guarantees.md``. Until they are paid, this process does not read the tables concerned from the cache.
"""

from __future__ import annotations

import atexit
import collections
import dataclasses
import os
import threading

from cache_consistency import events, stores
from cache_consistency.capture import state
from cache_consistency.exceptions import StoreError, StoreRefused
from cache_consistency.protocol.tags import Tag
from cache_consistency.stores.base import Store

CAPACITY = 1_000
"""RESOLVEs that are remembered one by one."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Debt:
    """One RESOLVE that is owed."""

    store: Store
    tags: tuple[Tag, ...]
    token: str
    tables: frozenset[str]


class RetryQueue:
    """The debts of one process."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._debts: collections.deque[Debt] = collections.deque()
        self._everything: Store | None = None
        self._overflows = 0
        self._lock = threading.Lock()                               # a new one: after a fork nobody would ever release the old
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        state.withhold(frozenset())

    def owe(self, debt: Debt) -> None:
        """Take a debt on; it is paid as soon as the store answers again."""
        with self._lock:
            self._debts.append(debt)
            while len(self._debts) > CAPACITY:
                self._everything = self._debts.popleft().store
                self._overflows += 1
                events.warn_once("retry_overflow", "more than %d invalidations wait for the store: all entries will be given up", CAPACITY)
            self._begin_work()

    def owe_everything(self, store: Store) -> None:
        """Take on that a new epoch has to begin."""
        with self._lock:
            self._everything = store
            self._overflows += 1                                    # one that is just being paid came before this
            self._begin_work()

    def _begin_work(self) -> None:
        """Withhold what is owed and see that somebody pays; the caller holds the lock."""
        self._withhold()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="cache_consistency-retry", daemon=True)
            self._thread.start()

    def waiting(self) -> int:
        """Return how many RESOLVEs are owed."""
        return len(self._debts) + (self._everything is not None)

    def pay(self) -> bool:
        """
        Try all of them once, now; return whether nothing is owed any more.

        A debt that is refused goes behind the others, which may be payable; a store that does not answer is asked once.
        """
        try:
            self._pay_everything()
            refused = 0
            while (debt := self._first()) is not None and refused < len(self._debts):
                try:
                    debt.store.resolve(debt.tags, debt.token)
                except StoreRefused:
                    refused += 1
                    self._take_off(debt, put_back=True)
                else:
                    self._take_off(debt)
                    events.count("retry", "", "resolved")
        except StoreError:
            return False
        return not self.waiting()

    def _pay_everything(self) -> None:
        while True:
            with self._lock:
                store, overflows = self._everything, self._overflows
            if store is None:
                return
            try:
                store.new_epoch()
            except StoreRefused:
                return                                              # single debts may be payable all the same
            with self._lock:
                if self._overflows == overflows:                    # else one was given up after the epoch that would have paid for it
                    self._everything = None
                self._withhold()
            events.count("retry", "", "epoch")

    def _first(self) -> Debt | None:
        with self._lock:
            return self._debts[0] if self._debts else None

    def _take_off(self, debt: Debt, *, put_back: bool = False) -> None:
        with self._lock:
            if self._debts and self._debts[0] is debt:              # else it was given up, or paid by another thread
                self._debts.popleft()
                if put_back:
                    self._debts.append(debt)
            self._withhold()

    def _withhold(self) -> None:
        """Keep this process from reading what it owes; the caller holds the lock."""
        state.withhold(None if self._everything is not None else frozenset(table for debt in self._debts for table in debt.tables))

    def _work(self) -> None:
        pause = FIRST_PAUSE
        self._wake.clear()
        while True:
            if self.pay():
                with self._lock:
                    if not self._debts and self._everything is None:
                        self._thread = None
                        return
                continue
            if self._wake.wait(pause):
                self._wake.clear()
                pause = FIRST_PAUSE
            else:
                pause = min(pause * 2, LONGEST_PAUSE)

    def wake(self) -> None:
        """Have the thread, if there is one, try now: the store is back."""
        self._wake.set()

    def forget(self) -> None:
        """Drop everything: a forked child owes nothing, its parent does."""
        self._begin()


queue = RetryQueue()


def _on_event(event: events.Event) -> None:
    if event.what == "store_up":
        queue.wake()


events.subscribe(_on_event)


@atexit.register
def _last_try() -> None:
    stores.flush_replies()                                          # one of them may be owed after all
    if queue.waiting() and not queue.pay():
        events.logger.error("the process ends owing the store %d invalidations", queue.waiting())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=queue.forget)
