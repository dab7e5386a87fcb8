"""Several writers on one tag, writers whose acknowledgement or answer is lost, and commands that arrive twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis
from django.db import OperationalError

from cache_consistency.exceptions import StoreUnavailable
from cache_consistency.stores.scripts import script
from tests.shelf.stage import DEADLINE, Elsewhere, Stage


def test_the_first_of_two_writers_does_not_open_a_tag_for_the_second(stage: Stage) -> None:
    """
    t=0 A has committed and is about to resolve; t=1 B marks; t=2 A resolves; t=3 readers come; t=4 B commits and resolves.

    Both rows have the same value in a lookup, so that both mark the tag of one list.
    """
    first, second = stage.book(mark="B"), stage.book(mark="B")
    def read() -> list[int]:
        return [book.version for book in stage.cached.filter(mark="B").order_by("pk")]
    read()
    assert stage.asked(read) == ([1, 1], 0)
    with stage.held(lambda: stage.books.filter(pk=first.pk).update(version=2), when="before", move="resolve") as other:

        def resolve_and_read() -> None:
            other.finish()
            for _ in range(2):
                assert stage.elsewhere(lambda: stage.asked(read)) == ([2, 1], 1), "the tag is B's, so nothing is served or stored"
        stage.store.after("mark", resolve_and_read)
        stage.books.filter(pk=second.pk).update(version=5)
    assert stage.asked(read) == ([2, 5], 1)
    assert stage.asked(read) == ([2, 5], 0)


@contextmanager
def a_writer_about_to_commit(stage: Stage, pk: int) -> Iterator[None]:
    """
    Have a writer of this row stand between MARK and COMMIT while the block runs.

    SQLite lets nobody else write meanwhile, so there the store is told what such a writer (of another table, say) would have told it.
    """
    if stage.connection.vendor == "postgresql":
        with stage.held(lambda: stage.books.filter(pk=pk).update(version=2), when="after", move="mark"):
            yield
        return
    stage.books.filter(pk=pk).update(version=1)
    tags, _ = stage.store.marked[-1]
    stage.store.inner.mark(sorted(tags), "another", ttl=10)
    yield
    stage.books.filter(pk=pk).update(version=2)
    stage.store.inner.resolve(sorted(tags), "another")


def test_the_second_of_two_writers_does_not_open_a_tag_for_the_first(stage: Stage) -> None:
    """t=0 A marks; t=1 B marks, commits, resolves; t=2 readers come: the tag is still A's; t=3 A commits and resolves."""
    first, second = stage.book(mark="B"), stage.book(mark="B")

    def read() -> list[int]:
        return [book.version for book in stage.cached.filter(mark="B").order_by("pk")]
    with a_writer_about_to_commit(stage, first.pk):
        stage.books.filter(pk=second.pk).update(version=5)
        for _ in range(2):
            assert stage.asked(read) == ([1, 5], 1)
    assert stage.asked(read) == ([2, 5], 1)
    assert stage.asked(read) == ([2, 5], 0)


def test_a_commit_whose_acknowledgement_is_lost_is_invalidated_like_any_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """t=0 the server commits; t=1 its answer is lost, the driver raises; t=2 nobody is served the row from before."""
    book = stage.book()
    stage.warm(book.pk)
    connection = stage.connection
    really_commit = connection._commit

    def commit_and_lose_the_answer() -> None:
        really_commit()
        raise OperationalError("server closed the connection unexpectedly")
    monkeypatch.setattr(connection, "_commit", commit_and_lose_the_answer)
    with pytest.raises(OperationalError), stage.atomic():
        stage.books.filter(pk=book.pk).update(version=2)
    monkeypatch.undo()
    assert stage.elsewhere(lambda: stage.version(book.pk)) == 2
    assert stage.version(book.pk) == 2
    stage.books.filter(pk=book.pk).update(version=3)
    assert stage.version(book.pk) == 3, "the connection goes on"


def test_a_resolve_that_is_executed_twice_brings_no_old_version_back(stage: Stage, redis_url: str) -> None:
    """t=0 RESOLVE; t=1 a fill under its version; t=2 another write; t=3 the same RESOLVE, byte for byte, once more."""
    book = stage.book()
    stage.books.filter(pk=book.pk).update(version=2)
    tags, token = stage.store.marked[-1]
    with redis.Redis.from_url(redis_url) as client:

        def resolve() -> None:
            client.execute_command("EVALSHA", script("resolve").sha, len(tags), *sorted(tags), token, "R" * 24, "86400000", "0")
        resolve()
        stage.warm(book.pk)
        stage.books.filter(pk=book.pk).update(version=3)
        resolve()
    assert stage.served_version(book.pk) is None
    assert stage.served_version(book.pk) == 3


