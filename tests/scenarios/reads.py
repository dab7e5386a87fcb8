"""Forms of reading. Each takes what finds a manager for a model, cached or not, and returns something that can be compared."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist
from django.db.models import Avg, Count, Exists, F, Max, Model, OuterRef, Q, Sum
from django.db.models.functions import Upper

from tests.shelf.models import Atlas, Author, Book, Loan, Novel, Topic

Managers = Callable[[type[Model]], Any]
Read = Callable[[Managers], Any]

READS: dict[str, Read] = {
    "get by pk": lambda m: m(Book).get(pk=1),
    "get by another pk": lambda m: m(Book).get(id=2),
    "get a missing pk": lambda m: m(Book).get(pk=999),
    "get the pk that comes next": lambda m: m(Book).get(pk=21),
    "get by unique": lambda m: m(Book).get(isbn="isbn-1"),
    "get by a unique that is missing": lambda m: m(Book).get(isbn="new"),
    "get by lookup, several": lambda m: m(Book).get(mark="A"),
    "get by two conditions": lambda m: m(Book).get(pk=1, mark="A"),
    "get_many": lambda m: m(Book).in_bulk([1, 2, 3, 21, 999]),
    "in_bulk by unique": lambda m: m(Book).in_bulk(["isbn-1", "new"], field_name="isbn"),
    "list by pk": lambda m: m(Book).filter(pk=1),
    "list by pks": lambda m: m(Book).filter(pk__in=[1, 2, 21]).order_by("pk"),
    "list by lookup": lambda m: m(Book).filter(mark="A").order_by("pk"),
    "list by lookup in": lambda m: m(Book).filter(mark__in=["B", "C"]).order_by("pk"),
    "list by foreign key": lambda m: m(Book).filter(author=1).order_by("pk"),
    "list by foreign key's column": lambda m: m(Book).filter(author_id=2).order_by("pk"),
    "list by no lookup": lambda m: m(Book).filter(title="title 1").order_by("pk"),
    "list by null": lambda m: m(Book).filter(author=None).order_by("pk"),
    "everything": lambda m: m(Book).order_by("pk"),
    "everything, backwards and cut": lambda m: m(Book).order_by("-pk")[1:4],
    "exclude": lambda m: m(Book).exclude(mark="A").order_by("pk"),
    "a range": lambda m: m(Book).filter(version__gt=3).order_by("-version", "pk"),
    "either or": lambda m: m(Book).filter(Q(pk=1) | Q(mark="B")).order_by("pk"),
    "not": lambda m: m(Book).filter(~Q(pk=1), author=1).order_by("pk"),
    "compared columns": lambda m: m(Book).filter(version__gte=F("id")).order_by("pk"),
    "starts with": lambda m: m(Book).filter(title__startswith="title").order_by("pk"),
    "values": lambda m: m(Book).filter(author=1).order_by("pk").values("pk", "title", "author__name"),
    "values_list": lambda m: m(Book).filter(mark="A").order_by("pk").values_list("isbn", "price"),
    "values_list flat": lambda m: m(Book).order_by("pk").values_list("version", flat=True),
    "named": lambda m: m(Book).filter(pk=1).values_list("pk", "mark", named=True),
    "distinct": lambda m: m(Book).order_by("mark").values_list("mark", flat=True).distinct(),
    "count": lambda m: m(Book).count(),
    "count by lookup": lambda m: m(Book).filter(mark="A").count(),
    "exists": lambda m: m(Book).filter(mark="Z").exists(),
    "exists by pk": lambda m: m(Book).filter(pk=21).exists(),
    "first": lambda m: m(Book).filter(author=1).first(),
    "last": lambda m: m(Book).order_by("version", "pk").last(),
    "latest": lambda m: m(Book).latest("version", "pk"),
    "aggregate": lambda m: m(Book).aggregate(sum=Sum("version"), most=Max("price")),
    "aggregate by lookup": lambda m: m(Book).filter(author=1).aggregate(mean=Avg("version")),
    "annotate": lambda m: m(Author).annotate(n=Count("books")).order_by("pk"),
    "annotate with a function": lambda m: m(Book).annotate(loud=Upper("title")).order_by("pk").values_list("loud", flat=True),
    "group by": lambda m: m(Book).values("mark").annotate(n=Count("pk"), s=Sum("version")).order_by("mark"),
    "select_related": lambda m: [(book, book.author) for book in m(Book).select_related("author").order_by("pk")],
    "select_related, get": lambda m: m(Book).select_related("author", "editor").get(pk=1).author,
    "prefetch_related": lambda m: [(book, list(book.topics.all())) for book in m(Book).prefetch_related("topics").order_by("pk")],
    "prefetch_related backwards": lambda m: [(one, list(one.books.all())) for one in m(Author).prefetch_related("books").order_by("pk")],
    "joined": lambda m: m(Book).filter(author__name="author 1").order_by("pk"),
    "joined many to many": lambda m: m(Book).filter(topics__name="topic 1").order_by("pk"),
    "subquery": lambda m: m(Author).filter(Exists(Book.objects.filter(author=OuterRef("pk"), mark="B"))).order_by("pk"),
    "in a subquery": lambda m: m(Book).filter(author__in=Author.objects.filter(rank__gt=1).values("pk")).order_by("pk"),
    "union": lambda m: m(Book).filter(mark="A").union(m(Book).filter(mark="B")).order_by("pk"),
    "only": lambda m: [book.title for book in m(Book).only("title").order_by("pk")],
    "defer": lambda m: [book.version for book in m(Book).defer("title").order_by("pk")],
    "iterator": lambda m: list(m(Book).filter(mark="A").order_by("pk").iterator()),
    "a child, get": lambda m: m(Atlas).get(pk=5),
    "a child, list": lambda m: m(Atlas).filter(mark="A").order_by("pk"),
    "a child's parent": lambda m: m(Book).get(pk=5),
    "children": lambda m: m(Atlas).order_by("pk"),
    "a proxy, get": lambda m: m(Novel).get(pk=1),
    "a proxy, list": lambda m: m(Novel).filter(mark="A").order_by("pk"),
    "author by pk": lambda m: m(Author).get(pk=1),
    "author by name": lambda m: m(Author).get(name="author 1"),
    "authors": lambda m: m(Author).order_by("name"),
    "topics": lambda m: m(Topic).order_by("pk"),
    "topics of a book": lambda m: m(Topic).filter(books=1).order_by("pk"),
    "loans of a book": lambda m: m(Loan).filter(book=1).order_by("pk"),
    "loans of a day": lambda m: m(Loan).filter(at__date=datetime.date(2026, 3, 1)).order_by("pk"),
    "days of loans": lambda m: m(Loan).dates("at", "day"),
}


def seen(read: Read, managers: Managers) -> Any:
    """Return what a read gives, in a form that compares by type and value; what it raises is a result as well."""
    try:
        return spelled(read(managers))
    except (ObjectDoesNotExist, MultipleObjectsReturned) as error:
        return f"{type(error).__qualname__}: {error}"


def spelled(value: Any) -> Any:
    if isinstance(value, Model):
        fields = {name: repr(item) for name, item in value.__dict__.items() if not name.startswith("_")}
        return type(value).__name__, value._state.db, value._state.adding, fields
    if isinstance(value, dict):
        return {key: spelled(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return type(value).__name__, tuple(spelled(item) for item in value)
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return repr(value)
    return [spelled(item) for item in value]
