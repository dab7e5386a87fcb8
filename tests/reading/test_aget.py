"""Reads in coroutines: right wherever they run, cached, and a hit of ``aget`` that never leaves the event loop."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
import redis
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections, transaction
from django.db.models import Model, Sum
from django.db.models.signals import post_init

from cache_consistency import events, no_cache, stores
from cache_consistency.exceptions import StoreTimeout
from cache_consistency.stores.alias import recipe_from_pool
from cache_consistency.stores.redis import RedisStore
from cache_consistency.stores.trip import TripSwitch
from cache_consistency.testing.servers import RedisServer
from tests.shelf.models import Author, Book, Topic
from tests.shelf.stage import Stage

Result = TypeVar("Result")


def run(main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine as a server does: queries go to a thread of their own, whose connections are closed at the end."""
    async def whole() -> Result:
        try:
            return await main()
        finally:
            await sync_to_async(connections.close_all)()
    return asyncio.run(whole())


async def hops(read: Callable[[], Coroutine[Any, Any, Result]]) -> tuple[Result, int]:
    """Return what a read gives, and how often a thread was asked meanwhile."""
    loop, calls = asyncio.get_running_loop(), list[object]()
    method = loop.run_in_executor

    def call(*args: Any) -> Any:
        calls.append(args)
        return method(*args)
    loop.run_in_executor = call                                     # type: ignore[method-assign, assignment]
    try:
        return await read(), len(calls)
    finally:
        loop.run_in_executor = method                               # type: ignore[method-assign]


async def warm(stage: Stage, **lookup: Any) -> None:
    """Have an entry stand, the store connected to this loop, and a plan made."""
    for _ in range(2):
        await stage.cached.aget(**lookup)
    assert (await hops(lambda: stage.cached.aget(**lookup)))[1] == 0, "nothing is cached"


@pytest.mark.parametrize("name", ["pk", "id", "isbn"])
def test_a_hit_does_not_leave_the_event_loop(stage: Stage, name: str) -> None:
    book = stage.book(title="one")
    lookup = {name: book.isbn if name == "isbn" else book.pk}

    async def main() -> tuple[Book, int]:
        await warm(stage, **lookup)
        stage.store.moves.clear()
        return await hops(lambda: stage.cached.aget(**lookup))
    found, hopped = run(main)
    assert (found.pk, found.title, found._state.db, found._state.adding) == (book.pk, "one", stage.database, False)
    assert hopped == 0
    assert stage.store.moves == {"aget": 1}


def test_a_lookup_of_several_rows_says_so_as_django(stage: Stage) -> None:
    stage.book(mark="B")
    stage.book(mark="B")

    async def main() -> tuple[str, str, int]:
        texts = []
        for manager in (stage.books, stage.cached, stage.cached):
            with pytest.raises(Book.MultipleObjectsReturned) as caught:
                await manager.aget(mark="B")
            texts.append(str(caught.value))
        _, hopped = await hops(lambda: raises(Book.MultipleObjectsReturned, stage.cached.aget(mark="B")))
        assert texts[0] == texts[1] == texts[2]
        return texts[1], texts[2], hopped
    assert run(main)[2] == 0


async def raises(error: type[Exception], read: Coroutine[Any, Any, object]) -> None:
    with pytest.raises(error):
        await read


def test_that_a_row_is_missing_is_a_hit_too_until_it_is_inserted(stage: Stage) -> None:
    async def main() -> int:
        for _ in range(2):
            await raises(Book.DoesNotExist, stage.cached.aget(pk=77))
        _, hopped = await hops(lambda: raises(Book.DoesNotExist, stage.cached.aget(pk=77)))
        await stage.books.acreate(pk=77, isbn="77")
        assert (await stage.cached.aget(pk=77)).isbn == "77"
        return hopped
    assert run(main) == 0


def test_a_miss_is_one_hop_and_fills(stage: Stage) -> None:
    book = stage.book()

    async def main() -> tuple[int, int]:
        other = await stage.books.acreate(isbn="other")
        await warm(stage, pk=book.pk)
        before = events.total("miss", subject="shelf.Book")
        _, hopped = await hops(lambda: stage.cached.aget(pk=other.pk))
        assert events.total("miss", subject="shelf.Book") == before + 1, "counted once"
        _, again = await hops(lambda: stage.cached.aget(pk=other.pk))
        return hopped, again
    assert run(main) == (1, 0)


