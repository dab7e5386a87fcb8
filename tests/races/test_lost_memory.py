"""
A store that forgets, or remembers what is long over: FLUSHALL, ``cache.clear()``, a restart that is empty or from an old dump.

The worst moment is between MARK and COMMIT: the mark is gone, the row is still the old one, and whoever fills now would be believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis
from django.core.cache import caches
from pytest_django import Settings

from cache_consistency.testing.servers import RedisServer, find_redis_server
from tests.servers import require
from tests.shelf.stage import Stage


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A redis-server of this test's own, to be killed and started again."""
    require(find_redis_server)
    with RedisServer() as running:
        yield running


@pytest.fixture
def consistent(server: RedisServer, settings: Settings) -> str:
    settings.CACHES = {**settings.CACHES, "consistent": {**settings.CACHES["consistent"], "LOCATION": server.url}}
    return "consistent"


def flush_all(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()


def clear_cache(server: RedisServer) -> None:
    caches["consistent"].clear()


def restart_empty(server: RedisServer) -> None:
    server.kill()
    server.start_empty()


def restart_from_the_dump(server: RedisServer) -> None:
    server.kill()
    server.start()


LOSSES = {
    "FLUSHALL": flush_all,
    "cache.clear()": clear_cache,
    "restart, empty": restart_empty,
    "restart, from an old dump": restart_from_the_dump,
}
losses = pytest.mark.parametrize("loss", LOSSES)


@losses
def test_an_entry_from_before_the_loss_is_not_served_after_it(stage: Stage, server: RedisServer, loss: str) -> None:
    """t=0 an entry stands, and is dumped; t=1 a write; t=2 the loss (which may bring entry and tags back); t=3 the row is the new one."""
    book = stage.book()
    stage.warm(book.pk)
    server.dump()
    stage.books.filter(pk=book.pk).update(version=2)
    LOSSES[loss](server)
    assert stage.served_version(book.pk) is None
    assert stage.version(book.pk) == 2


@losses
def test_a_mark_that_was_lost_before_commit_lets_nobody_store_the_past(
    make_stage: Callable[..., Stage], server: RedisServer, loss: str
) -> None:
    """t=0 MARK; t=1 the loss; t=2 a reader loads the old row; t=3 COMMIT; t=4 readers, before and after RESOLVE."""
    calm = make_stage(QUARANTINE=0)
    book = calm.book()
    calm.warm(book.pk)
    server.dump()
    stage = make_stage(QUARANTINE=60, NAMESPACE=calm.store.keyspace.namespace)
    seen: list[int | None] = []

    def lose_and_read() -> None:
        LOSSES[loss](server)
        seen.append(stage.elsewhere(lambda: stage.version(book.pk)))
    stage.store.after("mark", lose_and_read)
    stage.store.before("resolve", lambda: seen.append(stage.elsewhere(lambda: stage.version(book.pk))))
    stage.books.filter(pk=book.pk).update(version=2)
    assert seen == [1, 2]
    assert stage.version(book.pk) == 2
    assert stage.store.moves["put"] == 0, "a fresh epoch stores nothing for as long as a mark may have lived"


@losses
def test_the_quarantine_ends_by_itself(make_stage: Callable[..., Stage], server: RedisServer, loss: str) -> None:
    calm = make_stage(QUARANTINE=0)
    book = calm.book()
    calm.warm(book.pk)
    server.dump()
    stage = make_stage(QUARANTINE=0.5, NAMESPACE=calm.store.keyspace.namespace)
    LOSSES[loss](server)
    stage.until_served(book.pk)
    assert stage.version(book.pk) == 1


@losses
def test_a_reader_that_took_before_the_loss_stores_nothing_that_is_served(stage: Stage, server: RedisServer, loss: str) -> None:
    """t=0 TAKE; t=1 elsewhere a whole write, then the loss; t=2 the reader stores the old row under an epoch that is over."""
    book = stage.book()
    stage.version(book.pk)
    flush_all(server)
    server.dump()

    def write_and_lose() -> None:
        stage.books.filter(pk=book.pk).update(version=2)
        LOSSES[loss](server)
    stage.store.after("take", lambda: stage.elsewhere(write_and_lose))
    stage.version(book.pk)
    assert stage.served_version(book.pk) is None
    assert stage.version(book.pk) == 2


def test_scripts_that_the_server_has_forgotten_are_sent_again(stage: Stage, server: RedisServer) -> None:
    book = stage.book()
    stage.warm(book.pk)
    with redis.Redis.from_url(server.url) as client:
        client.script_flush()
    stage.books.filter(pk=book.pk).update(version=2)
    assert stage.version(book.pk) == 2
    assert stage.served_version(book.pk) == 2


def test_marks_that_somebody_deletes_are_noticed(stage: Stage, server: RedisServer) -> None:
    from cache_consistency import events
    heard: list[str] = []
    unsubscribe = events.subscribe(lambda event: heard.append(event.what))
    book = stage.book()

    def delete_marks() -> None:
        with redis.Redis.from_url(server.url) as client:
            client.delete(*stage.store.marked[-1][0])
    stage.store.after("mark", delete_marks)
    stage.books.filter(pk=book.pk).update(version=2)
    stage.store.flush_replies()
    unsubscribe()
    assert "lost_marks" in heard
