"""What is owed to the store: it is paid when the store is back, and until then nobody here is served the past."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from cache_consistency import events, explain, stores
from cache_consistency.capture import state
from cache_consistency.exceptions import StoreRefused, StoreUnavailable
from cache_consistency.invalidation import retry
from cache_consistency.invalidation.retry import Debt, RetryQueue
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.stores import MemoryStore
from tests.reading.desk import Desk, Read
from tests.reading.models import Thing


class Away(MemoryStore):
    """Does not answer while ``away``."""

    def __init__(self, keyspace: Keyspace) -> None:
        super().__init__(keyspace)
        self.away = False
        self.epochs = 0
        self.refused: set[str] = set()
        self.resolved = threading.Event()
        self.before_epoch_answer: Callable[[], object] = lambda: None

    def _answer(self) -> None:
        if self.away:
            raise StoreUnavailable("away")

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        self._answer()
        return super().get(keys)

    def take(self, tags: Sequence[str]) -> Any:
        self._answer()
        return super().take(tags)

    def put(self, entries: Sequence[tuple[str, bytes]], *, ttl: float) -> None:
        self._answer()
        super().put(entries, ttl=ttl)

    def mark(self, tags: Sequence[str], token: str, *, ttl: float) -> None:
        self._answer()
        super().mark(tags, token, ttl=ttl)

    def resolve(self, tags: Sequence[str], token: str) -> int:
        self._answer()
        if token in self.refused:
            raise StoreRefused("no")
        found = super().resolve(tags, token)
        self.resolved.set()
        return found

    def new_epoch(self) -> Any:
        self._answer()
        self.epochs += 1
        made = super().new_epoch()
        self.before_epoch_answer()
        return made


@pytest.fixture
def away(make_desk: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk whose store can be taken away; nothing is paid by itself unless a test says so."""
    desk: Desk = make_desk(store="memory")
    monkeypatch.setattr(RetryQueue, "_work", lambda self: None)
    desk.store = Away(desk.store.keyspace)
    with stores.override(desk.store):
        yield desk
    retry.queue.forget()


def test_a_writer_commits_without_the_store_and_owes_the_resolve(away: Desk) -> None:
    desk, store = away, _store(away)
    thing = desk.thing("a")
    read: Read = lambda: desk.cached().get(pk=thing.pk).stock  # noqa: E731
    desk.warm(read)
    store.away = True
    desk.plain().filter(pk=thing.pk).update(stock=5)
    assert retry.queue.waiting() == 1
    assert desk.plain().get().stock == 5
    assert (events.total("unmarked"), events.total("owed", outcome="unmarked")) == (1, 1)
    store.away = False
    assert desk.missed(read) == 5, "the entry stands, but this process owes the table and asks the database"
    assert desk.missed(read) == 5
    assert "owes" in explain(thing).reason
    assert retry.queue.pay()
    assert retry.queue.waiting() == 0
    assert desk.missed(read) == 5
    assert desk.hit(read) == 5


def _store(desk: Desk) -> Away:
    assert isinstance(desk.store, Away)
    return desk.store


def test_a_mark_that_stands_keeps_everybody_safe_until_the_resolve_is_paid(away: Desk) -> None:
    desk, store = away, _store(away)
    thing = desk.thing("a")
    desk.warm(lambda: desk.cached().get(pk=thing.pk))
    with desk.atomic():
        desk.plain().filter(pk=thing.pk).update(stock=5)
        inner = store.mark

        def mark_and_vanish(*args: Any, **kwargs: Any) -> None:
            inner(*args, **kwargs)
            store.away = True
        store.mark = mark_and_vanish  # type: ignore[method-assign]
    assert events.total("owed", outcome="marked") == 1
    store.away = False
    state.withhold(frozenset())                                     # as another process would ask
    assert desk.missed(lambda: desk.cached().get(pk=thing.pk)).stock == 5
    assert retry.queue.pay()
    assert desk.missed(lambda: desk.cached().get(pk=thing.pk)).stock == 5
    assert desk.hit(lambda: desk.cached().get(pk=thing.pk)).stock == 5


def test_other_tables_are_served_meanwhile(away: Desk) -> None:
    desk, store = away, _store(away)
    desk.thing("a")
    maker = desk.maker()
    from tests.reading.models import Maker

    desk.warm(lambda: desk.cached(Maker).get(pk=maker.pk))
    store.away = True
    desk.plain().update(stock=1)
    store.away = False
    desk.hit(lambda: desk.cached(Maker).get(pk=maker.pk))
    desk.never_cached(lambda: desk.cached().count())
    desk.never_cached(lambda: list(desk.cached().filter(maker__name="x")))


def test_debts_are_paid_by_themselves_when_the_store_is_back(make_desk: Any) -> None:
    desk: Desk = make_desk(store="memory")
    store = Away(desk.store.keyspace)
    with stores.override(store):
        thing = desk.thing("a")
        store.resolved.clear()
        store.away = True
        desk.plain().filter(pk=thing.pk).update(stock=5)
        worker = retry.queue._thread
        assert worker is not None
        store.away = False
        assert store.resolved.wait(20)
        worker.join(20)
        assert retry.queue.waiting() == 0
        assert not worker.is_alive(), "a thread lives only while there is something to do"
        desk.missed(lambda: desk.cached().get(pk=thing.pk))
        desk.hit(lambda: desk.cached().get(pk=thing.pk))


def test_a_failed_payment_leaves_the_debt(away: Desk) -> None:
    store = _store(away)
    store.away = True
    away.thing("a")
    assert not retry.queue.pay()
    assert retry.queue.waiting() == 1


