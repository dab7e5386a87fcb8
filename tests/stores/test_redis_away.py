"""A store that does not answer: one caller waits, nobody waits twice, nobody reads another's reply, and it comes back by itself."""

import gc
import itertools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import pytest
import redis

from cache_consistency import events
from cache_consistency.exceptions import StoreError, StoreTimeout, StoreUnavailable
from cache_consistency.protocol.versions import is_clean
from cache_consistency.stores.memory import MemoryStore
from cache_consistency.stores.trip import FIRST_PAUSE, TripSwitch
from cache_consistency.testing.servers import RedisServer, free_port
from tests.stores.conftest import store_at
from tests.stores.contract import ANY, FAR, KEYSPACE, ROW
from tests.stores.test_contract_memory import Clock

TIMEOUT = 0.2
SLACK = 2.0


@pytest.fixture
def heard() -> Iterator[list[events.Event]]:
    heard: list[events.Event] = []
    unsubscribe = events.subscribe(heard.append)
    yield heard
    unsubscribe()


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], None], float], None]]:
    """Interrupt the main thread: whatever it is doing, run something in a signal handler after so many seconds."""
    before = signal.getsignal(signal.SIGALRM)

    def ring(action: Callable[[], None], seconds: float) -> None:
        def handler(number: int, frame: FrameType | None) -> None:
            action()
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    yield ring
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def connections_of(raw: redis.Redis) -> set[str]:
    """Return the ids of all connections but the one that asks."""
    own = str(raw.client_id())
    return {client["id"] for client in raw.client_list()} - {own}


@pytest.mark.usefixtures("redis_here")
def test_nobody_listens_and_it_comes_back_by_itself(heard: list[events.Event]) -> None:
    clock, port = Clock(), free_port()
    store = store_at(f"redis://127.0.0.1:{port}/0", trip=TripSwitch(clock=clock))
    with pytest.raises(StoreUnavailable, match="refused"):
        store.get([ROW])
    with RedisServer(port=port):
        with pytest.raises(StoreUnavailable, match=r"asked again in 0\.5 s"):
            store.mark([ROW], "w1", ttl=FAR)
        clock.now += FIRST_PAUSE
        assert store.get([ROW]) == [None]
        store.mark([ROW], "w1", ttl=FAR)
    assert [event.what for event in heard] == ["store_down", "store_up"]


def test_a_paused_server_costs_one_caller_the_timeout_and_the_next_nothing(own_server: RedisServer) -> None:
    clock = Clock()
    store = store_at(own_server.url, timeout=TIMEOUT, trip=TripSwitch(clock=clock))
    store.mark([ANY], "w0", ttl=FAR)                                # the script is known
    own_server.pause()
    began = time.monotonic()
    with pytest.raises(StoreTimeout):
        store.mark([ROW], "w1", ttl=FAR)
    assert TIMEOUT * 0.9 <= time.monotonic() - began < TIMEOUT + SLACK
    with pytest.raises(StoreUnavailable, match="asked again in"):
        store.get([ROW])
    clock.now += FIRST_PAUSE
    with pytest.raises(StoreTimeout):                               # the probe meets a new connection that does not answer
        store.get([ROW])
    own_server.resume()
    clock.now += 2 * FIRST_PAUSE
    assert store.resolve([ROW], "w1") == 1, "the mark that timed out had arrived"


