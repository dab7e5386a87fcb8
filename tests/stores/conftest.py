"""Stores on real and pretended servers, and clocks that are waited for rather than slept away."""

import time
from collections.abc import Callable, Iterator

import pytest
import redis

from cache_consistency.stores.alias import recipe_from_pool
from cache_consistency.stores.redis import RedisStore
from cache_consistency.stores.trip import TripSwitch
from cache_consistency.testing.servers import RedisServer, find_redis_server
from tests.servers import require
from tests.stores.contract import KEYSPACE

StoreAt = Callable[..., RedisStore]


def store_at(
    url: str, *, timeout: float = 2.0, quarantine: float = 0.0, clean_ttl: float = 86_400.0, trip: TripSwitch | None = None,
) -> RedisStore:
    """Open a store; a generous timeout, since a loaded machine is no reason for a test to fail."""
    recipe = recipe_from_pool(redis.ConnectionPool.from_url(url))
    return RedisStore(recipe, KEYSPACE, timeout=timeout, quarantine=quarantine, clean_ttl=clean_ttl, trip=trip)


def let_pass_on(client: redis.Redis, seconds: float) -> None:
    """Return once the server's own clock has moved on so far."""
    def now() -> float:
        whole, micro = client.time()
        return int(whole) + int(micro) / 1e6
    end = now() + seconds
    while now() <= end:
        time.sleep(0.002)


@pytest.fixture
def redis_here() -> None:
    """For a test that starts servers by itself."""
    require(find_redis_server)


@pytest.fixture
def own_server(redis_here: None) -> Iterator[RedisServer]:
    """A server that the test may kill, pause, fill."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def raw(own_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of ``own_server`` that knows nothing of the protocol."""
    with redis.Redis.from_url(own_server.url) as client:
        yield client
