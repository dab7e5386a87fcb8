"""
The stage of a race: one database, one store, a subject on the test's own thread, and others elsewhere.

Nothing here waits for time to pass: whoever must wait waits for an event, with a deadline after which the test has failed.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from tests.shelf.models import Book
from tests.shelf.watched import WatchedStore

Result = TypeVar("Result")
DEADLINE = 20.0
"""Seconds after which something that a test waits for will not come any more."""


class Elsewhere(threading.Thread):
    """Runs a function with connections of its own; `finish` returns what it returned or raises what it raised."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._function = function
        self._result: Any = None
        self._error: BaseException | None = None
        self.arrived, self._go = threading.Event(), threading.Event()

    def run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error
        finally:
            connections.close_all()
            self.arrived.set()

    def stop_here(self) -> None:
        """Say that the place has been reached, and wait to be let go on; called on this thread."""
        self.arrived.set()
        assert self._go.wait(DEADLINE), "nobody let this thread go on"

    def finish(self) -> Any:
        self._go.set()
        self.join(DEADLINE)
        assert not self.is_alive(), "the other thread does not end"
        if self._error is not None:
            raise self._error
        return self._result


@dataclasses.dataclass
class Stage:
    """``database`` is an alias; ``store`` is watched and in force."""

    database: str
    store: WatchedStore

    @property
    def connection(self) -> Any:
        return connections[self.database]

    @property
    def books(self) -> Any:
        """The uncached manager on this database."""
        return Book.objects.using(self.database)

    @property
    def cached(self) -> Any:
        """The cached manager on this database."""
        manager: Any = Book.cached
        return manager.db_manager(self.database)

    def book(self, **values: Any) -> Book:
        number = self.books.count() + 1
        made: Book = self.books.create(**{"isbn": f"isbn-{number}", **values})
        return made

    def atomic(self, **options: Any) -> Any:
        return transaction.atomic(using=self.database, **options)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Open a block that rolls back at its end."""
        with self.atomic():
            yield
            transaction.set_rollback(True, using=self.database)

    def elsewhere(self, function: Callable[[], Result]) -> Result:
        """Do something on another thread, with a connection of its own, and wait for it."""
        other = Elsewhere(function)
        other.start()
        result: Result = other.finish()
        return result

    @contextmanager
    def held(self, function: Callable[[], object], *, when: str, move: str) -> Iterator[Elsewhere]:
        """Have ``function`` run elsewhere and stop before or after its first such move of the store; it goes on when the block ends."""
        entered = threading.Event()

        def begin() -> object:
            assert entered.wait(DEADLINE)
            return function()
        other = Elsewhere(begin)
        other.start()
        getattr(self.store, when)(move, other.stop_here, thread=other.ident)
        entered.set()
        assert other.arrived.wait(DEADLINE), f"it never came to {when} {move}"
        try:
            yield other
        finally:
            other.finish()

    def asked(self, read: Callable[[], Result]) -> tuple[Result, int]:
        """Return what a read gave, and how many queries the database was asked for it."""
        with CaptureQueriesContext(self.connection) as queries:
            result = read()
        return result, len(queries)

    def version(self, pk: int) -> int:
        """Read one book through the cache; return its version."""
        found: int = self.cached.get(pk=pk).version
        return found

    def is_served(self, pk: int) -> bool:
        """Return whether a get of this book is answered without the database; what is missing is filled by that."""
        return self.served_version(pk) is not None

    def served_version(self, pk: int) -> int | None:
        """Return the version that the cache alone gives, None for a miss (which fills)."""
        book, queries = self.asked(lambda: self.cached.get(pk=pk))
        return book.version if queries == 0 else None

    def until_served(self, pk: int, *, within: float = DEADLINE) -> float:
        """Read again and again until a read is a hit; return after how many seconds."""
        began = time.monotonic()
        while self.served_version(pk) is None:
            assert time.monotonic() - began < within, f"nothing is served after {within} s"
            time.sleep(0.02)
        return time.monotonic() - began

    def warm(self, pk: int) -> None:
        """Have the book's entry stand."""
        self.cached.get(pk=pk)
        assert self.is_served(pk), "nothing is cached"