def test_a_connection_that_the_server_closed_meanwhile_costs_nothing(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    moves: list[Callable[[], object]] = [
        lambda: store.get([ROW]),
        lambda: store.mark([ROW], "w1", ttl=FAR),
        lambda: store.resolve([ROW], "w1"),
        lambda: store.put([("cc:e:1", b"1"), ("cc:e:2", b"2")], ttl=60.0),
        lambda: store.take([ROW]),
        lambda: store.resolve_soon([ROW], "w1", lambda answer: None),
    ]
    for move in moves:
        store.get([ROW])
        raw.client_kill_filter(_type="normal", skipme=True)
        move()


def test_a_late_answer_on_a_connection_that_died_is_told_to_who_waits(own_server: RedisServer, raw: redis.Redis) -> None:
    store, answers = store_at(own_server.url), list[int | StoreError]()
    store.mark([ROW], "w1", ttl=FAR)
    own_server.pause()
    store.resolve_soon([ROW], "w1", answers.append)
    own_server.kill()
    own_server.start()
    assert store.get([ROW]) == [None], "this reply is this command's"
    assert len(answers) == 1
    assert isinstance(answers[0], StoreUnavailable)


def test_a_late_answer_that_does_not_come_in_time_ends_the_next_command_too(own_server: RedisServer) -> None:
    store, answers = store_at(own_server.url, timeout=TIMEOUT), list[int | StoreError]()
    store.mark([ROW], "w1", ttl=FAR)
    own_server.pause()
    store.resolve_soon([ROW], "w1", answers.append)
    began = time.monotonic()
    with pytest.raises(StoreTimeout):
        store.get([ROW])
    assert time.monotonic() - began < 2 * TIMEOUT + SLACK
    assert [type(answer) for answer in answers] == [StoreTimeout]


def test_late_answers_of_a_thread_that_ends_are_read_as_it_ends(own_server: RedisServer) -> None:
    store, answers = store_at(own_server.url), list[int | StoreError]()
    store.mark([ROW], "w1", ttl=FAR)
    thread = threading.Thread(target=store.resolve_soon, args=([ROW], "w1", answers.append))
    gc.disable()                                                    # no cycle may keep it waiting
    try:
        thread.start()
        thread.join()
        assert answers == [1]
    finally:
        gc.enable()


def test_late_answers_that_a_thread_does_not_live_to_see_are_given_up(own_server: RedisServer) -> None:
    store, answers = store_at(own_server.url, timeout=TIMEOUT), list[int | StoreError]()
    store.mark([ROW], "w1", ttl=FAR)

    def write() -> None:
        store.get([ROW])
        own_server.pause()
        store.resolve_soon([ROW], "w1", answers.append)
    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    gc.collect()
    assert [type(answer) for answer in answers] == [StoreTimeout]


def test_after_an_interrupt_no_reply_reaches_the_wrong_request(
    own_server: RedisServer, alarm: Callable[[Callable[[], None], float], None]
) -> None:
    store = store_at(own_server.url, timeout=30.0)
    store.put([("cc:e:1", b"1"), ("cc:e:2", b"2")], ttl=600.0)

    def interrupt() -> None:
        raise KeyboardInterrupt
    own_server.pause()
    alarm(interrupt, 0.05)
    with pytest.raises(KeyboardInterrupt):
        store.get(["cc:e:1"])
    own_server.resume()
    assert store.get(["cc:e:2"]) == [b"2"]


def test_a_request_from_a_signal_handler_does_not_read_the_reply_of_the_one_it_interrupts(
    own_server: RedisServer, alarm: Callable[[Callable[[], None], float], None]
) -> None:
    store = store_at(own_server.url, timeout=30.0)
    store.put([("cc:e:1", b"1"), ("cc:e:2", b"2")], ttl=600.0)
    inner: list[object] = []

    def interrupt() -> None:
        own_server.resume()
        inner.append(store.get(["cc:e:2"]))
    own_server.pause()
    alarm(interrupt, 0.05)
    assert store.get(["cc:e:1"]) == [b"1"], "attempted again on the new connection"
    assert inner == [[b"2"]]


def test_the_socket_of_a_thread_dies_with_it(own_server: RedisServer, raw: redis.Redis) -> None:
    store = store_at(own_server.url)
    store.get([ROW])
    mine = connections_of(raw)
    thread = threading.Thread(target=store.get, args=([ROW],))
    thread.start()
    thread.join()
    gc.collect()
    while connections_of(raw) != mine:                              # the server hears of it a moment later
        time.sleep(0.005)
    store.forget()
    while connections_of(raw):
        time.sleep(0.005)
    assert store.get([ROW]) == [None]


def in_child(work: Callable[[], bool]) -> bool:
    """Run ``work`` in a forked child; return whether it returned True there."""
    pid = os.fork()
    if pid == 0:
        outcome = 1
        try:
            outcome = 0 if work() else 1
        finally:
            os._exit(outcome)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own(own_server: RedisServer, raw: redis.Redis) -> None:
    store, answers = store_at(own_server.url), list[int | StoreError]()
    store.put([("cc:e:1", b"1"), ("cc:e:2", b"2")], ttl=600.0)
    store.take([ANY])
    parents = connections_of(raw)
    store.mark([ANY], "w1", ttl=FAR)
    store.resolve_soon([ANY], "w1", answers.append)

    def child() -> bool:
        right = all(store.get(["cc:e:2"]) == [b"2"] for _ in range(50))
        with redis.Redis.from_url(own_server.url) as other:
            return right and len(connections_of(other) - parents) == 2 and answers == []    # its own, and the parent's ``raw``
    assert in_child(child)
    assert store.get(["cc:e:1"]) == [b"1"]
    assert answers == [1], "told to the parent alone"
    assert connections_of(raw) == parents, "the child has not ended the parent's connection"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_inherit_what_was_in_memory() -> None:
    store = MemoryStore(KEYSPACE)
    epoch = store.take([ROW]).epoch
    store.put([("cc:e:1", b"1")], ttl=60.0)
    assert in_child(lambda: store.get(["cc:e:1"]) == [None] and store.take([ROW]).epoch != epoch)
    assert store.get(["cc:e:1"]) == [b"1"]


def test_a_callback_that_asks_again_after_a_failure_is_answered(own_server: RedisServer) -> None:
    store, counts = store_at(own_server.url), list[int]()
    store.take([ROW])
    store.mark([ROW], "w1", ttl=FAR)
    own_server.pause()
    store.resolve_soon([ROW], "w1", lambda answer: counts.append(store.resolve([ROW], "w1")) if isinstance(answer, StoreError) else None)
    own_server.kill()
    own_server.start()
    store.take([ROW])
    assert counts == [0], "the mark went with the server"
    assert is_clean(store.get([ROW])[0])


def test_each_outage_is_logged_when_it_begins_and_when_it_ends_also_if_only_reads_meet_it(
    own_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = store_at(own_server.url, trip=TripSwitch(clock=itertools.count(step=10).__next__))
    with caplog.at_level(logging.INFO, logger="cache_consistency"):
        for _ in range(2):
            caplog.clear()
            store.get([ROW])
            own_server.kill()
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    store.get([ROW])
                events.warn_once("unmarked", "said once an outage")
            own_server.start()
            store.get([ROW])
            assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
            assert "does not answer" in caplog.messages[0]
            assert "answers again" in caplog.messages[2]
