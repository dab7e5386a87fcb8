"""Reads inside event loops: many tasks on one connection, none of whom ever gets another's reply."""

import asyncio
import contextlib
import gc
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from cache_consistency import events
from cache_consistency.exceptions import StoreError, StoreRefused, StoreTimeout, StoreUnavailable
from cache_consistency.stores.redis import RedisStore
from cache_consistency.stores.trip import FIRST_PAUSE, TripSwitch
from cache_consistency.testing.servers import RedisServer, find_redis_server
from tests.servers import require
from tests.stores.conftest import store_at
from tests.stores.contract import KEYSPACE, ROW
from tests.stores.test_contract_memory import Clock

TIMEOUT = 0.2
SLACK = 2.0
TWO = [("cc:e:1", b"1"), ("cc:e:2", b"2")]


@pytest.fixture
def store(own_server: RedisServer) -> RedisStore:
    store = store_at(own_server.url)
    store.put(TWO, ttl=600.0)
    return store


def connections_of(raw: redis.Redis) -> set[str]:
    """Return the ids of all connections but the one that asks."""
    own = str(raw.client_id())
    return {client["id"] for client in raw.client_list()} - {own}


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the server hears of a moment later."""
    end = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


async def under_way(count: int = 1) -> None:
    """Let tasks that were just made go on until they wait for the network."""
    for _ in range(3 * count):
        await asyncio.sleep(0)


async def failure(read: Awaitable[object]) -> tuple[StoreError, float]:
    """Return the error that a read ends with, and the seconds it took."""
    began = time.monotonic()
    with pytest.raises(StoreError) as caught:
        await read
    return caught.value, time.monotonic() - began


def test_many_tasks_share_one_connection_and_each_has_its_own_reply(store: RedisStore, raw: redis.Redis) -> None:
    store.put([(f"cc:e:{number}", str(number).encode() * 50) for number in range(200)], ttl=600.0)
    before = connections_of(raw)

    async def main() -> tuple[list[list[bytes | None]], set[str]]:
        found = await asyncio.gather(*(store.aget([f"cc:e:{number}", f"cc:e:{199 - number}"]) for number in range(200)))
        return found, connections_of(raw) - before
    found, made = asyncio.run(main())
    assert found == [[str(number).encode() * 50, str(199 - number).encode() * 50] for number in range(200)]
    assert len(made) == 1


def test_the_epoch_is_looked_at_before_anything_is_read(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    (epoch,) = asyncio.run(store.aget([KEYSPACE.epoch]))
    assert epoch is not None
    assert raw.get(KEYSPACE.epoch) == epoch


def test_a_reply_of_many_pieces_and_a_request_that_does_not_fit_are_carried_whole(store: RedisStore, own_server: RedisServer) -> None:
    value = bytes(range(256)) * 4000
    store.put([(f"cc:e:{number}", value) for number in range(8)], ttl=60.0)
    long_keys = [f"cc:e:{number:050d}" for number in range(200_000)]

    async def main() -> tuple[list[bytes | None], ...]:
        await store.aget(["cc:e:1"])
        own_server.pause()                                          # so that what is sent piles up
        reads = [asyncio.create_task(store.aget(keys)) for keys in (long_keys, [f"cc:e:{number}" for number in range(9)], ["cc:e:3"])]
        await under_way(3)
        own_server.resume()
        return tuple(await asyncio.gather(*reads))
    nothing, big, one = asyncio.run(main())
    assert nothing == [None] * len(long_keys)
    assert big == [value] * 8 + [None]
    assert one == [value]


def test_the_reply_of_a_cancelled_task_reaches_nobody(store: RedisStore, own_server: RedisServer, raw: redis.Redis) -> None:
    async def main() -> tuple[list[bytes | None], bool]:
        await store.aget(["cc:e:2"])
        before = connections_of(raw)
        own_server.pause()
        first = asyncio.create_task(store.aget(["cc:e:1"]))
        second = asyncio.create_task(store.aget(["cc:e:2"]))
        await under_way(2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        own_server.resume()
        return await second, connections_of(raw) == before
    assert asyncio.run(main()) == ([b"2"], True)


def test_the_reply_of_a_task_that_ran_out_of_its_own_time_reaches_nobody(store: RedisStore, own_server: RedisServer) -> None:
    async def main() -> list[bytes | None]:
        await store.aget(["cc:e:2"])
        own_server.pause()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await store.aget(["cc:e:1"])
        own_server.resume()
        return await store.aget(["cc:e:2"])
    assert asyncio.run(main()) == [b"2"]


def test_who_is_cancelled_while_the_connection_is_opened_does_not_take_it_from_others(own_server: RedisServer) -> None:
    store = store_at(own_server.url)
    own_server.pause()

    async def main() -> list[bytes | None]:
        tasks = [asyncio.create_task(store.aget([ROW])) for _ in range(3)]
        await under_way(3)
        tasks[0].cancel()
        own_server.resume()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        return [value for task in tasks[1:] for value in await task]
    assert asyncio.run(main()) == [None, None]


def test_a_loop_that_ends_while_the_connection_is_opened_leaves_nothing_open(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url, timeout=TIMEOUT)
    own_server.pause()

    async def main() -> None:
        task = asyncio.create_task(store.aget([ROW]))
        await under_way()
        assert not task.done()
    asyncio.run(main())
    own_server.resume()
    gc.collect()
    until(lambda: not connections_of(raw))
    assert asyncio.run(store.aget([ROW])) == [None]


def test_a_paused_server_costs_the_timeout_once_and_sync_and_async_callers_learn_it_from_each_other(own_server: RedisServer) -> None:
    clock = Clock()
    store = store_at(own_server.url, timeout=TIMEOUT, trip=TripSwitch(clock=clock))

    async def main() -> None:
        await store.aget([ROW])
        own_server.pause()
        waits = await asyncio.gather(*(failure(store.aget([ROW])) for _ in range(20)))
        assert {type(error) for error, _ in waits} == {StoreTimeout}
        assert all(TIMEOUT * 0.9 <= seconds < TIMEOUT + SLACK for _, seconds in waits)
        error, seconds = await failure(store.aget([ROW]))
        assert "asked again in" in str(error)
        assert seconds < TIMEOUT
        with pytest.raises(StoreUnavailable, match="asked again in"):
            store.get([ROW])
        clock.now += FIRST_PAUSE
        error, _ = await failure(store.aget([ROW]))                 # the probe meets a new connection that does not answer
        assert isinstance(error, StoreTimeout)
        own_server.resume()
        assert await answered(store, clock) == [None]
        assert store.get([ROW]) == [None]
    asyncio.run(main())


async def answered(store: RedisStore, clock: Clock) -> list[bytes | None]:
    """Ask until the server, which has just woken up on a busy machine, answers in time."""
    end = time.monotonic() + 20.0
    while True:
        clock.now += 2 * FIRST_PAUSE
        try:
            return await store.aget([ROW])
        except StoreError:
            assert time.monotonic() < end, "it never answers"


def test_nobody_listens_and_it_comes_back_by_itself() -> None:
    require(find_redis_server)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clock, heard = Clock(), list[str]()
    store = store_at(f"redis://127.0.0.1:{port}/0", trip=TripSwitch(clock=clock))

    async def main() -> None:
        for _ in range(2):
            assert isinstance((await failure(store.aget([ROW])))[0], StoreUnavailable)
        with RedisServer(port=port):
            assert "asked again in" in str((await failure(store.aget([ROW])))[0])
            clock.now += FIRST_PAUSE
            assert await store.aget([ROW]) == [None]
    unsubscribe = events.subscribe(lambda event: heard.append(event.what))
    try:
        asyncio.run(main())
    finally:
        unsubscribe()
    assert heard == ["store_down", "store_up"]


def test_who_may_not_come_in_is_refused_once_and_then_left_alone(own_server: RedisServer, raw: redis.Redis) -> None:
    raw.config_set("requirepass", "secret")
    store = store_at(own_server.url)

    async def main() -> None:
        assert isinstance((await failure(store.aget([ROW])))[0], StoreRefused)
        assert "asked again in" in str((await failure(store.aget([ROW])))[0])
    asyncio.run(main())


def test_an_error_reply_is_one_tasks_and_the_connection_goes_on(store: RedisStore, raw: redis.Redis) -> None:
    async def main() -> None:
        await store.aget(["cc:e:1"])
        before = connections_of(raw)
        wrong, right = await asyncio.gather(failure(store.aget([])), store.aget(["cc:e:1"]))    # MGET of nothing is an error
        assert isinstance(wrong[0], StoreRefused)
        assert right == [b"1"]
        assert connections_of(raw) == before
    asyncio.run(main())


def test_a_connection_that_the_server_closed_meanwhile_costs_nothing(store: RedisStore, raw: redis.Redis) -> None:
    async def main() -> None:
        for _ in range(3):
            assert await store.aget(["cc:e:1"]) == [b"1"]
            raw.client_kill_filter(_type="normal", skipme=True)
    asyncio.run(main())


def test_a_server_that_is_restarted_under_tasks_that_wait_answers_them(own_server: RedisServer) -> None:
    store = store_at(own_server.url)
    store.put(TWO, ttl=600.0)

    async def main() -> tuple[list[list[bytes | None]], bytes | None, bytes | None]:
        (before,) = await store.aget([KEYSPACE.epoch])
        own_server.pause()
        tasks = [asyncio.create_task(store.aget(["cc:e:1"])) for _ in range(5)]
        await under_way(5)
        own_server.kill()
        own_server.start_empty()
        found = list(await asyncio.gather(*tasks))
        return found, before, (await store.aget([KEYSPACE.epoch]))[0]
    found, before, after = asyncio.run(main())
    assert found == [[None]] * 5
    assert after is not None
    assert after != before, "another past, another epoch"


def test_a_loop_that_was_busy_for_long_does_not_blame_the_server(own_server: RedisServer) -> None:
    store = store_at(own_server.url, timeout=TIMEOUT)

    async def main() -> list[bytes | None]:
        await store.aget([ROW])
        task = asyncio.create_task(store.aget([ROW]))
        await under_way()
        time.sleep(TIMEOUT * 1.5)  # noqa: ASYNC251  # the busy task
        return await task
    assert asyncio.run(main()) == [None]


@contextlib.contextmanager
def pretended_server(*answers: bytes, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that takes the handshake, and to every later command says the next of ``answers``, each in one piece; yields its port."""
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
            with tls.wrap_socket(conversation, server_side=True) if tls else conversation as conversation:
                conversation.recv(65_536)
                conversation.sendall(b"*3\r\n$24\r\n" + b"a" * 24 + b"\r\n:0\r\n$1\r\ng\r\n")
                for said in answers:
                    if not conversation.recv(65_536):
                        return
                    conversation.sendall(said)
                done.wait(10.0)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        done.set()
        socket.create_connection(listening.getsockname()).close()
        thread.join()


