"""The contract on a real redis-server, with and without the driver's resends being asked for by the alias."""

import functools
from collections.abc import Callable, Iterator

import pytest
import redis

from cache_consistency.stores.redis import RedisStore
from cache_consistency.testing.servers import RedisServer, find_redis_server
from tests.servers import require
from tests.stores.conftest import let_pass_on, store_at
from tests.stores.contract import Opener, StoreContract


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    require(find_redis_server)
    with RedisServer() as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


class TestRedisStore(StoreContract):
    @pytest.fixture
    def open_store(self, server: RedisServer, client: redis.Redis) -> Opener:
        def opened(*, quarantine: float = 0.0, clean_ttl: float = 86_400.0) -> RedisStore:
            store = store_at(server.url, quarantine=quarantine, clean_ttl=clean_ttl)
            store.get(["cc:nothing"])
            client.flushall()                                       # opening a connection has made an epoch
            return store
        return opened

    @pytest.fixture
    def let_pass(self, client: redis.Redis) -> Callable[[float], None]:
        return functools.partial(let_pass_on, client)


def test_it_is_shared(server: RedisServer) -> None:
    assert store_at(server.url).shared
