"""The scripts on a real server: forgotten scripts, executions that happen twice, memory that is full."""

import secrets

import pytest
import redis

from cache_consistency.exceptions import StoreError, StoreRefused
from cache_consistency.protocol.versions import STATE_LENGTH, is_clean, tokens
from cache_consistency.stores.scripts import script
from cache_consistency.testing.servers import RedisServer
from tests.stores.conftest import store_at
from tests.stores.contract import ANY, FAR, KEYSPACE, LIST, ROW


def test_forgotten_scripts_are_sent_again(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    for move in (
        lambda: store.take([ROW]),
        lambda: store.mark([ROW], "w1", ttl=FAR),
        lambda: store.epoch(),
        lambda: store.new_epoch(),
    ):
        raw.script_flush()
        move()
    raw.script_flush()
    assert store.resolve([ROW], "w1") == 1, "a script that is sent twice was executed once"


def test_a_forgotten_script_whose_answer_nobody_waits_for_is_executed_all_the_same(own_server: RedisServer, raw: redis.Redis) -> None:
    store, answers = store_at(own_server.url), list[int | StoreError]()
    store.mark([ROW], "w1", ttl=FAR)
    raw.script_flush()
    store.resolve_soon([ROW], "w1", answers.append)
    store.flush_replies()
    assert answers == [1]
    assert is_clean(store.get([ROW])[0])


def test_a_resolve_executed_twice_makes_two_versions(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    store.take([ROW])
    seen = set()
    arguments = ("w1", secrets.token_hex(12), "86400000", "0")
    for _ in range(5):
        raw.eval(script("resolve").source, 1, ROW, *arguments)
        seen.add(raw.get(ROW))
    assert len(seen) == 5


def test_a_take_executed_twice_makes_two_versions_and_two_epochs(own_server: RedisServer, raw: redis.Redis) -> None:
    arguments = (secrets.token_hex(12), "86400000", "0")
    seen = []
    for _ in range(3):
        raw.flushall()
        seen.append(raw.eval(script("take").source, 2, "cc:epoch", ROW, *arguments))
    assert len({epoch for epoch, _, _ in seen}) == len({state for _, _, state in seen}) == 3


def test_coarse_tags_may_stand_where_the_writer_knows_what_it_touched(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    row, coarse = store.take([ROW, ANY]).states
    store.mark([ROW, ANY], "w1", ttl=FAR)
    arguments = (secrets.token_hex(12), "86400000", "1")
    assert raw.eval(script("resolve").source, 2, ROW, ANY, "w1", *arguments) == 2
    after = store.get([ROW, ANY])
    assert after[0] != row
    assert after[1] == coarse
    raw.eval(script("resolve").source, 2, ROW, ANY, "w1", *arguments)
    assert store.get([ANY]) != [coarse], "the token was gone: in doubt the version is new"


def test_a_script_that_fails_leaves_the_connection_in_step(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    store.get([ROW])                                                # ENSURE_EPOCH is behind it
    raw.delete(KEYSPACE.epoch)
    raw.lpush(KEYSPACE.epoch, "not a string")
    for _ in range(2):
        with pytest.raises(StoreRefused, match="WRONGTYPE"):
            store.take([ROW])
        assert store.get([ROW]) == [None], "this reply is this command's"


def test_a_value_of_another_type_under_a_tag_counts_as_absent(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    raw.lpush(ROW, "not a string")
    assert store.resolve([ROW, ANY], "w1") == 0
    assert store.get([ROW]) == [None]
    store.mark([ROW, ANY], "w2", ttl=FAR)
    assert tokens(store.get([ROW])[0]) == (b"w2",)
    assert store.resolve([ROW, ANY], "w2") == 2
    raw.delete(ROW)
    raw.lpush(ROW, "not a string")
    (state,) = store.take([ROW]).states
    assert is_clean(state)
    assert store.get([ROW]) == [state]


def test_a_tag_that_this_user_may_not_read_is_refused(own_server: RedisServer, raw: redis.Redis) -> None:
    raw.acl_setuser("shop", enabled=True, passwords=["+pw"], keys=["cc:epoch"], categories=["+@all"])
    store = store_at(own_server.url.replace("redis://", "redis://shop:pw@"))
    with pytest.raises(StoreRefused):
        store.mark([ROW], "w1", ttl=FAR)
    assert raw.get(ROW) is None


def test_a_full_memory_refuses_marks_and_entries_and_lets_resolves_through(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    (before,) = store.take([ROW]).states
    store.mark([ROW], "w1", ttl=FAR)
    raw.config_set("maxmemory-policy", "noeviction")
    raw.config_set("maxmemory", 1)
    with pytest.raises(StoreRefused, match="memory"):
        store.mark([ROW, ANY], "w2", ttl=FAR)
    with pytest.raises(StoreRefused):
        store.put([("cc:e:1", b"1"), ("cc:e:2", b"2")], ttl=60.0)
    with pytest.raises(StoreRefused):
        store.take([LIST])
    (state,) = store.get([ROW])
    assert tokens(state) == (b"w1",), "a full server answers, and is not left alone for it"
    assert store.resolve([ROW], "w1") == 1
    (after,) = store.get([ROW])
    assert is_clean(after)
    assert after != before


@pytest.mark.usefixtures("redis_here")
def test_volatile_eviction_takes_neither_epoch_nor_marks() -> None:
    with RedisServer("--maxmemory", "4mb", "--maxmemory-policy", "volatile-lru") as server:
        store = store_at(server.url)
        epoch = store.take([LIST]).epoch
        store.mark([ROW], "w1", ttl=0)
        for start in range(0, 6000, 500):
            store.put([(f"cc:e:{number}", bytes(900)) for number in range(start, start + 500)], ttl=3600.0)
        info = store.info()
        assert info.evicted_keys > 0
        assert (info.maxmemory, info.maxmemory_policy) == (4 << 20, "volatile-lru")
        assert store.take([]).epoch == epoch
        assert tokens(store.get([ROW])[0]) == (b"w1",)


@pytest.mark.parametrize("foreign", [b"", b"c", b"x", b"c" + b"1" * 40, b"c" + b"1" * 42, b"p", b"p;", b"pa;token,soon;"])
def test_what_is_no_state_of_ours_under_the_key_of_a_tag_is_replaced_and_stands_in_nobodys_way(
    own_server: RedisServer, raw: redis.Redis, foreign: bytes
) -> None:
    store = store_at(own_server.url)
    store.take([LIST])
    raw.set(ROW, foreign)
    taken = store.take([ROW])
    assert taken.storable
    assert [len(state) for state in taken.states] == [STATE_LENGTH]
    assert store.get([ROW]) == list(taken.states)
    assert raw.pttl(ROW) > 0