def test_a_hit_is_counted_once(stage: Stage) -> None:
    book = stage.book()

    async def main() -> None:
        await warm(stage, pk=book.pk)
        events.reset()
        await stage.cached.aget(pk=book.pk)
        await stage.cached.aget_many([book.pk])
        assert events.total("hit", subject="shelf.Book") == 2
        assert events.total("miss") == 0
    run(main)


def test_a_write_is_seen_by_the_next_read_whoever_wrote(stage: Stage) -> None:
    book = stage.book()

    async def main() -> None:
        await warm(stage, pk=book.pk)
        await stage.books.filter(pk=book.pk).aupdate(version=2)
        assert (await stage.cached.aget(pk=book.pk)).version == 2
        await warm(stage, pk=book.pk)
        await asyncio.to_thread(stage.elsewhere, lambda: stage.books.filter(pk=book.pk).update(version=3))
        assert (await stage.cached.aget(pk=book.pk)).version == 3
        await warm(stage, pk=book.pk)
    run(main)


def test_a_write_between_question_and_answer_is_not_hidden_by_the_answer(stage: Stage) -> None:
    """t=0 the store has answered; t=1 elsewhere a whole write; t=2 the task gets what stood before: its read began before the write."""
    book = stage.book()

    async def main() -> tuple[int, int]:
        await warm(stage, pk=book.pk)
        stage.store.after("aget", lambda: stage.elsewhere(lambda: stage.books.filter(pk=book.pk).update(version=2)))
        overtaken = await stage.cached.aget(pk=book.pk)
        return overtaken.version, (await stage.cached.aget(pk=book.pk)).version
    assert run(main) == (1, 2)


def test_nobody_shares_an_instance(stage: Stage) -> None:
    book = stage.book()

    async def main() -> None:
        await warm(stage, pk=book.pk)
        first, second = await asyncio.gather(stage.cached.aget(pk=book.pk), stage.cached.aget(pk=book.pk))
        first.title = "mine"
        assert second.title == ""
    run(main)


def test_two_hundred_reads_at_once_are_each_answered_right(stage: Stage) -> None:
    pks = [stage.book(title=f"t{number}").pk for number in range(20)]

    async def main() -> tuple[list[str], int]:
        await asyncio.gather(*(stage.cached.aget(pk=pk) for pk in pks))
        await warm(stage, pk=pks[0])

        async def titles() -> list[str]:
            return [book.title for book in await asyncio.gather(*(stage.cached.aget(pk=pk) for pk in pks * 10))]
        return await hops(titles)
    found, hopped = run(main)
    assert found == [f"t{number}" for number in range(20)] * 10
    assert hopped == 0


def test_two_hundred_tasks_that_miss_the_same_row_ask_the_database_once(stage: Stage) -> None:
    book, first = stage.book(), stage.book()

    async def main() -> int:
        await warm(stage, pk=first.pk)
        stage.store.moves.clear()
        found = await asyncio.gather(*(stage.cached.aget(pk=book.pk) for _ in range(200)))
        assert {each.pk for each in found} == {book.pk}
        return stage.store.moves["take"]
    assert run(main) == 1


def test_many_at_once_are_one_question_and_missing_ones_are_left_out(stage: Stage) -> None:
    pks = [stage.book().pk for _ in range(5)]
    wanted = [pks[3], 999, pks[0], pks[3]]

    async def main() -> tuple[dict[Any, Any], int]:
        await warm(stage, pk=pks[0])
        await stage.cached.aget_many(wanted)
        stage.store.moves.clear()
        return await hops(lambda: stage.cached.aget_many(wanted))
    found, hopped = run(main)
    assert list(found) == [pks[3], pks[0]]
    assert [book.pk for book in found.values()] == [pks[3], pks[0]]
    assert hopped == 0
    assert stage.store.moves == {"aget": 1}


def test_many_of_which_some_are_misses_are_one_hop(stage: Stage) -> None:
    pks = [stage.book().pk for _ in range(4)]

    async def main() -> tuple[list[int], int]:
        await warm(stage, pk=pks[0])
        found, hopped = await hops(lambda: stage.cached.aget_many(pks))
        assert (await hops(lambda: stage.cached.aget_many(pks)))[1] == 0
        return list(found), hopped
    assert run(main) == (pks, 1)
    assert asyncio.run(stage.cached.aget_many([])) == {}


