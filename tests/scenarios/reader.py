"""A reader process: ``python -m tests.scenarios.reader <directory> <seed>``, until it is told to end by SIGTERM."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import django

django.setup()

from cache_consistency import events  # noqa: E402
from cache_consistency.testing.history import Read  # noqa: E402
from cache_consistency.testing.recorder import Recorder  # noqa: E402
from tests.scenarios.rows import AUTHORS, HOT, MARKS, OWNED, Counted, Gap, Notebook, Tally, Trouble, author_key, book_key  # noqa: E402
from tests.shelf.models import Author, Book  # noqa: E402


class Span:
    """When a read was under way, and whether the cache alone answered it."""

    def __init__(self) -> None:
        self._before = _misses()
        self.invoked = time.monotonic()
        self.returned = 0.0
        self.hit = False

    def end(self) -> None:
        self.returned = time.monotonic()
        self.hit = _misses() == self._before


def _misses() -> int:
    return sum(n for (what, _, _), n in events.totals().items() if what in {"miss", "bypass"})


class Reader:
    def __init__(self, directory: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.recorder, self.notes = Recorder(directory), Notebook(directory)
        self.loop = asyncio.new_event_loop()
        self.session = f"reader {seed} {time.monotonic_ns()}"

    def pk(self) -> int:
        return self.random.choice((*HOT, OWNED, OWNED + 1))

    def saw(self, span: Span, versions: Iterable[tuple[str, int | None]]) -> None:
        for key, version in versions:
            self.recorder.add(Read(key, version, span.invoked, span.returned, self.session, span.hit))

    def saw_all_but(self, span: Span, mark: str, books: Iterable[tuple[int, int]]) -> None:
        """Record a list of books (pk and version each) that holds every hot one with ``mark`` ("": all of them)."""
        found = dict(books)
        self.saw(span, ((book_key(pk), version) for pk, version in found.items()))
        self.notes.add(*(Gap(book_key(pk), mark, span.invoked, span.returned, span.hit) for pk in HOT if pk not in found))

    # -- one row

    def get(self) -> None:
        pk, span = self.pk(), Span()
        self._one(span, pk, lambda: Book.cached.get(pk=pk))

    def get_by_lookup(self) -> None:
        pk, span = self.pk(), Span()
        self._one(span, pk, lambda: Book.cached.get(isbn=isbn_of(pk)))

    def aget(self) -> None:
        pk, span = self.pk(), Span()
        self._one(span, pk, lambda: self.loop.run_until_complete(Book.cached.aget(pk=pk)))

    def values_of_one(self) -> None:
        pk, span = self.pk(), Span()
        found = Book.cached.filter(pk=pk).values_list("version", flat=True).first()
        span.end()
        self.saw(span, [(book_key(pk), found)])

    def _one(self, span: Span, pk: int, read: Any) -> None:
        try:
            version = read().version
        except Book.DoesNotExist:
            version = None
        span.end()
        self.saw(span, [(book_key(pk), version)])

    def author(self) -> None:
        pk, span = self.random.choice(AUTHORS), Span()
        rank = Author.cached.get(pk=pk).rank
        span.end()
        self.saw(span, [(author_key(pk), rank)])

    # -- several rows

    def get_many(self) -> None:
        pks, span = self.random.sample(HOT, 6), Span()
        found = Book.cached.get_many(pks)
        span.end()
        self.saw(span, ((book_key(pk), found[pk].version if pk in found else None) for pk in pks))

    def list_by_lookup(self) -> None:
        mark, span = self.random.choice(MARKS), Span()
        books = [(book.pk, book.version) for book in Book.cached.filter(mark=mark).order_by("pk")]
        span.end()
        self.saw_all_but(span, mark, books)

    def values_by_lookup(self) -> None:
        mark, span = self.random.choice(MARKS), Span()
        books = list(Book.cached.filter(mark=mark).values_list("pk", "version"))
        span.end()
        self.saw_all_but(span, mark, books)

    def list_by_range(self) -> None:
        span = Span()
        books = [(book.pk, book.version) for book in Book.cached.filter(pk__lte=HOT[-1], version__gte=0).order_by("-version")]
        span.end()
        self.saw_all_but(span, "", books)

    def list_joined(self) -> None:
        span = Span()
        books = list(Book.cached.filter(mark=MARKS[0]).select_related("author"))
        span.end()
        self.saw_all_but(span, MARKS[0], ((book.pk, book.version) for book in books))
        self.saw(span, dict.fromkeys((author_key(book.author.pk), book.author.rank) for book in books if book.author))

    def list_by_topic(self) -> None:
        span = Span()
        books = list(Book.cached.filter(topics=self.random.choice((1, 2, 3))))
        span.end()
        self.saw(span, ((book_key(book.pk), book.version) for book in books))

    def count(self) -> None:
        mark, span = self.random.choice(MARKS), Span()
        number = Book.cached.filter(mark=mark, pk__lte=HOT[-1]).count()
        span.end()
        self.notes.add(Counted(mark, number, span.invoked, span.returned, span.hit))


def isbn_of(pk: int) -> str:
    return f"hot-{pk}" if pk in HOT else f"own-{pk}"


FORMS = ("get", "get", "get_by_lookup", "aget", "values_of_one", "author", "get_many", "list_by_lookup", "values_by_lookup",
         "list_by_range", "list_joined", "list_by_topic", "count")  # fmt: skip


def main(directory: Path, seed: int) -> None:
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, frame: ended.append(signum))
    reader, done = Reader(directory, seed), dict.fromkeys(FORMS, 0)
    while not ended:
        form = reader.random.choice(FORMS)
        try:
            getattr(reader, form)()
        except Exception as error:  # it is what the campaign looks for
            reader.notes.add(Trouble(f"read {form}", repr(error)))
        done[form] += 1
    reader.notes.add(*(Tally(f"read {form}", times) for form, times in done.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