def test_half_a_reply_is_a_timeout_and_is_never_read_by_the_next_request() -> None:
    with pretended_server(b"*1\r\n$5\r\nhal", b"fw\r\n*1\r\n$3\r\nnot\r\n") as port:
        store = store_at(f"redis://127.0.0.1:{port}/0", timeout=TIMEOUT)

        async def main() -> None:
            assert isinstance((await failure(store.aget([ROW])))[0], StoreTimeout)
            store._trip.succeeded()                                 # ask again at once
            assert isinstance((await failure(store.aget([ROW])))[0], StoreTimeout)
        asyncio.run(main())
        store.forget()


def test_bytes_that_are_no_reply_end_the_connection() -> None:
    with pretended_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        store = store_at(f"redis://127.0.0.1:{port}/0", timeout=TIMEOUT)
        error, _ = asyncio.run(failure(store.aget([ROW])))
        assert isinstance(error, StoreUnavailable)


def test_a_reply_that_nobody_asked_for_ends_the_connection() -> None:
    reply = b"*1\r\n$1\r\n1\r\n"
    with pretended_server(reply + reply) as port:
        store = store_at(f"redis://127.0.0.1:{port}/0", timeout=TIMEOUT)

        async def main() -> tuple[list[bytes | None], list[bytes | None]]:
            return await store.aget([ROW]), await store.aget([ROW])
        assert asyncio.run(main()) == ([b"1"], [b"1"])              # the second from a new connection
        store.forget()


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_under_tls_a_reply_of_several_records_is_read_to_its_end(tls: ssl.SSLContext) -> None:
    value = bytes(range(256)) * 400
    reply = b"*1\r\n$%d\r\n%b\r\n" % (len(value), value)
    with pretended_server(reply, reply, tls=tls) as port:
        store = store_at(f"rediss://127.0.0.1:{port}/0?ssl_cert_reqs=none")

        async def main() -> list[list[bytes | None]]:
            return [await store.aget([ROW]), await store.aget([ROW])]
        assert asyncio.run(main()) == [[value], [value]]
        store.forget()


