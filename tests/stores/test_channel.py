"""Both ways to speak on a connection: with a reader of our own, and with the driver's methods."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from cache_consistency.exceptions import StoreRefused, StoreTimeout, StoreUnavailable
from cache_consistency.stores import channel
from cache_consistency.stores.alias import Recipe, recipe_from_pool
from cache_consistency.stores.redis import RedisStore
from cache_consistency.testing.servers import RedisServer
from tests.stores.conftest import store_at
from tests.stores.contract import KEYSPACE, ROW


@pytest.fixture(params=["own reader", "driver"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "driver":
        monkeypatch.setattr(channel, "new_reader", None)
    way: str = request.param
    return way


@pytest.fixture
def half_answer() -> Iterator[int]:
    """A server that takes the handshake, and to every later command answers the half of a reply; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = threading.Event()

        def serve() -> None:
            while True:
                conversation, _ = listening.accept()
                if done.is_set():
                    conversation.close()
                    return
                threading.Thread(target=answer, args=(conversation,), daemon=True).start()

        def answer(conversation: socket.socket) -> None:
            with conversation:
                conversation.recv(65_536)
                conversation.sendall(b"*3\r\n$24\r\n" + b"a" * 24 + b"\r\n:0\r\n$1\r\ng\r\n")
                conversation.recv(65_536)
                conversation.sendall(b"*1\r\n$5\r\nhal")
                done.wait(10.0)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        done.set()
        socket.create_connection(listening.getsockname()).close()
        thread.join()


def test_a_reply_that_comes_in_many_pieces_is_read_whole(own_server: RedisServer) -> None:
    store = store_at(own_server.url)
    value = bytes(range(256)) * 4000
    store.put([(f"cc:e:{number}", value) for number in range(5)], ttl=60.0)
    assert store.get([f"cc:e:{number}" for number in range(6)]) == [value] * 5 + [None]


def test_an_error_reply_is_this_commands_and_the_connection_goes_on(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    store.get([ROW])                                                # ENSURE_EPOCH is behind it
    raw.delete(KEYSPACE.epoch)
    raw.lpush(KEYSPACE.epoch, "x")
    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        store.take([ROW])
    store.put([("cc:e:1", b"1")], ttl=60.0)
    assert store.get(["cc:e:1"]) == [b"1"]


def test_half_a_reply_is_a_timeout_and_is_never_read_by_the_next_request(half_answer: int) -> None:
    recipe = recipe_from_pool(redis.ConnectionPool.from_url(f"redis://127.0.0.1:{half_answer}/0"))
    store = RedisStore(recipe, KEYSPACE, timeout=0.2)
    began = time.monotonic()
    with pytest.raises(StoreTimeout):
        store.get([ROW])
    assert time.monotonic() - began >= 0.15
    store.forget()
    with pytest.raises(StoreTimeout):
        store.get([ROW])


def test_a_connection_that_cannot_be_opened_any_more_is_unavailable(own_server: RedisServer) -> None:
    store = store_at(own_server.url)
    store.get([ROW])
    own_server.stop()
    with pytest.raises(StoreUnavailable):
        store.get([ROW])


def test_keys_are_ascii_and_anything_else_is_refused_before_it_is_sent(own_server: RedisServer) -> None:
    store = store_at(own_server.url)
    calls: list[Callable[[], object]] = [
        lambda: store.get(["cc:é"]),
        lambda: store.take(["cc:é"]),
        lambda: store.put([("cc:é", b"")], ttl=1.0),
    ]
    for call in calls:
        with pytest.raises(UnicodeEncodeError):
            call()
    assert store.get([ROW]) == [None]


def test_many_and_long_keys_are_packed_as_well(own_server: RedisServer) -> None:
    store = store_at(own_server.url)
    keys = [f"cc:e:{number:0{length}d}" for number, length in enumerate([1, 500, 600, 5000] * 30)]
    store.put([(key, key[-3:].encode()) for key in keys], ttl=60.0)
    assert store.get(keys) == [key[-3:].encode() for key in keys]


def test_a_recipe_makes_connections_of_the_class_the_alias_has() -> None:
    class Special(redis.Connection):
        pass

    pool = redis.ConnectionPool.from_url("redis://h:1/2", connection_class=Special)
    connection = recipe_from_pool(pool).make(timeout=0.1, on_connect=lambda connection: None)
    assert isinstance(connection, Special)
    assert Recipe(Special, {}).address == "localhost:6379/0"