def test_a_resolve_that_comes_late_does_not_open_a_tag_for_another_writer(stage: Stage) -> None:
    book = stage.book()
    stage.books.filter(pk=book.pk).update(version=2)
    tags, token = stage.store.marked[-1]

    def late() -> None:
        stage.store.inner.resolve(sorted(tags), token)
        assert stage.elsewhere(lambda: stage.served_version(book.pk)) is None
        assert stage.elsewhere(lambda: stage.served_version(book.pk)) is None
    stage.store.after("mark", late)
    stage.books.filter(pk=book.pk).update(version=3)
    stage.version(book.pk)
    assert stage.served_version(book.pk) == 3


def test_a_mark_that_took_long_is_sent_again_before_commit(make_stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock that the writer looks at says that a quarter of the mark's life has passed since it was sent."""
    stage = make_stage(MARK_TTL=10)
    book = stage.book()
    clock = [0.0]
    monkeypatch.setattr("cache_consistency.invalidation.service.time.monotonic", lambda: clock[0])
    stage.store.moves.clear()
    stage.store.after("mark", lambda: clock.__setitem__(0, 2.6))
    stage.books.filter(pk=book.pk).update(version=2)
    assert stage.store.moves["mark"] == 2
    assert len({token for _, token in stage.store.marked[-2:]}) == 1


def test_a_dead_token_is_not_kept_alive_by_the_writers_that_follow(make_stage: Callable[..., Stage]) -> None:
    """Each token has a deadline of its own: the dead writer's ends, however many others mark the tag meanwhile."""
    stage = make_stage(MARK_TTL=10)
    book = stage.book()
    stage.books.filter(pk=book.pk).update(version=2)
    tags, _ = stage.store.marked[-1]
    stage.store.inner.mark(sorted(tags), "dead", ttl=0.3)
    begun = threading.Event()
    done, deadline = 0, threading.Timer(DEADLINE, begun.set)
    deadline.start()
    while stage.served_version(book.pk) is None and not begun.is_set():
        done += 1
        stage.books.filter(pk=book.pk).update(version=2 + done)
        stage.version(book.pk)
    deadline.cancel()
    assert not begun.is_set(), "the dead writer's token keeps everybody off"
    assert stage.version(book.pk) == 2 + done


@pytest.mark.parametrize("arrived", [False, True])
def test_a_resolve_without_an_answer_keeps_readers_off_and_is_paid_later(stage: Stage, arrived: bool) -> None:
    book = stage.book()
    stage.warm(book.pk)

    def lost() -> None:
        raise StoreUnavailable("no answer")
    (stage.store.after if arrived else stage.store.before)("resolve", lost)
    stage.books.filter(pk=book.pk).update(version=2)
    assert stage.version(book.pk) == 2
    assert stage.elsewhere(lambda: stage.version(book.pk)) == 2
    from cache_consistency.invalidation.retry import queue
    thread = queue._thread
    if thread is not None:
        thread.join(DEADLINE)
    assert queue.waiting() == 0
    stage.version(book.pk)
    assert stage.served_version(book.pk) == 2


def test_a_row_leaves_the_list_it_was_in_though_the_instance_never_knew(stage: Stage) -> None:
    """t=0 an instance is loaded, mark A; t=1 elsewhere the row moves to B; t=2 the instance is saved with mark C: the list of B changes."""
    book = stage.book(mark="A")
    stage.elsewhere(lambda: stage.books.filter(pk=book.pk).update(mark="B"))
    def read() -> list[int]:
        return [found.pk for found in stage.cached.filter(mark="B")]
    read()
    assert stage.asked(read) == ([book.pk], 0)
    book.mark = "C"
    book.save()
    assert stage.asked(read) == ([], 1)


def test_a_writer_that_waited_for_another_invalidates_what_that_one_left(stage: Stage) -> None:
    """t=0 A moves a row to B and has its lock; t=1 the subject moves it to C and waits; t=2 A commits: the old value is B, not A."""
    if stage.connection.vendor == "sqlite":
        pytest.skip("one writer at a time: nobody waits with an old snapshot")
    book = stage.book(mark="A")
    waiting = Elsewhere(lambda: stage.books.filter(pk=book.pk).update(mark="C"))
    with stage.held(lambda: stage.books.filter(pk=book.pk).update(mark="B"), when="after", move="mark"):
        waiting.start()
        _until_somebody_waits_for_a_lock(stage)
    waiting.finish()
    tags, _ = stage.store.marked[-1]
    marks = sorted(tag for tag in tags if ":col:mark=" in tag)
    stage.books.filter(pk=book.pk).update(mark="B")
    assert marks == sorted(tag for tag in stage.store.marked[-1][0] if ":col:mark=" in tag)


def _until_somebody_waits_for_a_lock(stage: Stage) -> None:
    over = threading.Event()
    deadline = threading.Timer(DEADLINE, over.set)
    deadline.start()
    with stage.connection.cursor() as cursor:
        while not over.is_set():
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
            if cursor.fetchone()[0]:
                deadline.cancel()
                return
    raise AssertionError("nobody waits")
