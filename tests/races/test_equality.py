"""What makes two questions different: collations, time zones, databases, tenants; and entries that answer another question."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.db import models
from django.utils import timezone

from cache_consistency.protocol.entries import pack
from tests.shelf import folded
from tests.shelf.models import Book, Loan
from tests.shelf.stage import Stage


@pytest.fixture
def shelf_mark(stage: Stage) -> Iterator[type[models.Model]]:
    """A model whose lookup is compared without regard to case, and its table."""
    connection = stage.connection
    model = folded.for_vendor(connection.vendor)
    with connection.cursor() as cursor:
        for statement in folded.prepare(connection.vendor):
            cursor.execute(statement)
    with connection.schema_editor() as editor:
        editor.create_model(model)
    yield model
    with connection.schema_editor() as editor:
        editor.delete_model(model)


def test_a_list_by_a_value_that_only_the_database_holds_equal_is_invalidated(stage: Stage, shelf_mark: Any) -> None:
    """t=0 the list of "ABC" has the row "abc"; t=1 that row is changed, and nothing in the write says "ABC"; t=2 the list is new."""
    row = shelf_mark.objects.using(stage.database).create(mark="abc")
    cached = shelf_mark.cached.db_manager(stage.database)
    def read() -> list[int]:
        return [found.version for found in cached.filter(mark="ABC")]
    assert read() == [1]
    shelf_mark.objects.using(stage.database).filter(pk=row.pk).update(version=2)
    assert read() == [2]
    assert cached.get(mark="aBc").version == 2
    shelf_mark.objects.using(stage.database).filter(pk=row.pk).update(version=3)
    assert cached.get(mark="aBc").version == 3


def test_a_day_is_another_one_in_another_time_zone(stage: Stage) -> None:
    book = stage.book()
    Loan.objects.using(stage.database).create(book=book, at=datetime.datetime(2026, 3, 1, 23, 30, tzinfo=datetime.UTC))
    cached = Loan.cached.db_manager(stage.database)
    day = datetime.date(2026, 3, 1)
    found: dict[str, list[int]] = {}
    for zone in ("UTC", "Pacific/Auckland", "UTC", "Pacific/Auckland"):
        with timezone.override(zone):
            found.setdefault(zone, []).append(cached.filter(at__date=day).count())
    assert found == {"UTC": [1, 1], "Pacific/Auckland": [0, 0]}


def test_two_databases_on_one_store_never_meet(stage: Stage) -> None:
    """The same pk, the same question, two answers; and a write in one leaves the other's entry standing."""
    here = stage.book(isbn="here")
    Book.objects.using("other").create(pk=here.pk, isbn="there", version=7)
    other = Stage("other", stage.store)
    stage.warm(here.pk)
    other.warm(here.pk)
    assert (stage.served_version(here.pk), other.served_version(here.pk)) == (1, 7)
    stage.books.filter(pk=here.pk).update(version=2)
    assert (stage.served_version(here.pk), other.served_version(here.pk)) == (None, 7)
    assert stage.version(here.pk) == 2


def test_two_names_of_one_database_share_their_entries(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(DATABASE_IDENTITY={"default": "one", "other": "one"})
    if stage.connection.vendor != "sqlite":
        pytest.skip("the other alias is SQLite")
    book = stage.book()
    stage.warm(book.pk)
    assert Stage("other", stage.store).served_version(book.pk) == 1


def test_tenants_that_share_an_alias_never_meet(make_stage: Callable[..., Stage]) -> None:
    tenant = ["a"]
    stage = make_stage(VARY=lambda connection: tenant[0])
    book = stage.book()
    stage.warm(book.pk)
    tenant[0] = "b"
    assert stage.served_version(book.pk) is None
    stage.books.filter(pk=book.pk).update(version=2)
    assert stage.version(book.pk) == 2
    tenant[0] = "a"
    assert stage.served_version(book.pk) == 1, "the toy's tenants share their rows, so this shows that nothing of b's touched a's"


def entry_keys(client: Any, stage: Stage) -> list[bytes]:
    return sorted(client.scan_iter(f"{stage.store.keyspace.namespace}:e:*"))


def test_an_entry_that_answers_another_question_is_a_miss(stage: Stage, redis_url: str) -> None:
    """As after a collision of hashes: the bytes are valid in every way, and the tags are the same, but the question is another."""
    first, second = stage.book(mark="B"), stage.book(mark="B", version=5)
    def read(order: str) -> list[int]:
        return [book.version for book in stage.cached.filter(mark="B").order_by(order)]
    assert read("pk") == [1, 5]
    with redis.Redis.from_url(redis_url) as client:
        (before,) = entry_keys(client, stage)
        assert read("-pk") == [5, 1]
        (other,) = set(entry_keys(client, stage)) - {before}
        client.copy(before, other, replace=True)
    assert read("-pk") == [5, 1]
    assert (first.pk, second.pk) == (first.pk, second.pk)


@pytest.mark.parametrize("damage", ["cut", "nonsense", "empty", "payload"])
def test_a_damaged_entry_is_a_miss_and_never_an_exception(stage: Stage, redis_url: str, damage: str) -> None:
    book = stage.book()
    stage.warm(book.pk)
    with redis.Redis.from_url(redis_url) as client:
        (key,) = entry_keys(client, stage)
        raw: Any = client.get(key)
        damaged = {"cut": raw[:-3], "nonsense": b"\x80\x04pickle", "empty": b"", "payload": raw[:-5] + b"\xc1" * 5}
        client.set(key, damaged[damage])
    assert stage.asked(lambda: stage.version(book.pk)) == (1, 1)
    assert stage.version(book.pk) == 1


def test_no_such_row_is_cached_and_freed_by_the_insert_whose_pk_nobody_knew(stage: Stage) -> None:
    """t=0 "there is no such row" stands; t=1 an INSERT, which names its pk only when it has happened; t=2 the row is found."""
    pk = stage.book().pk + 1
    with pytest.raises(Book.DoesNotExist):
        stage.version(pk)
    with pytest.raises(Book.DoesNotExist):
        stage.asked(lambda: stage.version(pk))
    assert not stage.cached.filter(pk=pk).exists()
    made = stage.book()
    assert made.pk == pk
    assert stage.version(pk) == 1
    assert stage.cached.filter(pk=pk).exists()


def test_a_hand_made_entry_of_ours_would_be_served(stage: Stage, redis_url: str) -> None:
    """The counter-proof to the tests above: with the right head the bytes do count, so what they refuse is the head's doing."""
    book = stage.book()
    stage.warm(book.pk)
    with redis.Redis.from_url(redis_url) as client:
        (key,) = entry_keys(client, stage)
        raw: Any = client.get(key)
        client.set(key, raw)
    assert pack(b"", epoch=b"e" * 24, states=[], canonical=b"")[:3] == raw[:3]
    assert stage.served_version(book.pk) == 1
