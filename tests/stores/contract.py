"""What every store must do, whatever it is made of: `StoreContract` runs on memory, on fakeredis and on a real redis-server."""

import asyncio
import secrets
import threading
from collections.abc import Callable
from typing import Protocol

import pytest

from cache_consistency import events
from cache_consistency.exceptions import StoreError, TooManyWriters
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.protocol.versions import EPOCH_LENGTH, STATE_LENGTH, is_clean, tokens
from cache_consistency.stores.base import MAX_TOKENS, MAX_VALUE, Store

KEYSPACE = Keyspace("cc")
ROW, LIST, ANY = "cc:t:d.book:row:1", "cc:t:d.book:col:a=1", "cc:t:d.book:any"
FAR = 10_000.0


class Opener(Protocol):
    """Opens a store that is empty when first opened; opened again, the same one with other options."""

    def __call__(self, *, quarantine: float = 0.0, clean_ttl: float = 86_400.0) -> Store: ...


def token() -> str:
    return secrets.token_hex(8)


class StoreContract:
    """A subclass gives the fixtures ``open_store``, an `Opener`, and ``let_pass``, which lets so many seconds pass on the store's clock."""

    @pytest.fixture
    def store(self, open_store: Opener) -> Store:
        return open_store()

    def test_what_is_not_there_is_none_and_the_order_of_the_keys_is_kept(self, store: Store) -> None:
        store.put([("cc:e:1", b"one"), ("cc:e:2", b"\x00\r\n\xff")], ttl=60.0)
        assert store.get(["cc:e:2", "cc:e:0", "cc:e:1", KEYSPACE.epoch]) == [b"\x00\r\n\xff", None, b"one", None]

    def test_asked_in_an_event_loop_it_says_the_same(self, store: Store) -> None:
        store.put([("cc:e:1", b"one"), ("cc:e:2", b"\x00\r\n\xff")], ttl=60.0)
        store.take([ROW])
        store.mark([ANY], "w1", ttl=FAR)
        keys = ["cc:e:2", "cc:e:0", "cc:e:1", ROW, ANY, KEYSPACE.epoch]

        async def ask() -> list[list[bytes | None]]:
            return [await store.aget(keys), *await asyncio.gather(*(store.aget([key]) for key in keys))]
        together, *single = asyncio.run(ask())
        assert together == store.get(keys)
        assert [value for values in single for value in values] == together

    def test_take_makes_clean_states_of_a_fixed_width(self, store: Store) -> None:
        taken = store.take([ROW, ANY])
        assert taken.storable
        assert len(taken.epoch) == EPOCH_LENGTH
        assert [len(state) for state in taken.states] == [STATE_LENGTH, STATE_LENGTH]
        assert all(map(is_clean, taken.states))

    def test_what_take_answers_is_what_get_reads(self, store: Store) -> None:
        taken = store.take([ROW, ANY])
        *states, epoch = store.get([ROW, ANY, KEYSPACE.epoch])
        assert tuple(states) == taken.states
        assert epoch is not None
        assert epoch.startswith(taken.epoch + b":")

    def test_take_of_clean_tags_changes_nothing(self, store: Store) -> None:
        assert store.take([ROW, ANY]) == store.take([ROW, ANY])

    def test_take_of_no_tags_makes_the_epoch(self, store: Store) -> None:
        assert store.take([]).states == ()
        assert store.get([KEYSPACE.epoch]) != [None]

    def test_a_marked_tag_is_pending_over_the_version_that_stood(self, store: Store) -> None:
        (before,) = store.take([ROW]).states
        store.mark([ROW, LIST], "w1", ttl=FAR)
        row, absent = store.get([ROW, LIST])
        assert row is not None
        assert row.startswith(b"p" + before[1:] + b";w1,")
        assert absent is not None
        assert absent.startswith(b"p;w1,")
        taken = store.take([ROW, LIST, ANY])
        assert not taken.storable
        assert [is_clean(state) for state in taken.states] == [False, False, True]

    def test_marking_twice_with_one_token_is_marking_once(self, store: Store) -> None:
        store.mark([ROW], "w1", ttl=FAR)
        store.mark([ROW], "w1", ttl=FAR)
        assert tokens(store.get([ROW])[0]) == (b"w1",)
        assert store.resolve([ROW], "w1") == 1
        assert is_clean(store.get([ROW])[0])

    def test_resolve_gives_a_version_that_never_was(self, store: Store) -> None:
        seen = set(store.take([ROW]).states)
        for _ in range(20):
            store.mark([ROW], "w1", ttl=FAR)
            assert store.resolve([ROW], "w1") == 1
            (state,) = store.get([ROW])
            assert is_clean(state)
            assert state is not None
            assert len(state) == STATE_LENGTH
            assert state not in seen
            seen.add(state)

    def test_resolve_with_a_token_that_does_not_stand_gives_a_new_version_and_counts_none(self, store: Store) -> None:
        (before,) = store.take([ROW]).states
        assert store.resolve([ROW, LIST], "nobody") == 0
        after, absent = store.get([ROW, LIST])
        assert is_clean(after)
        assert after != before
        assert absent is None, "an absent tag stays absent"

    def test_a_tag_is_clean_only_when_the_last_of_its_writers_has_resolved(self, store: Store) -> None:
        store.mark([ROW], "w1", ttl=FAR)
        store.mark([ROW], "w2", ttl=FAR)
        assert tokens(store.get([ROW])[0]) == (b"w1", b"w2")
        assert store.resolve([ROW], "w1") == 1
        assert tokens(store.get([ROW])[0]) == (b"w2",)
        assert not store.take([ROW]).storable
        assert store.resolve([ROW], "w2") == 1
        assert store.take([ROW]).storable

    def test_a_lost_mark_shows_in_what_resolve_counts(self, store: Store) -> None:
        store.mark([ROW], "w1", ttl=FAR)
        assert store.resolve([ROW, ANY], "w1") == 1

    def test_readers_ignore_a_token_whose_deadline_has_passed(self, store: Store, let_pass: Callable[[float], None]) -> None:
        (before,) = store.take([ROW]).states
        store.mark([ROW], "w1", ttl=0.02)
        assert not store.take([ROW]).storable
        let_pass(0.03)
        taken = store.take([ROW])
        assert taken.storable
        assert taken.states[0] != before, "its writer may have committed"

    def test_of_two_tokens_the_one_that_is_over_is_pruned_and_the_base_is_new(
        self, store: Store, let_pass: Callable[[float], None]
    ) -> None:
        (before,) = store.take([ROW]).states
        store.mark([ROW], "dead", ttl=0.02)
        store.mark([ROW], "slow", ttl=FAR)
        let_pass(0.03)
        (state,) = store.take([ROW]).states
        assert tokens(state) == (b"slow",)
        assert not state.startswith(b"p" + before[1:])

    def test_a_sticky_token_stays_until_it_is_resolved(self, store: Store, let_pass: Callable[[float], None]) -> None:
        store.mark([ROW], "w1", ttl=0)
        let_pass(0.05)
        assert not store.take([ROW]).storable
        assert store.resolve([ROW], "w1") == 1
        assert store.take([ROW]).storable

    def test_a_clean_tag_goes_after_its_time_and_take_renews_it_below_half(
        self, open_store: Opener, let_pass: Callable[[float], None]
    ) -> None:
        store = open_store(clean_ttl=0.5)
        (first,) = store.take([ROW]).states
        let_pass(0.3)
        assert store.take([ROW]).states == (first,)
        let_pass(0.3)
        assert store.get([ROW]) == [first], "renewed"
        let_pass(0.6)
        assert store.get([ROW]) == [None]
        assert store.take([ROW]).states != (first,)

    def test_a_pending_tag_has_no_time_to_live(self, open_store: Opener, let_pass: Callable[[float], None]) -> None:
        store = open_store(clean_ttl=0.1)
        store.take([ROW])
        store.mark([ROW], "w1", ttl=FAR)
        let_pass(0.2)
        assert tokens(store.get([ROW])[0]) == (b"w1",)
        store.resolve([ROW], "w1")
        let_pass(0.2)
        assert store.get([ROW]) == [None], "clean again, it has one"

    def test_one_more_writer_than_a_tag_can_hold_is_refused_and_nothing_is_half_marked(self, store: Store) -> None:
        for number in range(MAX_TOKENS):
            store.mark([ANY], f"w{number}", ttl=FAR)
        before = store.get([ROW, ANY])
        with pytest.raises(TooManyWriters):
            store.mark([ROW, ANY], "one too many", ttl=FAR)
        assert store.get([ROW, ANY]) == before
        store.mark([ANY], "w7", ttl=FAR)
        assert len(tokens(store.get([ANY])[0])) == MAX_TOKENS, "who is in may mark again"
        store.resolve([ANY], "w3")
        store.mark([ROW, ANY], "now there is room", ttl=FAR)

    def test_dead_writers_do_not_fill_up_a_tag_that_nobody_reads(self, store: Store, let_pass: Callable[[float], None]) -> None:
        (before,) = store.take([ANY]).states
        for number in range(MAX_TOKENS):
            store.mark([ANY], f"w{number}", ttl=0.02)
        let_pass(0.03)
        store.mark([ANY], "alive", ttl=FAR)
        assert tokens(store.get([ANY])[0]) == (b"alive",)
        store.resolve([ANY], "alive")
        assert store.get([ANY]) != [before]

    def test_an_entry_goes_after_its_time(self, store: Store, let_pass: Callable[[float], None]) -> None:
        store.put([("cc:e:short", b"1")], ttl=0.05)
        store.put([("cc:e:long", b"2")], ttl=60.0)
        let_pass(0.1)
        assert store.get(["cc:e:short", "cc:e:long"]) == [None, b"2"]

    def test_an_entry_that_is_too_big_is_left_out_and_counted(self, store: Store) -> None:
        before = events.total("store_refused", outcome="too_big")
        store.put([("cc:e:big", bytes(MAX_VALUE + 1)), ("cc:e:just", bytes(MAX_VALUE))], ttl=60.0)
        big, just = store.get(["cc:e:big", "cc:e:just"])
        assert big is None
        assert just is not None
        assert events.total("store_refused", outcome="too_big") == before + 1

    def test_of_many_askers_one_gets_the_lease_until_it_is_over(self, store: Store, let_pass: Callable[[float], None]) -> None:
        assert [store.lease("cc:l:x:1", ttl=0.1) for _ in range(3)] == [True, False, False]
        assert store.lease("cc:l:x:2", ttl=0.1)
        let_pass(0.2)
        assert store.lease("cc:l:x:1", ttl=0.1)

    def test_a_fresh_epoch_stores_nothing_until_the_quarantine_is_over(
        self, open_store: Opener, let_pass: Callable[[float], None]
    ) -> None:
        store = open_store(quarantine=0.2)
        assert not store.take([ROW]).storable
        let_pass(0.3)
        assert store.take([ROW]).storable
        assert 0.3 <= store.epoch().age < 60.0

    def test_the_epoch_is_the_one_that_take_tells(self, store: Store) -> None:
        epoch = store.epoch()
        assert epoch.id.encode() == store.take([ROW]).epoch
        assert epoch == type(epoch)(id=epoch.id, age=epoch.age, generation=store.epoch().generation)

    def test_a_new_epoch_is_another_one_without_a_quarantine(self, open_store: Opener, let_pass: Callable[[float], None]) -> None:
        store = open_store(quarantine=0.2)
        first = store.take([ROW])
        let_pass(0.3)
        store.mark([LIST], "w1", ttl=FAR)
        new = store.new_epoch()
        assert new.id.encode() != first.epoch
        assert new.age >= 0.3
        taken = store.take([ROW])
        assert taken.epoch == new.id.encode()
        assert taken.storable
        assert taken.states == first.states
        assert tokens(store.get([LIST])[0]) == (b"w1",), "marks stand"

    def test_a_new_epoch_does_not_end_a_quarantine_that_runs(self, open_store: Opener) -> None:
        store = open_store(quarantine=60.0)
        store.take([])
        store.new_epoch()
        assert not store.take([ROW]).storable

    def test_an_answer_that_nobody_waits_for_comes_with_the_next_use(self, store: Store) -> None:
        answers: list[int | StoreError] = []
        store.mark([ROW, ANY], "w1", ttl=FAR)
        store.resolve_soon([ROW, ANY], "w1", answers.append)
        assert all(map(is_clean, store.get([ROW, ANY])))
        assert answers == [2]

    def test_answers_that_nobody_waits_for_can_be_asked_for(self, store: Store) -> None:
        answers: list[int | StoreError] = []
        for number in range(3):
            store.mark([ROW, ANY], f"w{number}", ttl=FAR)
            store.resolve_soon([ROW, ANY], f"w{number}", answers.append)
        store.flush_replies()
        assert answers == [2, 2, 2]
        store.flush_replies()
        assert answers == [2, 2, 2]

    def test_a_callback_may_use_the_store_and_one_that_fails_disturbs_nobody(self, store: Store) -> None:
        seen: list[bytes | None] = []

        def fail(answer: int | StoreError) -> None:
            raise RuntimeError("of no concern to the next command")

        store.take([ROW, LIST])
        for callback in (lambda answer: seen.extend(store.get([LIST])), fail):
            store.mark([ROW], "w1", ttl=FAR)
            store.resolve_soon([ROW], "w1", callback)
            assert is_clean(store.get([ROW])[0])
        assert len(seen) == 1

    def test_threads_do_not_read_each_others_replies(self, store: Store) -> None:
        store.put([(f"cc:e:{number}", str(number).encode()) for number in range(8)], ttl=60.0)
        wrong: list[object] = []

        def reader(number: int) -> None:
            for _ in range(100):
                found = store.get([f"cc:e:{number}", f"cc:e:{(number + 1) % 8}"])
                if found != [str(number).encode(), str((number + 1) % 8).encode()]:
                    wrong.append(found)
        threads = [threading.Thread(target=reader, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_writers_in_threads_leave_every_tag_clean(self, store: Store) -> None:
        counts: list[int] = []

        def writer(number: int) -> None:
            for attempt in range(25):
                store.mark([ROW, ANY], f"{number}-{attempt}", ttl=FAR)
                counts.append(store.resolve([ROW, ANY], f"{number}-{attempt}"))
        threads = [threading.Thread(target=writer, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counts == [2] * 100
        assert store.take([ROW, ANY]).storable

    def test_after_it_was_forgotten_a_store_goes_on(self, store: Store) -> None:
        store.mark([ROW], "w1", ttl=FAR)
        store.forget()
        assert tokens(store.get([ROW])[0]) == (b"w1",)

    def test_what_it_says_about_itself_is_of_use_to_the_checks(self, store: Store) -> None:
        info = store.info()
        assert info.kind in {"redis", "memory"}
        assert info.is_master
        assert info.used_memory >= 0
