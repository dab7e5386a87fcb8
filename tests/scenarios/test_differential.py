"""
Every form of reading against every form of writing: what the cache says is what the database says, before, after, and once more.

Some sixty forms of each make some thousands of pairs on each database; sequences of writes in random order are more. A failure names the
write and the reads that were wrong.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.management.color import no_style
from django.db import connections
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from tests.scenarios.reads import READS, Managers, seen
from tests.scenarios.writes import WRITES
from tests.shelf.models import Atlas, Author, Book, Loan, Topic
from tests.shelf.stage import Stage

NEVER_STORED = {"iterator"}
"""Reads whose answers are not stored, as documented."""
PARTLY = {"prefetch_related", "prefetch_related backwards", "only", "defer"}
"""Reads of which Django sends further queries that do not go through the cached manager."""


def plain(database: str) -> Managers:
    def manager(model: type[Model]) -> Any:
        return model._base_manager.using(database)
    return manager


def cached(database: str) -> Managers:
    def manager(model: type[Model]) -> Any:
        found: Any = model
        return found.cached.db_manager(database)
    return manager


@pytest.fixture
def shelf(stage: Stage) -> str:
    """Twenty books, and what belongs to them, with pks from 1 on; return the alias."""
    database, connection = stage.database, connections[stage.database]
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_by_name_sql(no_style(), _sequences(connection)):
            cursor.execute(sql)
    for number in range(1, 4):
        Author.objects.using(database).create(pk=number, name=f"author {number}", rank=number)
        Topic.objects.using(database).create(pk=number, name=f"topic {number}")
    for number in range(1, 21):
        values = {
            "pk": number, "isbn": f"isbn-{number}", "title": f"title {number % 4}", "version": number % 7, "mark": "ABC"[number % 3],
            "price": Decimal(number) / 4, "author_id": number % 3 or None, "editor_id": 3 if number % 5 == 0 else None,
        }
        made = (Atlas if number % 5 == 0 else Book).objects.using(database).create(**values)
        made.topics.set([number % 3 + 1])
        Loan.objects.using(database).create(book_id=number, at=datetime.datetime(2026, 3, number % 3 + 1, 23, 30, tzinfo=datetime.UTC))
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), [Author, Topic, Book, Loan]):
            cursor.execute(sql)
    return database


def _sequences(connection: Any) -> list[dict[str, Any]]:
    return [sequence for sequence in connection.introspection.sequence_list() if sequence["table"].startswith("shelf_")]


def everything(managers: Managers) -> dict[str, Any]:
    """Return what each form of reading gives."""
    return {name: seen(read, managers) for name, read in READS.items()}


def differences(database: str, *, times: int = 2) -> list[str]:
    """Return which reads the cache answers otherwise than the database, the first time or later, when they are hits."""
    expected = everything(plain(database))
    return [
        f"{name}, time {time}:\n    cached   {got}\n    database {expected[name]}"
        for time in range(1, times + 1)
        for name, got in everything(cached(database)).items()
        if got != expected[name]
    ]


def wrong(database: str, write: Callable[[str], Any]) -> list[str]:
    """Fill the cache, write, and return what differs then."""
    everything(cached(database))
    write(database)
    return differences(database)


@pytest.mark.parametrize("name", WRITES)
def test_after_a_write_every_read_is_what_the_database_says(shelf: str, name: str) -> None:
    assert not (found := wrong(shelf, WRITES[name])), "\n".join(found)


@pytest.mark.parametrize("seed", range(4))
def test_after_any_sequence_of_writes_every_read_is_what_the_database_says(shelf: str, seed: int) -> None:
    chance = random.Random(seed)
    done: list[str] = []
    while len(done) < 6:
        name = chance.choice(list(WRITES))
        try:
            found = wrong(shelf, WRITES[name])
        except Exception as error:
            if type(error).__module__.startswith("cache_consistency"):
                raise
            continue                                                # what it needs was deleted before: no book, no topic, "new" twice
        done.append(name)
        assert not found, f"after {done}:\n" + "\n".join(found)


def test_the_reads_are_answered_by_the_cache_where_they_can_be(shelf: str) -> None:
    """Else the comparison would prove nothing."""
    assert not (found := differences(shelf)), "\n".join(found)
    asked = []
    for name, read in READS.items():
        with CaptureQueriesContext(connections[shelf]) as queries:
            seen(read, cached(shelf))
        if len(queries) and name not in NEVER_STORED | PARTLY:
            asked.append(f"{name}: {queries.captured_queries[0]['sql']}")
    assert not asked, "\n".join(asked)


def test_there_are_a_few_hundred_pairs() -> None:
    assert len(READS) * len(WRITES) > 300
