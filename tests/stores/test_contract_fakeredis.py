"""
The contract on fakeredis, as users' own tests may run it.

fakeredis has neither INFO, which the scripts ask for the server's generation, nor ``redis.sha1hex``; both are supplied here, nothing else.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import fakeredis
import pytest
import redis
from fakeredis._commands import SUPPORTED_COMMANDS, Signature
from fakeredis._socket import FakeSocket

from cache_consistency.stores.alias import recipe_from_pool
from cache_consistency.stores.redis import RedisStore
from tests.stores.conftest import let_pass_on
from tests.stores.contract import KEYSPACE, Opener, StoreContract

INFO = b"redis_version:7.4.0\r\nused_memory:1\r\nrun_id:%b\r\nrole:master\r\nmaster_replid:%b\r\n" % (b"a" * 40, b"b" * 40)


@pytest.fixture(autouse=True)
def info(monkeypatch: pytest.MonkeyPatch) -> None:
    def info(self: object, *sections: bytes) -> bytes:
        return INFO
    signature: Any = Signature
    monkeypatch.setitem(SUPPORTED_COMMANDS, "info", signature("info", "info", (), (bytes,)))
    monkeypatch.setattr(FakeSocket, "info", info, raising=False)


@pytest.fixture
def client() -> Iterator[redis.Redis]:
    server: Any = fakeredis.FakeServer()
    with fakeredis.FakeRedis(server=server) as client:
        client.eval("return 1", 0)                                  # makes the runtime
        server._lua_runtime.globals()[b"redis"][b"sha1hex"] = lambda text: hashlib.sha1(text).hexdigest().encode()
        yield client


class TestFakeRedis(StoreContract):
    @pytest.fixture
    def open_store(self, client: redis.Redis) -> Opener:
        def opened(*, quarantine: float = 0.0, clean_ttl: float = 86_400.0) -> RedisStore:
            recipe = recipe_from_pool(client.connection_pool)
            store = RedisStore(recipe, KEYSPACE, timeout=2.0, quarantine=quarantine, clean_ttl=clean_ttl)
            store.get(["cc:nothing"])
            client.flushall()                                       # opening a connection has made an epoch
            return store
        return opened

    @pytest.fixture
    def let_pass(self, client: redis.Redis) -> Callable[[float], None]:
        return functools.partial(let_pass_on, client)
