"""The contract on the in-process store, and what is its own: bounds, eviction, fork."""

from collections.abc import Callable

import pytest

from cache_consistency.protocol.versions import is_clean, tokens
from cache_consistency.stores.memory import MemoryStore
from tests.stores.contract import ANY, FAR, KEYSPACE, LIST, ROW, Opener, StoreContract


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def open_store(self, clock: Clock) -> Opener:
        def opened(*, quarantine: float = 0.0, clean_ttl: float = 86_400.0) -> MemoryStore:
            return MemoryStore(KEYSPACE, quarantine=quarantine, clean_ttl=clean_ttl, clock=clock)
        return opened

    @pytest.fixture
    def let_pass(self, clock: Clock) -> Callable[[float], None]:
        def passing(seconds: float) -> None:
            clock.now += seconds
        return passing


def test_it_is_not_shared() -> None:
    assert not MemoryStore(KEYSPACE).shared


def test_entries_are_evicted_first_and_the_one_used_longest_ago_first_of_all() -> None:
    store = MemoryStore(KEYSPACE, max_bytes=4_000)
    store.take([ROW])
    for name in "abc":
        store.put([(name, bytes(900))], ttl=60.0)
    assert store.get(["a"]) != [None]
    store.put([("d", bytes(900))], ttl=60.0)
    assert [value is None for value in store.get(["a", "b", "c", "d"])] == [False, True, False, False]
    assert is_clean(store.get([ROW])[0])
    assert store.info().evicted_keys == 1


def test_pending_marks_and_the_epoch_are_never_evicted() -> None:
    store = MemoryStore(KEYSPACE, max_bytes=2_000)
    epoch = store.take([LIST]).epoch
    store.mark([ROW, ANY], "w1", ttl=FAR)
    for number in range(50):
        store.put([(f"e{number}", bytes(500))], ttl=60.0)
        store.take([f"cc:t:d.book:row:{number + 2}"])
    assert store.info().used_memory <= 2_000
    assert [tokens(state) for state in store.get([ROW, ANY])] == [(b"w1",), (b"w1",)]
    assert store.take([]).epoch == epoch
    assert store.get([LIST]) == [None], "clean tags go after the entries"


def test_bytes_are_accounted_for_exactly() -> None:
    clock = Clock()
    store = MemoryStore(KEYSPACE, clean_ttl=10.0, clock=clock)
    for _ in range(3):
        store.put([("e", bytes(100)), ("f", bytes(10))], ttl=5.0)
        store.take([ROW, ANY])
        store.mark([ROW], "w", ttl=FAR)
        store.resolve([ROW, ANY], "w")
    clock.now += 60.0
    store.get(["e", "f", ROW, ANY])
    assert store.info().used_memory == 0
