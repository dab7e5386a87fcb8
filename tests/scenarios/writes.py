"""Forms of writing: whatever the ORM and SQL can do to the shelf. Each takes the alias; none relies on what another one left."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.core import serializers
from django.db import connections, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat

from tests.shelf.models import Atlas, Author, Book, Loan, Novel, Topic

Write = Callable[[str], Any]
WRITES: dict[str, Write] = {}


def write(function: Write) -> Write:
    WRITES[function.__name__.replace("_", " ")] = function
    return function


def first(db: str, model: Any = Book) -> Any:
    return model.objects.using(db).order_by("pk").first()


def books(db: str) -> Any:
    return Book.objects.using(db)


@write
def save(db: str) -> None:
    book = first(db)
    book.title, book.mark, book.version = "another", "B", book.version + 1
    book.save()


@write
def save_of_some_fields(db: str) -> None:
    book = first(db)
    book.mark, book.title = "C", "not saved"
    book.save(update_fields=["mark"])


@write
def save_of_an_expression(db: str) -> None:
    book = first(db)
    book.version = F("version") + 10
    book.save()


@write
def save_by_an_instance_that_knows_nothing(db: str) -> None:
    one = first(db)
    Book(pk=one.pk, isbn=one.isbn, title="overwritten", mark="Z").save(using=db)


@write
def save_of_a_deferred_instance(db: str) -> None:
    book = books(db).only("title").order_by("pk").first()
    book.title = "deferred"
    book.save()


@write
def save_of_a_stale_instance(db: str) -> None:
    book = first(db)
    books(db).filter(pk=book.pk).update(mark="B")
    book.mark = "D"
    book.save()


@write
def a_new_unique_value(db: str) -> None:
    book = first(db)
    book.isbn = "new"
    book.save()


@write
def two_swap_their_unique_values(db: str) -> None:
    with transaction.atomic(using=db):
        one, two = books(db).order_by("pk")[:2]
        books(db).filter(pk=one.pk).update(isbn="between")
        books(db).filter(pk=two.pk).update(isbn=one.isbn)
        books(db).filter(pk=one.pk).update(isbn=two.isbn)


@write
def create(db: str) -> None:
    books(db).create(isbn="new", mark="A", author=first(db, Author))


@write
def create_with_a_pk(db: str) -> None:
    books(db).create(pk=999, isbn="new", mark="Z")


@write
def get_or_create(db: str) -> None:
    books(db).get_or_create(isbn="new", defaults={"mark": "B"})


@write
def update_or_create_updates(db: str) -> None:
    books(db).update_or_create(isbn=first(db).isbn, defaults={"title": "updated", "mark": "C"})


@write
def update_or_create_creates(db: str) -> None:
    books(db).update_or_create(isbn="new", defaults={"mark": "C"})


@write
def bulk_create(db: str) -> None:
    books(db).bulk_create([Book(isbn=f"bulk-{n}", mark="ABC"[n % 3]) for n in range(5)])


@write
def bulk_create_that_updates(db: str) -> None:
    rows = [Book(isbn=first(db).isbn, title="upserted", mark="Z"), Book(isbn="new", mark="Z")]
    books(db).bulk_create(rows, update_conflicts=True, unique_fields=["isbn"], update_fields=["title", "mark"])


@write
def bulk_create_that_ignores(db: str) -> None:
    books(db).bulk_create([Book(isbn=first(db).isbn, title="ignored"), Book(isbn="new")], ignore_conflicts=True)


@write
def bulk_update(db: str) -> None:
    rows = list(books(db).order_by("pk")[:3])
    for number, book in enumerate(rows):
        book.mark, book.version = "BCZ"[number], 50 + number
    books(db).bulk_update(rows, ["mark", "version"])


@write
def update_of_one(db: str) -> None:
    books(db).filter(pk=first(db).pk).update(version=77, mark="B")


@write
def update_of_many(db: str) -> None:
    books(db).filter(mark="A").update(mark="B", price=Decimal("9.90"))


@write
def update_of_all_by_expression(db: str) -> None:
    books(db).update(version=F("version") + 1, title=Concat(F("title"), Value("!")))


@write
def update_through_a_join(db: str) -> None:
    books(db).filter(author__name="author 1").update(mark="Z")


@write
def update_of_the_foreign_key(db: str) -> None:
    books(db).filter(author=1).update(author=2)


@write
def update_of_nothing(db: str) -> None:
    books(db).filter(pk=12345).update(mark="Z")


@write
def delete_an_instance(db: str) -> None:
    first(db).delete()


@write
def delete_by_query(db: str) -> None:
    books(db).filter(mark="B").delete()


@write
def delete_raw(db: str) -> None:
    Loan.objects.using(db).filter(book=1)._raw_delete(db)


@write
def delete_an_author_and_the_books_with_it(db: str) -> None:
    Author.objects.using(db).get(pk=1).delete()


@write
def delete_an_editor_and_leave_the_books(db: str) -> None:
    Author.objects.using(db).get(pk=3).delete()


@write
def rename_an_author(db: str) -> None:
    Author.objects.using(db).filter(pk=1).update(name="renamed", rank=9)


@write
def topics_added(db: str) -> None:
    first(db).topics.add(Topic.objects.using(db).create(name="topic 1"))


@write
def topics_removed(db: str) -> None:
    book = first(db)
    book.topics.remove(book.topics.order_by("pk").first())


@write
def topics_set(db: str) -> None:
    first(db).topics.set([Topic.objects.using(db).create(name="topic new")])


@write
def topics_cleared(db: str) -> None:
    first(db).topics.clear()


@write
def topics_from_the_other_side(db: str) -> None:
    first(db, Topic).books.add(books(db).order_by("-pk").first())


@write
def a_topic_deleted(db: str) -> None:
    first(db, Topic).delete()


@write
def books_given_to_an_author(db: str) -> None:
    Author.objects.using(db).get(pk=2).books.add(*books(db).filter(author=1))


@write
def books_taken_from_an_editor(db: str) -> None:
    Author.objects.using(db).get(pk=3).edited.clear()


@write
def a_child_created(db: str) -> None:
    Atlas.objects.using(db).create(isbn="new", mark="A", scale=9)


@write
def a_child_saved(db: str) -> None:
    atlas = first(db, Atlas)
    atlas.scale, atlas.mark, atlas.title = 99, "B", "atlas"
    atlas.save()


@write
def children_updated(db: str) -> None:
    Atlas.objects.using(db).update(scale=5, mark="C")


@write
def a_child_updated_by_its_parent(db: str) -> None:
    books(db).filter(atlas__scale=1).update(title="by the parent")


@write
def a_child_deleted(db: str) -> None:
    first(db, Atlas).delete()


@write
def a_child_deleted_by_its_parent(db: str) -> None:
    books(db).get(pk=first(db, Atlas).pk).delete()


@write
def a_proxy_saved(db: str) -> None:
    novel = first(db, Novel)
    novel.mark = "B"
    novel.save()


@write
def a_loan(db: str) -> None:
    Loan.objects.using(db).create(book=first(db), at=datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC))


@write
def raw_update(db: str) -> None:
    with connections[db].cursor() as cursor:
        cursor.execute("UPDATE shelf_book SET title = %s WHERE mark = %s", ["raw", "A"])


@write
def raw_update_of_many(db: str) -> None:
    with connections[db].cursor() as cursor:
        cursor.executemany("UPDATE shelf_book SET version = %s WHERE id = %s", [(31, 1), (32, 2)])


@write
def raw_insert(db: str) -> None:
    with connections[db].cursor() as cursor:
        cursor.execute("INSERT INTO shelf_topic (name) VALUES ('topic 1')")


@write
def raw_delete(db: str) -> None:
    with connections[db].cursor() as cursor:
        cursor.execute("DELETE FROM shelf_loan")


@write
def raw_update_with_a_cte(db: str) -> None:
    with connections[db].cursor() as cursor:
        cursor.execute(
            "WITH chosen AS (SELECT id FROM shelf_book WHERE mark = 'A') "
            "UPDATE shelf_book SET version = 0 WHERE id IN (SELECT id FROM chosen)"
        )


@write
def several_in_a_transaction(db: str) -> None:
    with transaction.atomic(using=db):
        save(db)
        create(db)
        rename_an_author(db)


@write
def a_transaction_that_is_undone(db: str) -> None:
    with transaction.atomic(using=db):
        save(db)
        create(db)
        transaction.set_rollback(True, using=db)


@write
def a_savepoint_that_is_undone(db: str) -> None:
    with transaction.atomic(using=db):
        rename_an_author(db)
        with transaction.atomic(using=db):
            save(db)
            transaction.set_rollback(True, using=db)


@write
def a_savepoint_that_is_kept(db: str) -> None:
    with transaction.atomic(using=db), transaction.atomic(using=db):
        save(db)


@write
def a_fixture_loaded(db: str) -> None:
    text = serializers.serialize("json", [first(db)]).replace('"mark": "A"', '"mark": "Z"')
    for item in serializers.deserialize("json", text, using=db):
        item.save(using=db)
