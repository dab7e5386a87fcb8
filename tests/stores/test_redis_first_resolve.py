"""The first RESOLVE that a store sends: nobody waits for its answer, so nobody is there to hear that the script is not known."""

import redis

from cache_consistency.protocol.versions import is_clean
from cache_consistency.testing.servers import RedisServer
from tests.stores.conftest import let_pass_on, store_at
from tests.stores.contract import FAR, ROW


def test_a_server_that_does_not_know_the_script_executes_the_first_resolve(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    store.mark([ROW], "w1", ttl=FAR)
    raw.script_flush()
    store.resolve_soon([ROW], "w1", lambda answer: None)
    let_pass_on(raw, 0.05)                                          # another connection may be served first
    assert is_clean(store_at(own_server.url).get([ROW])[0]), "asked by another, so that this one hears nothing"


def test_later_ones_are_sent_by_their_hash(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    for number in range(3):
        store.mark([ROW], f"w{number}", ttl=FAR)
        store.resolve_soon([ROW], f"w{number}", lambda answer: None)
        store.flush_replies()
    calls = raw.info("commandstats")
    assert calls["cmdstat_eval"]["calls"] <= 3, "once the source of each script: a connection's own, MARK's, RESOLVE's"
    assert calls["cmdstat_evalsha"]["calls"] >= 4
