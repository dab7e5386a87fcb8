"""A server that loses what it knew: flushed, restarted empty or from an old dump, or a replica that was promoted too early."""

from collections.abc import Iterator

import pytest
import redis

from cache_consistency.exceptions import StoreRefused, StoreUnavailable
from cache_consistency.protocol.versions import is_clean
from cache_consistency.stores.redis import RedisStore
from cache_consistency.testing.servers import RedisServer
from tests.stores.conftest import let_pass_on, store_at
from tests.stores.contract import FAR, KEYSPACE, ROW

EPOCH, ENTRY = KEYSPACE.epoch, "cc:e:book:1"


def fill(store: RedisStore, value: bytes) -> bool:
    """TAKE and store as a reader does."""
    taken = store.take([ROW])
    if taken.storable:
        store.put([(ENTRY, b"|".join([value, taken.epoch, *taken.states]))], ttl=3600.0)
    return taken.storable


def hit(store: RedisStore) -> bytes | None:
    """Return the value of a valid entry, judged as a reader judges it."""
    entry, state, epoch = store.get([ENTRY, ROW, EPOCH])
    if entry is None or epoch is None:
        return None
    value, its_epoch, its_state = entry.split(b"|")
    return value if epoch.startswith(its_epoch) and state == its_state and is_clean(state) else None


def wait_for(client: redis.Redis, key: str) -> None:
    while client.get(key) is None:
        let_pass_on(client, 0.005)


@pytest.fixture
def store(own_server: RedisServer, raw: redis.Redis) -> RedisStore:
    """A store out of its quarantine of 0.2 s, with one entry."""
    store = store_at(own_server.url, quarantine=0.2)
    store.take([])
    let_pass_on(raw, 0.25)
    assert fill(store, b"old")
    assert hit(store) == b"old"
    return store


def test_a_flush_between_mark_and_commit_stores_nothing_until_the_mark_would_have_ended(store: RedisStore, raw: redis.Redis) -> None:
    store.mark([ROW], "w1", ttl=0.2)                                # t=0 the writer marks
    raw.flushall()                                                  # t=1 everything is lost, the mark too
    assert hit(store) is None
    assert not fill(store, b"old")                                  # t=2 a reader asks the database before COMMIT
    let_pass_on(raw, 0.25)                                          # t=3 the writer has committed and died
    assert fill(store, b"new")
    assert hit(store) == b"new"


def test_a_server_that_restarted_empty_is_in_quarantine_for_newcomers_too(own_server: RedisServer, store: RedisStore) -> None:
    store.mark([ROW], "w1", ttl=FAR)
    own_server.kill()
    own_server.start_empty()
    newcomer = store_at(own_server.url, quarantine=0.2)
    assert not newcomer.take([ROW]).storable
    assert hit(newcomer) is None


def test_after_a_restart_from_an_old_dump_nobody_hits_the_past(own_server: RedisServer, store: RedisStore, raw: redis.Redis) -> None:
    old = store.epoch().id
    own_server.dump()
    store.mark([ROW], "w1", ttl=FAR)                                # a write after the dump: the entry is obsolete
    store.resolve([ROW], "w1")
    assert hit(store) is None
    own_server.kill()
    own_server.start()
    assert raw.get(ENTRY) is not None
    assert str(raw.get(EPOCH)).startswith(f"b'{old}:"), "the dump holds entry, tag and epoch of the past"
    assert hit(store) is None, "the kept connection was closed; the new one began with ENSURE_EPOCH"
    assert not str(raw.get(EPOCH)).startswith(f"b'{old}:"), "the old id is gone for everybody"
    assert not fill(store, b"old")


def test_a_restart_costs_a_writer_nothing_its_mark_stands_on_the_new_server(own_server: RedisServer, store: RedisStore) -> None:
    own_server.kill()
    own_server.start_empty()
    store.mark([ROW], "w1", ttl=FAR)
    own_server.kill()
    own_server.start_empty()
    assert store.resolve([ROW], "w1") == 1, "after a lost connection nothing is reported as lost"


@pytest.fixture
def replica(own_server: RedisServer) -> Iterator[RedisServer]:
    with RedisServer("--replicaof", "127.0.0.1", str(own_server.port)) as replica:
        yield replica


def test_a_connection_to_a_replica_is_not_usable(replica: RedisServer) -> None:
    store = store_at(replica.url)
    with pytest.raises(StoreRefused, match="NOTMASTER"):
        store.get([ROW])
    with pytest.raises(StoreUnavailable, match="asked again in"):
        store.get([ROW])


def test_a_replica_that_lagged_and_was_promoted_begins_a_new_epoch(store: RedisStore, replica: RedisServer) -> None:
    with redis.Redis.from_url(replica.url) as promoted:
        wait_for(promoted, ENTRY)
        promoted.replicaof("NO", "ONE")                             # from here on the old master's writes are lost
        store.mark([ROW], "w1", ttl=FAR)
        store.resolve([ROW], "w1")
        moved = store_at(replica.url, quarantine=0.2)
        assert hit(moved) is None
        assert not fill(moved, b"old")
        let_pass_on(promoted, 0.25)
        assert fill(moved, b"new")
        assert hit(moved) == b"new"


def test_everything_can_be_invalidated_at_once_and_late_fills_do_not_come_back(store: RedisStore) -> None:
    taken = store.take([ROW])
    store.new_epoch()
    assert hit(store) is None
    store.put([(ENTRY, b"|".join([b"late", taken.epoch, *taken.states]))], ttl=60.0)
    assert hit(store) is None
    assert fill(store, b"new"), "no quarantine: the marks are intact"
    assert hit(store) == b"new"


def test_an_epoch_key_that_cannot_be_read_is_made_anew(store: RedisStore, raw: redis.Redis) -> None:
    raw.set(EPOCH, "scribbled over")
    assert not fill(store, b"old")
    assert len(store.epoch().id) == 24
