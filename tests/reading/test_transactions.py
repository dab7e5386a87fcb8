"""When a connection must ask the database, and when it may still be served."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connections
from django.db.models import Sum
from django.db.transaction import TransactionManagementError

from tests.reading.desk import Desk, counted
from tests.reading.models import Maker, Thing

READS: dict[str, Callable[[Any], Any]] = {
    "get": lambda m: m.get(slug="a").name,
    "list": lambda m: [one.name for one in m.filter(slug="a")],
    "values": lambda m: list(m.values_list("name", flat=True)),
    "count": lambda m: m.filter(name="a").count(),
    "aggregate": lambda m: m.aggregate(Sum("stock")),
    "exists": lambda m: m.filter(name="a").exists(),
    "many": lambda m: [one.name for one in m.in_bulk(list(Thing.objects.using(m.db).values_list("pk", flat=True))).values()],
}


@pytest.fixture
def warm(desk: Desk) -> Desk:
    desk.thing("a")
    for read in READS.values():
        read(desk.cached())
    return desk


def test_own_uncommitted_writes_are_seen_by_every_read_and_stored_by_none(warm: Desk) -> None:
    with warm.atomic():
        warm.plain().filter(slug="a").update(name="mine", stock=5)
        for name, read in READS.items():
            assert read(warm.cached()) == read(warm.plain()), name
        stored = counted("store", "stored")
    assert counted("store", "stored") == stored
    for name, read in READS.items():
        assert read(warm.cached()) == read(warm.plain()), name


def test_a_rollback_leaves_the_entries_and_what_was_read_inside_is_gone(warm: Desk) -> None:
    with warm.rolled_back():
        warm.plain().filter(slug="a").update(name="mine")
        assert warm.cached().get(slug="a").name == "mine"
    assert warm.hit(lambda: warm.cached().get(slug="a")).name == "a"


def test_a_savepoint_that_is_rolled_back_still_keeps_the_table_from_being_served(warm: Desk) -> None:
    with warm.atomic():
        with warm.rolled_back():
            warm.plain().filter(slug="a").update(name="mine")
        assert warm.missed(lambda: warm.cached().get(slug="a")).name == "a"


def test_a_transaction_that_wrote_another_table_is_served_but_stores_nothing(warm: Desk) -> None:
    if warm.alias == "default":
        pytest.skip("every transaction of SQLite is one snapshot")
    with warm.atomic():
        warm.maker()
        assert warm.hit(lambda: warm.cached().get(slug="a")).name == "a"
        warm.never_cached(lambda: warm.cached().filter(stock=0).count())
        warm.never_cached(lambda: warm.cached(Maker).count())


def test_a_transaction_that_only_reads_is_served_where_each_statement_sees_what_is_committed(warm: Desk) -> None:
    with warm.atomic():
        _, queries = warm.asked(lambda: warm.cached().get(slug="a"))
    assert queries == (1 if warm.alias == "default" else 0)


def test_repeatable_read_asks_the_database_and_stores_nothing(warm: Desk) -> None:
    if warm.alias == "default":
        pytest.skip("PostgreSQL's levels of isolation")
    with warm.atomic():
        with warm.connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for name, read in READS.items():
            assert warm.asked(read, warm.cached())[1] >= 1, name
    assert counted("bypass", "transaction") >= len(READS)


def test_for_update_asks_the_database(warm: Desk) -> None:
    if warm.alias == "default":
        pytest.skip("SQLite has no FOR UPDATE")
    with warm.atomic():
        warm.never_cached(lambda: list(warm.cached().select_for_update().filter(slug="a")))
        warm.never_cached(lambda: warm.cached().select_for_update().get(slug="a"))
    with pytest.raises(TransactionManagementError):
        list(warm.cached().select_for_update())


def test_a_broken_block_raises_as_django(warm: Desk) -> None:
    pk = warm.plain().get().pk
    with warm.atomic():
        with pytest.raises(IntegrityError), warm.atomic(savepoint=False):
            warm.thing("a")
        for read in (lambda: warm.cached().get(pk=pk), lambda: list(warm.cached().all()), lambda: warm.cached().count()):
            with pytest.raises(TransactionManagementError):
                read()
        warm.connection.set_rollback(True)
    assert warm.hit(lambda: warm.cached().get(slug="a")).name == "a"


def test_an_error_of_the_database_reaches_the_caller(warm: Desk) -> None:
    with pytest.raises(DatabaseError):
        list(warm.cached().extra(where=["no_such_column = 1"]))
    with pytest.raises(DatabaseError):
        warm.cached().extra(where=["no_such_column = 1"]).count()


def test_another_connection_is_served_while_this_one_is_dirty(warm: Desk) -> None:
    if warm.alias == "default":
        pytest.skip("a writing transaction of SQLite is seen by nobody, too; the races test it")
    served: list[Any] = []

    def read() -> None:
        served.append(warm.asked(lambda: warm.cached().get(slug="a").name))
        connections.close_all()

    with warm.atomic():
        warm.plain().filter(slug="a").update(name="mine")
        other = threading.Thread(target=read)
        other.start()
        other.join(20)
    assert served == [("a", 0)]


def test_many_threads_read_one_entry_and_none_shares_an_instance(warm: Desk) -> None:
    found: list[Any] = []

    def read() -> None:
        for _ in range(50):
            one = warm.cached().get(slug="a")
            one.data["mine"] = threading.get_ident()
            found.append((one.name, len(one.data), [two.name for two in warm.cached().filter(slug="a")]))
        connections.close_all()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [("a", 1, ["a"])] * 200