def test_debts_are_paid_in_their_order_each_under_its_own_token(away: Desk) -> None:
    store, paid = _store(away), list[str]()
    store.away = True
    for slug in ("a", "b", "c"):
        away.thing(slug)
    store.away = False
    inner = store.resolve

    def resolve(tags: Sequence[str], token: str) -> int:
        paid.append(token)
        return inner(tags, token)
    store.resolve = resolve  # type: ignore[method-assign]
    tokens = [debt.token for debt in retry.queue._debts]
    assert retry.queue.pay()
    assert paid == tokens
    assert len(set(paid)) == 3


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "CAPACITY", 2)


def test_too_many_debts_become_a_new_epoch(away: Desk, small: None) -> None:
    desk, store = away, _store(away)
    things = [desk.thing(slug) for slug in "abcd"]
    for thing in things:
        desk.warm(desk.cached().get, pk=thing.pk)
    store.away = True
    for thing in things:
        desk.plain().filter(pk=thing.pk).update(stock=5)
    assert retry.queue.waiting() == 3
    store.away = False
    assert retry.queue.pay()
    assert (store.epochs, retry.queue.waiting(), state.withheld) == (1, 0, frozenset())
    assert events.total("retry", outcome="epoch") == 1
    for thing in things:
        assert desk.missed(desk.cached().get, pk=thing.pk).stock == 5


def test_what_is_given_up_while_the_epoch_is_on_its_way_needs_another_one(small: None) -> None:
    """t=0 a new epoch is made; t=1 before its answer a debt overflows, of a commit after it; the epoch has not paid for that one."""
    store = Away(Keyspace("x"))
    queue = RetryQueue()
    queue._work = lambda: None  # type: ignore[method-assign]

    def owe() -> None:
        queue.owe(Debt(store, ("x:t:1.table:any",), "t", frozenset({"table"})))

    for _ in range(3):
        owe()
    store.before_epoch_answer = lambda: owe() if store.epochs == 1 else None
    assert queue.pay()
    assert store.epochs == 2
    assert state.withheld == frozenset()


def test_tables_of_debts_that_were_given_up_are_withheld_until_the_epoch_is_new(small: None) -> None:
    store = Away(Keyspace("x"))
    queue = RetryQueue()
    queue._work = lambda: None  # type: ignore[method-assign]
    store.away = True
    for table in ("one", "two", "three"):
        queue.owe(Debt(store, (f"x:t:1.{table}:any",), table, frozenset({table})))
    assert state.withheld is None, "what was given up is not known by name any more: all of them"
    assert not queue.pay()
    assert state.withheld is None
    store.away = False
    assert queue.pay()
    assert state.withheld == frozenset()


def of(table: str, store: Away) -> Debt:
    return Debt(store, (f"x:t:1.{table}:any",), table, frozenset({table}))


def test_a_debt_that_is_refused_lets_the_others_be_paid() -> None:
    store, queue = Away(Keyspace("x")), RetryQueue()
    queue._work = lambda: None  # type: ignore[method-assign]
    store.refused = {"one", "three"}
    for table in ("one", "two", "three", "four"):
        queue.owe(of(table, store))
    assert not queue.pay()
    assert state.withheld == frozenset({"one", "three"})
    store.refused = {"one"}
    assert not queue.pay()
    assert state.withheld == frozenset({"one"})
    store.refused = set()
    assert queue.pay()
    assert (queue.waiting(), state.withheld) == (0, frozenset())


def test_an_epoch_that_is_refused_lets_single_debts_be_paid(small: None) -> None:
    store, queue = Away(Keyspace("x")), RetryQueue()
    queue._work = lambda: None  # type: ignore[method-assign]
    for table in ("one", "two", "three"):
        queue.owe(of(table, store))

    def refuse() -> None:
        raise StoreRefused("no")
    store.before_epoch_answer = refuse
    assert not queue.pay()
    assert (queue.waiting(), len(queue._debts)) == (1, 0)
    store.before_epoch_answer = lambda: None
    assert queue.pay()


def test_debts_are_paid_as_soon_as_somebody_finds_the_store_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 600.0)
    store, queue = Away(Keyspace("x")), RetryQueue()
    monkeypatch.setattr(retry, "queue", queue)
    store.away, asked = True, threading.Event()

    def ask() -> None:
        asked.set()
        if store.away:
            raise StoreUnavailable("away")
    monkeypatch.setattr(store, "_answer", ask)
    queue.owe(of("one", store))
    assert asked.wait(20)
    store.away = False
    events.emit(events.Event("store_up"))
    assert store.resolved.wait(20)


def test_a_forked_child_owes_nothing_and_withholds_nothing(away: Desk) -> None:
    _store(away).away = True
    away.thing("a")
    assert state.withheld
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:                                                   # pragma: no cover  # another process
        os.write(writing, f"{retry.queue.waiting()} {len(state.withheld or ())}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"0 0"
    os.close(reading)
    os.close(writing)
    assert retry.queue.waiting() == 1


def test_a_worker_that_died_is_replaced(away: Desk) -> None:
    _store(away).away = True
    away.thing("a")
    worker = retry.queue._thread
    assert worker is not None
    worker.join(20)
    away.thing("b")
    assert retry.queue._thread is not worker


def test_a_process_that_ends_tries_once_more(away: Desk, caplog: pytest.LogCaptureFixture) -> None:
    store = _store(away)
    store.away = True
    away.thing("a")
    retry._last_try()
    assert "owing the store 1" in caplog.text
    store.away = False
    retry._last_try()
    assert retry.queue.waiting() == 0
    assert Thing.objects.using(away.alias).count() == 1