def test_the_next_loop_takes_over_the_connection_of_one_that_is_closed(store: RedisStore, raw: redis.Redis) -> None:
    async def main() -> tuple[list[bytes | None], set[str]]:
        return await store.aget(["cc:e:1"]), connections_of(raw)
    first = asyncio.run(main())
    for _ in range(5):
        assert asyncio.run(main()) == first


def test_a_connection_on_which_an_answer_is_still_to_come_is_not_taken_over(store: RedisStore, own_server: RedisServer) -> None:
    async def leave() -> None:
        await store.aget(["cc:e:1"])
        own_server.pause()
        task = asyncio.create_task(store.aget(["cc:e:1"]))
        await under_way()
        assert not task.done()
    asyncio.run(leave())
    own_server.resume()
    assert asyncio.run(store.aget(["cc:e:2"])) == [b"2"]


def test_a_connection_that_died_between_two_loops_is_replaced(store: RedisStore, own_server: RedisServer) -> None:
    asyncio.run(store.aget(["cc:e:1"]))
    own_server.kill()
    own_server.start()
    assert asyncio.run(store.aget(["cc:e:1"])) == [None]


def test_loops_in_several_threads_do_not_disturb_each_other(store: RedisStore, raw: redis.Redis) -> None:
    wrong: list[object] = []

    async def read() -> None:
        for _ in range(20):
            found = list(await asyncio.gather(store.aget(["cc:e:1"]), store.aget(["cc:e:2"]), store.aget(["cc:e:1", "cc:e:2"])))
            if found != [[b"1"], [b"2"], [b"1", b"2"]]:
                wrong.append(found)

    def work() -> None:
        try:
            for _ in range(3):
                asyncio.run(read())
        except BaseException as error:
            wrong.append(error)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    asyncio.run(read())
    assert len(connections_of(raw)) <= 1 + 4 + 1


