"""The service: what a commit costs the store, and what it owes it."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import pytest

from cache_consistency import events, stores
from cache_consistency.exceptions import TooManyWriters
from cache_consistency.stores import MemoryStore
from tests.reading.desk import Desk
from tests.reading.models import Stranger, Thing


class Counting(MemoryStore):
    moves: collections.Counter[str]
    forget_marks = False

    def mark(self, tags: Sequence[str], token: str, *, ttl: float) -> None:
        self.moves["mark"] += 1
        if not self.forget_marks:
            super().mark(tags, token, ttl=ttl)

    def resolve(self, tags: Sequence[str], token: str) -> int:
        self.moves["resolve"] += 1
        return super().resolve(tags, token)


@pytest.fixture
def counting(make_desk: Any) -> Any:
    desk: Desk = make_desk(store="memory")
    desk.store = Counting(desk.store.keyspace)
    desk.store.moves = collections.Counter()
    with stores.override(desk.store):
        yield desk


def test_a_transaction_costs_one_mark_and_one_resolve_however_many_rows(counting: Desk) -> None:
    moves = counting.store.moves  # type: ignore[attr-defined]
    with counting.atomic():
        for number in range(20):
            counting.thing(str(number))
        counting.plain().update(stock=1)
        assert not moves
    assert moves == {"mark": 1, "resolve": 1}


def test_what_rolls_back_what_only_reads_and_what_nobody_caches_costs_nothing(counting: Desk) -> None:
    thing = counting.thing("a")
    moves = counting.store.moves  # type: ignore[attr-defined]
    moves.clear()
    with counting.rolled_back():
        thing.save()
    with counting.atomic():
        list(counting.plain().all())
    counting.plain(Stranger).create(thing=thing, text="x")
    assert not moves


def test_an_autocommit_write_costs_one_of_each_too(counting: Desk) -> None:
    thing = counting.thing("a")
    moves = counting.store.moves  # type: ignore[attr-defined]
    moves.clear()
    thing.save()
    assert moves == {"mark": 1, "resolve": 1}


class Crowded(MemoryStore):
    """Has too many writers for the first ``busy`` marks."""

    busy = 0
    refusals = 0

    def mark(self, tags: Sequence[str], token: str, *, ttl: float) -> None:
        if self.refusals < self.busy:
            self.refusals += 1
            raise TooManyWriters("a tag already has 64 writers")
        super().mark(tags, token, ttl=ttl)


def test_a_writer_waits_a_moment_for_its_place_among_many(make_desk: Any) -> None:
    desk: Desk = make_desk(store="memory", TIMEOUT=60)
    with stores.override(Crowded(desk.store.keyspace)) as crowded:
        assert isinstance(crowded, Crowded)
        crowded.busy = 3
        desk.thing("a")
        assert crowded.refusals == 3
    assert events.total("unmarked") == 0


def test_a_writer_that_finds_no_place_in_time_commits_without_its_mark(make_desk: Any) -> None:
    desk: Desk = make_desk(store="memory", TIMEOUT=0.01)
    with stores.override(Crowded(desk.store.keyspace)) as crowded:
        assert isinstance(crowded, Crowded)
        crowded.busy = 1_000_000
        desk.thing("a")
        assert 1 <= crowded.refusals < 1_000
    assert events.total("unmarked", outcome="TooManyWriters") == 1
    assert desk.plain().count() == 1


def test_marks_that_somebody_deletes_are_noticed_at_the_resolve(counting: Desk) -> None:
    counting.store.forget_marks = True  # type: ignore[attr-defined]
    counting.thing("a")
    assert events.total("lost_marks") == 1
    assert Thing.objects.using(counting.alias).count() == 1
