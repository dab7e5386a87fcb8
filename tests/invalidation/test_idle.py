"""RESOLVEs whose answer nobody waits for are executed all the same, also by those who write once and then do nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.core.signals import request_finished
from django.dispatch import Signal

from cache_consistency.capture.tagging import table_tags
from cache_consistency.invalidation import idle
from cache_consistency.protocol.versions import is_clean
from cache_consistency.stores import RedisStore
from tests.reading.desk import Desk
from tests.reading.models import Thing

PROGRAM = """
import os, sys
import django
django.setup()
from cache_consistency import stores
from tests.reading.models import Thing
alias, when = sys.argv[1:]
store = stores.current()
if when == "between":
    import redis
    mark = store.mark
    def mark_and_forget(*args, **kwargs):
        mark(*args, **kwargs)
        redis.Redis.from_url(os.environ["CACHE_CONSISTENCY_TEST_REDIS_URL"]).script_flush()
    store.resolve_soon(["x"], "t", lambda answer: None)
    store.flush_replies()
    store.mark = mark_and_forget
if when == "killed":
    store.flush_replies = None
Thing.objects.using(alias).update(stock=5)
if when == "killed":
    os._exit(0)
"""


@pytest.fixture
def real(make_desk: Callable[..., Desk], redis_url: str) -> Desk:
    return make_desk(store="redis")


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def state_in(raw: redis.Redis, desk: Desk) -> bytes:
    """Ask past the store, which would read what is open first."""
    state = raw.get(any_tag(desk))
    assert isinstance(state, bytes)
    return state


def any_tag(desk: Desk) -> str:
    return table_tags(desk.connection, Thing._meta.db_table).any


@pytest.mark.parametrize("when", ["between", "killed"])
def test_a_process_that_writes_once_after_the_server_forgot_its_scripts_leaves_nothing_pending(
    real: Desk, raw: redis.Redis, child_environment: dict[str, str], when: str
) -> None:
    real.thing("a")
    real.store.flush_replies()
    before = state_in(raw, real)
    raw.script_flush()
    ours = {"CACHE": "consistent", "NAMESPACE": real.store.keyspace.namespace, "QUARANTINE": "0", "TIMEOUT": "5"}
    environment = {**child_environment, **{f"CACHE_CONSISTENCY_{name}": value for name, value in ours.items()}}
    command = [sys.executable, "-c", PROGRAM, real.alias, when]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert list(real.plain().values_list("stock", flat=True)) == [5]
    assert is_clean(state_in(raw, real))
    assert state_in(raw, real) != before


def test_a_thread_that_writes_once_and_then_waits_leaves_nothing_pending(real: Desk, raw: redis.Redis) -> None:
    assert isinstance(real.store, RedisStore)
    tag, wrote, done = "x:t:1.table:any", threading.Event(), threading.Event()

    def write() -> None:
        real.store.mark([tag], "w", ttl=60.0)
        real.store.resolve_soon([tag], "w", lambda answer: None)
        wrote.set()
        done.wait(60)
    real.store.take([tag])
    raw.script_flush()
    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert wrote.wait(60)
        assert is_clean(real.store.get([tag])[0])
    finally:
        done.set()
        thread.join()


@pytest.fixture
def forgetful(real: Desk, raw: redis.Redis) -> Desk:
    """The server forgets its scripts between each MARK and its RESOLVE."""
    store: Any = real.store
    mark = store.mark

    def mark_and_forget(*args: Any, **kwargs: Any) -> None:
        mark(*args, **kwargs)
        raw.script_flush()
    real.thing("first")
    store.flush_replies()
    store.mark = mark_and_forget
    return real


def test_the_end_of_a_request_reads_what_is_open(forgetful: Desk, raw: redis.Redis) -> None:
    forgetful.thing("a")
    assert not is_clean(state_in(raw, forgetful)), "nobody has read NOSCRIPT yet"
    request_finished.send(sender=None)
    assert is_clean(state_in(raw, forgetful))


def test_the_end_of_a_celery_task_reads_what_is_open_if_celery_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    signals: Any = types.ModuleType("celery.signals")
    signals.task_postrun = Signal()
    idle.connect()
    assert not signals.task_postrun.receivers
    monkeypatch.setitem(sys.modules, "celery", types.ModuleType("celery"))
    monkeypatch.setitem(sys.modules, "celery.signals", signals)
    idle.connect()
    idle.connect()
    assert len(signals.task_postrun.receivers) == 1
    assert signals.task_postrun.send(sender="task", task_id="1", state="SUCCESS") == [(idle.about_to_be_idle, None)]