def test_forgetting_from_another_thread_ends_what_is_idle_and_a_task_under_way_is_answered(
    store: RedisStore, own_server: RedisServer, raw: redis.Redis
) -> None:
    async def main() -> tuple[list[bytes | None], bool]:
        await store.aget(["cc:e:1"])
        before = connections_of(raw)
        own_server.pause()
        task = asyncio.create_task(store.aget(["cc:e:1"]))
        await under_way()
        await asyncio.to_thread(store.forget)
        own_server.resume()
        return await task, connections_of(raw).isdisjoint(before)
    assert asyncio.run(main()) == ([b"1"], True)
    store.forget()
    until(lambda: not connections_of(raw))
    assert asyncio.run(store.aget(["cc:e:1"])) == [b"1"]


def test_a_store_that_is_gone_leaves_no_connection_behind(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    asyncio.run(store.aget([ROW]))
    del store
    gc.collect()
    until(lambda: not connections_of(raw))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own(store: RedisStore, raw: redis.Redis) -> None:
    asyncio.run(store.aget(["cc:e:1"]))
    parents = connections_of(raw)
    pid = os.fork()
    if pid == 0:
        outcome = 1
        try:
            outcome = 0 if all(asyncio.run(store.aget(["cc:e:2"])) == [b"2"] for _ in range(20)) else 1
        finally:
            os._exit(outcome)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert asyncio.run(store.aget(["cc:e:1"])) == [b"1"]
    assert connections_of(raw) == parents, "the child has not ended the parent's connection"


def test_keys_are_ascii_and_anything_else_is_refused_before_it_is_sent(store: RedisStore) -> None:
    async def main() -> list[bytes | None]:
        with pytest.raises(UnicodeEncodeError):
            await store.aget(["cc:é"])
        return await store.aget(["cc:e:1"])
    assert asyncio.run(main()) == [b"1"]


@pytest.mark.parametrize("reads", [1, 50])
def test_a_hit_leaves_neither_the_loop_nor_a_timer_for_each_request(store: RedisStore, reads: int) -> None:
    """One timer watches the connection, however many requests there are."""
    async def main() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        await store.aget(["cc:e:1"])
        hops, timers = counted(loop, "run_in_executor"), counted(loop, "call_at")
        await asyncio.gather(*(store.aget(["cc:e:1"]) for _ in range(reads)))
        return len(hops), len(timers)
    hops, timers = asyncio.run(main())
    assert hops == 0
    assert timers <= 1


def counted(loop: asyncio.AbstractEventLoop, name: str) -> list[str]:
    """Return a list that grows with each call of a method of the loop."""
    calls, method = list[str](), getattr(loop, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return method(*args, **kwargs)
    setattr(loop, name, call)
    return calls


