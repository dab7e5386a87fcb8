"""
A writer process: ``python -m tests.scenarios.writer <directory> <number> <seed>``, until it is told to end by SIGTERM.

Each form knows the versions it gives before it commits, writes them down as intents, and says afterwards what became of them. A writer
that is killed leaves its intents: they may have committed.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import DatabaseError, IntegrityError, connection, transaction  # noqa: E402
from django.db.models import F  # noqa: E402

from cache_consistency import events  # noqa: E402
from cache_consistency.invalidation import retry  # noqa: E402
from cache_consistency.testing.history import Outcome, Write  # noqa: E402
from cache_consistency.testing.recorder import Recorder  # noqa: E402
from tests.scenarios.models import Kept  # noqa: E402
from tests.scenarios.rows import (  # noqa: E402
    AUTHORS,
    HOT,
    OWNED,
    Intent,
    Notebook,
    Paid,
    Tally,
    Trouble,
    Unreached,
    author_key,
    book_key,
    mark_of,
)
from tests.shelf.models import Author, Book, Novel, Topic  # noqa: E402

Versions = dict[str, tuple[int, bool]]
"""What a form is about to write: version and whether the row goes, by key."""


class Undone(Exception):
    """Rolls a block back."""


class Journal:
    """Writes down what this process is about to do and what came of it."""

    def __init__(self, directory: Path) -> None:
        self.recorder, self.notes = Recorder(directory), Notebook(directory)
        self.under_way: Versions = {}
        self.owed: list[tuple[str, int]] = []
        events.subscribe(self._hear)

    @contextlib.contextmanager
    def write(self) -> Iterator[Callable[..., None]]:
        """Record what the block writes; it says what with the function it is given, before it commits."""
        self.under_way, invoked = {}, time.monotonic()

        def about_to(key: str, version: int, *, absent: bool = False) -> None:
            self.under_way[key] = (version, absent)
            self.notes.add(Intent(key, version, invoked, absent))
        outcome = Outcome.COMMITTED
        try:
            yield about_to
        except BaseException:
            outcome = Outcome.ABORTED                               # the server said so: no acknowledgement is lost in these campaigns
            raise
        finally:
            returned = time.monotonic()
            for key, (version, absent) in self.under_way.items():
                self.recorder.add(Write(key, version, invoked, returned, outcome, absent))
            self.under_way = {}

    def failed(self) -> None:
        """Nothing was written after all: the condition on the version did not hold."""
        raise Undone

    def settle(self) -> None:
        """Write down what has been paid."""
        if self.owed and not retry.queue.waiting():
            now = time.monotonic()
            self.notes.add(*(Paid(key, version, now) for key, version in self.owed))
            self.owed = []

    def _hear(self, event: events.Event) -> None:
        if event.what == "unmarked" and self.under_way:               # told before COMMIT, so also by those that are killed in it
            found = [(key, version) for key, (version, _) in self.under_way.items()]
            self.notes.add(*(Unreached(key, version) for key, version in found))
            self.owed += found


class Writer:
    def __init__(self, journal: Journal, number: int, seed: int) -> None:
        self.journal, self.random = journal, random.Random(seed)
        self.own = OWNED + number
        self.begin = journal.write

    def pk(self) -> int:
        return self.random.choice(HOT)

    def one_of(self, acts: list[Callable[[], object]]) -> None:
        self.random.choice(acts)()

    @contextlib.contextmanager
    def locked(self, *pks: int) -> Iterator[tuple[Callable[..., None], list[Book]]]:
        """Open a transaction in which these rows belong to us; those that are not there are left out."""
        with self.begin() as about_to, transaction.atomic():
            yield about_to, list(Book.objects.select_for_update().filter(pk__in=pks).order_by("pk"))

    # -- one row, locked

    def save(self) -> None:
        with self.locked(self.pk()) as (about_to, books):
            for book in books:
                raised(book, about_to)
                book.save()

    def save_proxy(self) -> None:
        with self.begin() as about_to, transaction.atomic():
            for book in Novel.objects.select_for_update().filter(pk=self.pk()):
                raised(book, about_to)
                book.save(update_fields=["version", "mark"])

    def expression(self) -> None:
        with self.locked(self.pk()) as (about_to, books):
            for book in books:
                about_to(book_key(book.pk), book.version + 1)
                Book.objects.filter(pk=book.pk).update(version=F("version") + 1, mark=mark_of(book.version + 1))

    def subquery(self) -> None:
        with self.locked(self.pk()) as (about_to, books):
            for book in books:
                raised(book, about_to)
                inner = Book.objects.filter(isbn=book.isbn).values("pk")
                Book.objects.filter(pk__in=inner).update(version=book.version, mark=book.mark)

    def raw_returning(self) -> None:
        with self.locked(self.pk()) as (about_to, books), connection.cursor() as cursor:
            for book in books:
                raised(book, about_to)
                cursor.execute("UPDATE shelf_book SET version = %s, mark = %s WHERE id = %s RETURNING version",
                               [book.version, book.mark, book.pk])  # fmt: skip
                cursor.fetchall()

    def delete_and_create(self) -> None:
        with self.locked(self.pk()) as (about_to, books):
            for book in books:
                raised(book, about_to)
                Book.objects.filter(pk=book.pk).delete()
                book.save(force_insert=True)

    def many_to_many(self) -> None:
        with self.locked(self.pk()) as (about_to, books):
            for book in books:
                raised(book, about_to)
                topics = list(Topic.objects.all())
                some = self.random.sample(topics, 2)
                self.one_of([
                    partial(book.topics.set, some), partial(book.topics.add, *some), partial(book.topics.remove, *some), book.topics.clear,
                ])  # fmt: skip
                book.save()

    def other_author(self) -> None:
        with self.locked(self.pk()) as (about_to, books):
            for book in books:
                raised(book, about_to)
                book.author_id = self.random.choice([*AUTHORS, None])
                book.save(update_fields=["version", "mark", "author"])

    # -- a row that comes and goes; while it is away its version is kept in a table that nobody caches

    def delete(self) -> None:
        with self.locked(self.pk()) as (about_to, books):
            for book in books:
                about_to(book_key(book.pk), book.version + 1, absent=True)
                Kept.objects.update_or_create(isbn=book.isbn, defaults={"version": book.version + 1})
                book.delete()

    def create(self) -> None:
        with self.begin() as about_to, transaction.atomic():
            for kept in Kept.objects.select_for_update().filter(isbn__startswith="hot-").order_by("pk")[:1]:
                pk = int(kept.isbn.removeprefix("hot-"))
                book = Book(pk=pk, isbn=kept.isbn, version=kept.version, author_id=AUTHORS[0])
                raised(book, about_to)
                kept.delete()
                self.one_of([
                    partial(book.save, force_insert=True), book.save, partial(Book.objects.bulk_create, [book], ignore_conflicts=True),
                ])  # fmt: skip

    # -- statements that are their own commit, on the condition that nobody was quicker

    def compare_and_update(self) -> None:
        def update(pk: int, version: int) -> int:
            return int(Book.objects.filter(pk=pk, version=version).update(version=version + 1, mark=mark_of(version + 1)))
        self._compare(update)

    def compare_and_execute(self) -> None:
        def execute(pk: int, version: int) -> int:
            with connection.cursor() as cursor:
                cursor.execute("UPDATE shelf_book SET version = %s, mark = %s WHERE id = %s AND version = %s",
                               [version + 1, mark_of(version + 1), pk, version])  # fmt: skip
                return int(cursor.rowcount)
        self._compare(execute)

    def compare_and_execute_many(self) -> None:
        def execute(pk: int, version: int) -> int:
            with connection.cursor() as cursor:
                cursor.executemany("UPDATE shelf_book SET version = %s, mark = %s WHERE id = %s AND version = %s",
                                   [(version + 1, mark_of(version + 1), pk, version)])  # fmt: skip
                return int(cursor.rowcount)
        self._compare(execute)

    def _compare(self, update: Callable[[int, int], int]) -> None:
        pk = self.pk()
        for version in Book.objects.filter(pk=pk).values_list("version", flat=True):
            with self.begin() as about_to:
                about_to(book_key(pk), version + 1)
                if update(pk, version) != 1:
                    self.journal.failed()

    def own_row(self) -> None:
        """Save, update, delete and create in autocommit, which only somebody who is alone with a row can know the versions of."""
        book = Book.objects.filter(pk=self.own).first() or Book(pk=self.own, isbn=f"own-{self.own}", version=self._own_version())
        Kept.objects.update_or_create(isbn=book.isbn, defaults={"version": book.version + 1})
        with self.begin() as about_to:
            if book._state.adding:
                raised(book, about_to)
                book.save(force_insert=True)
            elif self.random.random() < 0.2:
                about_to(book_key(book.pk), book.version + 1, absent=True)
                Book.objects.filter(pk=book.pk).delete()
            else:
                raised(book, about_to)
                self.random.choice([book.save, lambda: Book.objects.filter(isbn=book.isbn).update(version=book.version, mark=book.mark)])()

    def _own_version(self) -> int:
        return int(Kept.objects.filter(isbn=f"own-{self.own}").values_list("version", flat=True).first() or 0)

    # -- several rows

    def several(self) -> None:
        with self.locked(*self.random.sample(HOT, 3)) as (about_to, books):
            for book in books:
                raised(book, about_to)
                book.save()

    def bulk_update(self) -> None:
        with self.locked(*self.random.sample(HOT, 4)) as (about_to, books):
            for book in books:
                raised(book, about_to)
            Book.objects.bulk_update(books, ["version", "mark"])

    def upsert(self) -> None:
        with self.locked(*self.random.sample(HOT, 2)) as (about_to, books):
            for book in books:
                raised(book, about_to)
            fresh = [Book(isbn=book.isbn, version=book.version, mark=book.mark) for book in books]
            Book.objects.bulk_create(fresh, update_conflicts=True, unique_fields=["isbn"], update_fields=["version", "mark"])

    def crosswise(self) -> None:
        """Lock two rows in any order: PostgreSQL ends some of these as deadlocks."""
        with self.begin() as about_to, transaction.atomic():
            for pk in self.random.sample(HOT, 2):
                for book in Book.objects.select_for_update().filter(pk=pk):
                    raised(book, about_to)
                    book.save()

    def author(self) -> None:
        with self.begin() as about_to, transaction.atomic():
            author = Author.objects.select_for_update().get(pk=self.random.choice(AUTHORS))
            about_to(author_key(author.pk), author.rank + 1)
            author.rank += 1
            author.save()

    # -- what comes to nothing

    def savepoint(self) -> None:
        """Undo one row in a savepoint, commit the other."""
        with self.locked(*self.random.sample(HOT, 2)) as (about_to, books):
            for number, book in enumerate(books):
                if number:
                    raised(book, about_to)
                    book.save()
                    continue
                with contextlib.suppress(Undone), transaction.atomic():
                    Book.objects.filter(pk=book.pk).update(version=1_000_000, mark="A")
                    raise Undone

    def rollback(self) -> None:
        with self.begin(), transaction.atomic():
            Book.objects.filter(pk=self.pk()).update(version=1_000_000)
            raise Undone

    def conflict(self) -> None:
        """Run into the unique constraint, in autocommit or after another write."""
        with contextlib.suppress(IntegrityError):
            if self.random.random() < 0.5:
                Author.objects.create(name="author 1", rank=1_000_000)
            else:
                with transaction.atomic():
                    Book.objects.filter(pk=self.pk()).update(version=1_000_000)
                    Book.objects.bulk_create([Book(isbn="twice", version=1_000_000), Book(isbn="twice", version=1_000_000)])


def raised(book: Any, about_to: Callable[..., None]) -> None:
    """Give ``book`` its next version, and what hangs on it."""
    book.version += 1
    book.mark = mark_of(book.version)
    about_to(book_key(book.pk), book.version)


_HELP = {"pk", "locked", "one_of"}
FORMS = tuple(name for name, member in vars(Writer).items() if callable(member) and not name.startswith("_") and name not in _HELP)


def main(directory: Path, number: int, seed: int) -> None:
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, frame: ended.append(signum))
    journal = Journal(directory)
    writer, done = Writer(journal, number, seed), dict.fromkeys(FORMS, 0)
    while not ended:
        form = writer.random.choice(FORMS)
        try:
            getattr(writer, form)()
        except Undone:
            pass
        except DatabaseError as error:
            if not any(text in str(error) for text in ("deadlock detected", "database is locked")):
                journal.notes.add(Trouble(f"write {form}", repr(error)))
        except Exception as error:  # it is what the campaign looks for
            journal.notes.add(Trouble(f"write {form}", repr(error)))
        done[form] += 1
        if connection.in_atomic_block or not connection.get_autocommit():
            journal.notes.add(Trouble(f"write {form}", "the connection is left in a transaction"))
        journal.settle()
        time.sleep(writer.random.random() * 0.06)                     # so that an entry lives for some reads
    until = time.monotonic() + 8
    while journal.owed and time.monotonic() < until:
        time.sleep(0.05)
        journal.settle()
    journal.notes.add(*(Tally(form, times) for form, times in done.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