# Own uncommitted writes, and transactions.


def test_a_coroutine_inside_atomic_sees_what_its_caller_wrote(stage: Stage) -> None:
    book = stage.book()
    stage.warm(book.pk)

    async def read() -> int:
        version: int = (await stage.cached.aget(pk=book.pk)).version
        many = await stage.cached.aget_many([book.pk])
        assert many[book.pk].version == version
        return version
    assert async_to_sync(read)() == 1
    with stage.atomic():
        stage.books.filter(pk=book.pk).update(version=2)
        assert async_to_sync(read)() == 2
        transaction.set_rollback(True, using=stage.database)
    assert async_to_sync(read)() == 1, "rolled back, and nothing of it was stored"
    assert stage.version(book.pk) == 1


def test_a_coroutine_and_its_tasks_inside_atomic_read_in_the_callers_transaction(stage: Stage) -> None:
    """SQLite's transaction is one snapshot: what was committed elsewhere meanwhile is not in it, for a coroutine neither."""
    book = stage.book()
    stage.warm(book.pk)

    async def read() -> tuple[int, int]:
        async def task() -> int:
            version: int = (await stage.cached.aget(pk=book.pk)).version
            return version
        return await task(), await asyncio.create_task(task())
    with stage.atomic():
        expected = stage.books.get(pk=book.pk).version
        _, queries = stage.asked(lambda: async_to_sync(read)())
        assert async_to_sync(read)() == (expected, expected)
    assert queries == (2 if stage.connection.vendor == "sqlite" else 0)


def test_a_coroutine_that_sync_code_of_a_running_loop_calls_inside_atomic_reads_in_that_transaction(stage: Stage) -> None:
    """As an async view does behind a sync middleware that opens a transaction."""
    book = stage.book()

    async def read() -> tuple[int, int]:
        found, hopped = await hops(lambda: stage.cached.aget(pk=book.pk))
        return found.version, hopped

    def middleware() -> tuple[int, int]:
        with stage.atomic():
            return async_to_sync(read)()

    async def main() -> tuple[int, int]:
        await warm(stage, pk=book.pk)
        return await sync_to_async(middleware)()
    assert run(main) == (1, 1)


def test_what_a_coroutine_wrote_inside_atomic_is_seen_by_it_and_by_its_caller(stage: Stage) -> None:
    book = stage.book()
    stage.warm(book.pk)

    async def write_and_read() -> int:
        await stage.books.filter(pk=book.pk).aupdate(version=5)
        version: int = (await stage.cached.aget(pk=book.pk)).version
        return version
    with stage.atomic():
        assert async_to_sync(write_and_read)() == 5
        assert stage.version(book.pk) == 5
    assert stage.version(book.pk) == 5


def test_a_transaction_that_a_coroutine_keeps_open_by_hand_is_read_in(stage: Stage) -> None:
    book = stage.book()

    async def main() -> tuple[int, int, int]:
        await warm(stage, pk=book.pk)
        await sync_to_async(transaction.set_autocommit)(False, using=stage.database)
        try:
            await stage.books.filter(pk=book.pk).aupdate(version=2)
            inside = (await stage.cached.aget(pk=book.pk)).version
            task = (await asyncio.create_task(stage.cached.aget(pk=book.pk))).version
            await sync_to_async(transaction.rollback)(using=stage.database)
        finally:
            await sync_to_async(transaction.set_autocommit)(True, using=stage.database)
        return inside, task, (await stage.cached.aget(pk=book.pk)).version
    assert run(main) == (2, 2, 1)


def test_a_loop_that_is_run_inside_atomic_asks_the_database_as_django_does(stage: Stage) -> None:
    """Without ``async_to_sync`` Django reads on a thread of its own, outside the block."""
    book = stage.book()
    stage.warm(book.pk)

    async def main() -> tuple[int, int]:
        (found, hopped) = await hops(lambda: stage.cached.aget(pk=book.pk))
        return found.version, hopped
    if stage.connection.vendor == "sqlite":
        pytest.skip("one snapshot a transaction: nothing is served inside, whatever runs there")
    with stage.atomic():
        stage.books.filter(pk=book.pk).update(version=2)
        version, hopped = run(main)
        assert hopped > 0
        assert version == 1


