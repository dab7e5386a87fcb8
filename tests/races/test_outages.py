"""A store that is away: reads are answered by the database, writes commit, and nobody waits twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from django.db import transaction
from pytest_django import Settings

from cache_consistency.exceptions import StoreUnavailable
from cache_consistency.invalidation.retry import RetryQueue, queue
from cache_consistency.testing.servers import RedisServer, find_redis_server
from tests.servers import require
from tests.shelf.stage import DEADLINE, Stage


@pytest.fixture
def server() -> Iterator[RedisServer]:
    require(find_redis_server)
    with RedisServer() as running:
        yield running


@pytest.fixture
def consistent(server: RedisServer, settings: Settings) -> str:
    settings.CACHES = {**settings.CACHES, "consistent": {**settings.CACHES["consistent"], "LOCATION": server.url}}
    return "consistent"


def test_a_store_that_hangs_costs_one_timeout_and_the_database_answers(make_stage: Callable[..., Stage], server: RedisServer) -> None:
    stage = make_stage(TIMEOUT=0.3)
    book = stage.book()
    stage.warm(book.pk)
    server.pause()
    try:
        began = time.monotonic()
        assert stage.version(book.pk) == 1
        first = time.monotonic() - began
        began = time.monotonic()
        assert [stage.version(book.pk) for _ in range(5)] == [1] * 5
        others = time.monotonic() - began
    finally:
        server.resume()
    assert first >= 0.3
    assert others < 0.3, "the second call does not wait again"


def test_a_write_without_a_store_commits_and_is_invalidated_when_the_store_is_back(
    make_stage: Callable[..., Stage], server: RedisServer
) -> None:
    """t=0 an entry stands; t=1 the store hangs; t=2 a write; t=3 its own process reads the new row; t=4 the store is back."""
    stage = make_stage(TIMEOUT=0.2)
    book = stage.book()
    stage.warm(book.pk)
    server.pause()
    try:
        stage.books.filter(pk=book.pk).update(version=2)
        assert stage.version(book.pk) == 2
        assert queue.waiting() == 1
    finally:
        server.resume()
    assert stage.version(book.pk) == 2, "not served from the cache while the invalidation is owed"
    thread = queue._thread
    if thread is not None:
        thread.join(DEADLINE)
    assert queue.waiting() == 0
    stage.until_served(book.pk)
    assert stage.version(book.pk) == 2


def test_what_this_process_owes_the_store_it_does_not_read_from_the_cache(
    make_stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither MARK nor RESOLVE arrived, so the old entry stands and looks good; this process knows better until the debt is paid."""
    stage = make_stage()
    book = stage.book()
    stage.warm(book.pk)

    def lost() -> None:
        raise StoreUnavailable("no answer")
    with monkeypatch.context() as patch:
        patch.setattr(RetryQueue, "pay", lambda self: False)
        stage.store.before("mark", lost)
        stage.store.before("resolve", lost)
        stage.books.filter(pk=book.pk).update(version=2)
        assert stage.asked(lambda: stage.version(book.pk)) == (2, 1)
        assert stage.elsewhere(lambda: stage.asked(lambda: stage.version(book.pk))) == (2, 1)
    thread = queue._thread
    if thread is not None:
        thread.join(DEADLINE)
    stage.until_served(book.pk)
    assert stage.version(book.pk) == 2


def test_the_connection_works_after_a_commit_without_a_store(make_stage: Callable[..., Stage], server: RedisServer) -> None:
    stage = make_stage(TIMEOUT=0.2)
    book = stage.book()
    ran: list[int] = []
    server.kill()
    with stage.atomic():
        stage.books.filter(pk=book.pk).update(version=2)
        transaction.on_commit(lambda: ran.append(1), using=stage.database)
    stage.books.filter(pk=book.pk).update(version=3)
    assert ran == [1]
    assert stage.books.get(pk=book.pk).version == 3
    server.start()
    thread = queue._thread
    if thread is not None:
        thread.join(DEADLINE)
    stage.until_served(book.pk)
    assert stage.version(book.pk) == 3