# Switches, and what is not for the event loop.


def test_switched_off_or_opted_out_it_asks_the_database_and_stores_nothing(
    make_stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make_stage(READS="off")
    book = stage.book()

    async def main() -> int:
        return sum([(await hops(lambda: stage.cached.aget(pk=book.pk)))[1] for _ in range(2)])
    assert run(main) == 2
    assert stage.store.moves["get"] == stage.store.moves["aget"] == 0


def test_inside_no_cache_the_database_answers(stage: Stage) -> None:
    book = stage.book()

    async def main() -> int:
        await warm(stage, pk=book.pk)
        with no_cache():
            stage.store.moves.clear()
            _, hopped = await hops(lambda: stage.cached.aget(pk=book.pk))
            await stage.cached.aget_many([book.pk])
        return hopped
    assert run(main) == 1
    assert not stage.store.moves


def test_in_shadow_mode_the_database_answers(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(READS="shadow", SHADOW_SHARE=1.0)
    book = stage.book()

    async def main() -> int:
        await stage.cached.aget(pk=book.pk)
        return (await hops(lambda: stage.cached.aget(pk=book.pk)))[1]
    assert run(main) == 1
    assert stage.store.moves["aget"] == 0


def test_what_varies_with_the_connection_is_read_by_the_thread_that_has_it(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(VARY=lambda connection: getattr(connection, "tenant", "nobody's"))
    book = stage.book()

    def as_tenant(name: str) -> None:
        stage.connection.tenant = name

    async def main() -> None:
        for name in ("one", "two"):
            await sync_to_async(as_tenant)(name)
            assert (await hops(lambda: stage.cached.aget(pk=book.pk)))[1] == 1
            assert (await hops(lambda: stage.cached.aget(pk=book.pk)))[1] == 1
    run(main)
    assert stage.store.moves["take"] == 2, "each tenant's own"
    assert stage.store.moves["aget"] == 0


def test_a_store_that_fails_is_the_databases_turn(stage: Stage) -> None:
    book = stage.book()

    def fail() -> None:
        raise StoreTimeout("no answer in time")

    async def main() -> None:
        await warm(stage, pk=book.pk)
        stage.store.before("aget", fail)
        assert (await stage.cached.aget(pk=book.pk)).pk == book.pk
        stage.store.before("aget", fail)
        assert list(await stage.cached.aget_many([book.pk])) == [book.pk]
    run(main)


@pytest.fixture
def own_server(stage: Stage) -> Iterator[RedisServer]:
    """A server that the test may pause and kill, with the store in force on it; it is waited for 0.2 s, and once it failed left alone."""
    with RedisServer() as server:
        recipe, trip = recipe_from_pool(redis.ConnectionPool.from_url(server.url)), TripSwitch(clock=lambda: 0.0)
        with stores.override(RedisStore(recipe, stage.store.keyspace, timeout=0.2, quarantine=0.0, trip=trip)):
            yield server


def test_a_server_that_does_not_answer_is_waited_for_once(stage: Stage, own_server: RedisServer) -> None:
    book = stage.book()

    async def main() -> float:
        await warm(stage, pk=book.pk)
        own_server.pause()
        events.reset()
        began = time.monotonic()
        assert (await stage.cached.aget(pk=book.pk)).pk == book.pk
        seconds = time.monotonic() - began
        assert (await stage.cached.aget(pk=book.pk)).pk == book.pk
        assert events.total("store_error", outcome="StoreTimeout") == 1, "later calls are not even sent"
        assert events.total("miss", outcome="unavailable") == 2
        own_server.resume()
        return seconds
    assert 0.15 <= run(main) < 3.0


def test_a_server_that_is_restarted_empty_costs_misses_and_no_more(stage: Stage, own_server: RedisServer) -> None:
    book = stage.book()

    async def main() -> None:
        await warm(stage, pk=book.pk)
        own_server.kill()
        own_server.start_empty()
        assert (await stage.cached.aget(pk=book.pk)).pk == book.pk
        await warm(stage, pk=book.pk)
    run(main)


@pytest.mark.parametrize("value", ["not a number", None, object(), [1, 2], 10**30])
def test_values_that_cannot_be_a_pk_are_answered_as_by_django(stage: Stage, value: object) -> None:
    book = stage.book()

    async def outcome(manager: Any) -> str:
        try:
            return str(await manager.aget(pk=value))
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    async def main() -> tuple[str, str]:
        await warm(stage, pk=book.pk)
        return await outcome(stage.books), await outcome(stage.cached)
    plain, cached = run(main)
    assert plain == cached


def test_more_conditions_and_other_managers_are_answered_as_by_django(stage: Stage) -> None:
    author = Author.objects.using(stage.database).create(name="a")
    book = stage.book(author=author)

    async def main() -> None:
        await warm(stage, pk=book.pk)
        assert (await stage.cached.aget(pk=book.pk, mark="A")).pk == book.pk
        assert (await stage.cached.aget(author=author)).pk == book.pk
        assert (await stage.cached.aget(author__name="a")).pk == book.pk
        await raises(Book.DoesNotExist, stage.cached.aget(pk=book.pk, mark="Z"))
    run(main)


def test_a_receiver_that_asks_the_database_while_an_instance_is_made_is_called_where_it_may(stage: Stage) -> None:
    author = Author.objects.using(stage.database).create(name="a")
    seen: list[int] = []

    def count(sender: type[Model], instance: Model, **kwargs: Any) -> None:
        seen.append(Topic.objects.using(stage.database).count())

    async def main() -> str:
        for _ in range(2):
            await Author.cached.db_manager(stage.database).aget(pk=author.pk)
        post_init.connect(count, sender=Author)
        try:
            return str((await Author.cached.db_manager(stage.database).aget(pk=author.pk)).name)
        finally:
            post_init.disconnect(count, sender=Author)
    assert run(main) == "a"
    assert seen == [0]


def test_loops_that_come_and_go_serve_hits_at_once(stage: Stage) -> None:
    book = stage.book()

    async def main() -> int:
        return (await hops(lambda: stage.cached.aget(pk=book.pk)))[1]
    run(lambda: warm(stage, pk=book.pk))
    assert [run(main) for _ in range(3)] == [0, 0, 0]


def test_a_task_that_is_cancelled_while_it_asks_disturbs_nobody(stage: Stage) -> None:
    pks = [stage.book().pk for _ in range(4)]

    async def main() -> list[int]:
        for pk in pks:
            await warm(stage, pk=pk)
        tasks = [asyncio.create_task(stage.cached.aget(pk=pk)) for pk in pks]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[2].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        assert isinstance(done[2], asyncio.CancelledError)
        return [book.pk for book in done if isinstance(book, Book)]
    assert run(main) == [pks[1], pks[3]]


# Django's own twins: sync methods in a thread, and those are cached.

TWINS: dict[str, Callable[[Any], Coroutine[Any, Any, Any]]] = {
    "aget of a queryset": lambda books: books.filter(mark="A").aget(isbn="isbn-1"),
    "afirst": lambda books: books.order_by("pk").afirst(),
    "alast": lambda books: books.order_by("pk").alast(),
    "acount": lambda books: books.filter(mark="A").acount(),
    "aexists": lambda books: books.filter(mark="A").aexists(),
    "aaggregate": lambda books: books.aaggregate(total=Sum("version")),
    "ain_bulk": lambda books: books.ain_bulk([1, 2, 3]),
    "acontains": lambda books: books.filter(mark="A").acontains(Book(pk=1)),
    "alatest": lambda books: books.alatest("pk"),
    "aearliest": lambda books: books.aearliest("pk"),
    "async for": lambda books: collected(books.filter(mark="A").order_by("pk")),
    "async for over values": lambda books: collected(books.order_by("pk").values_list("isbn", "version")),
}


async def collected(queryset: Any) -> list[Any]:
    return [item async for item in queryset]


@pytest.mark.parametrize("twin", TWINS)
def test_djangos_own_twins_are_right_and_cached(stage: Stage, twin: str) -> None:
    for _ in range(3):
        stage.book()

    async def main() -> None:
        for version in (1, 2):
            await stage.books.aupdate(version=version)
            expected = await TWINS[twin](stage.books.all())
            assert await TWINS[twin](stage.cached.all()) == expected
            stage.store.moves.clear()
            assert await TWINS[twin](stage.cached.all()) == expected
            assert stage.store.moves["take"] == 0, "the second time it is a hit"
            assert stage.store.moves["get"] >= 1
    run(main)
