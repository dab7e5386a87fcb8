"""
Every form of reading gives what Django gives: the first time, from the cache, and after a write.

One family of forms a test; each form is read plainly and through the cache, so a form that is wrong is named.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from typing import Any

import pytest
from django.core.paginator import Paginator
from django.db import DatabaseError
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    Max,
    Min,
    OuterRef,
    Prefetch,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Concat, ExtractYear, Lower, Rank, TruncMonth, Upper

from cache_consistency import CachedQuerySet
from tests.reading.desk import Desk, Read, counted, seen
from tests.reading.models import Kind, Maker, Special, Spot, Tag, Thing

Form = Callable[[Any], Any]
UTC = datetime.UTC
TABLE = "reading_tests_thing"


def _part(manager: Any, **conditions: Any) -> Any:
    """Return a part of a union: without an order of its own."""
    return manager.filter(**conditions).order_by()


LISTS: dict[str, Form] = {
    "all": lambda m: m.all(),
    "filter": lambda m: m.filter(stock__gte=2),
    "filter by choice": lambda m: m.filter(kind=Kind.TOY),
    "filter by set": lambda m: m.filter(stock__in={1, 2}),
    "filter by a lookup": lambda m: m.filter(maker__name="ACME"),
    "filter by several": lambda m: m.filter(Q(stock=1) | Q(name__startswith="c"), alive=True),
    "filter xor": lambda m: m.filter(Q(stock=1) ^ Q(name="c")),
    "filter over m2m": lambda m: m.filter(tags__word="red"),
    "filter over m2m twice": lambda m: m.filter(tags__word="red").filter(tags__word="blue"),
    "exclude": lambda m: m.exclude(stock=2),
    "exclude over m2m": lambda m: m.exclude(tags__word="red"),
    "is null": lambda m: m.filter(maker__isnull=True),
    "range": lambda m: m.filter(stock__range=(1, 2)),
    "text": lambda m: m.filter(name__icontains="A"),
    "regex": lambda m: m.filter(name__iregex="^[AB]"),
    "date of a moment": lambda m: m.filter(made__date=datetime.date(2024, 2, 1)),
    "year of a moment": lambda m: m.filter(made__year=2024),
    "moment": lambda m: m.filter(made__lt=datetime.datetime(2024, 2, 2, tzinfo=UTC)),
    "json key": lambda m: m.filter(data__n=2),
    "json contains": lambda m: m.filter(data={"n": 2}),
    "f": lambda m: m.filter(stock__lt=F("serial")),
    "subquery": lambda m: m.filter(maker__in=Maker.objects.using(m.db).filter(name="ACME")),
    "exists": lambda m: m.filter(Exists(Tag.objects.filter(things=OuterRef("pk"), word="red"))),
    "many pks": lambda m: m.filter(pk__in=list(range(1, 600))),
    "no pks": lambda m: m.filter(pk__in=[]),
    "none": lambda m: m.none(),
    "order by": lambda m: m.order_by("-stock", "name"),
    "order by pk": lambda m: m.order_by("-pk"),
    "order by nothing": lambda m: m.order_by().filter(pk__gt=0).order_by("slug"),
    "order by related": lambda m: m.order_by("maker__name", "pk"),
    "order by relation": lambda m: m.order_by("maker", "pk"),
    "order by attname": lambda m: m.order_by("maker_id", "pk"),
    "order by expression": lambda m: m.order_by(F("serial").desc(nulls_last=True), Lower("name")),
    "reverse": lambda m: m.order_by("stock", "pk").reverse(),
    "reverse of meta": lambda m: m.reverse(),
    "slice": lambda m: m.order_by("pk")[1:3],
    "slice open": lambda m: m.order_by("pk")[1:],
    "slice of nothing": lambda m: m.order_by("pk")[2:2],
    "item": lambda m: m.order_by("pk")[1],
    "step": lambda m: m.order_by("pk")[::2],
    "distinct": lambda m: m.filter(tags__isnull=False).distinct(),
    "only": lambda m: m.only("name", "stock"),
    "defer": lambda m: m.defer("data", "big"),
    "annotate": lambda m: m.annotate(twice=F("stock") * 2, shout=Upper("name")),
    "annotate count": lambda m: m.annotate(n=Count("tags", distinct=True)).order_by("pk"),
    "annotate case": lambda m: m.annotate(c=Case(When(stock__gt=1, then=Value("many")), default=Value("few"))),
    "annotate subquery": lambda m: m.annotate(one=Subquery(Tag.objects.filter(things=OuterRef("pk")).order_by("word").values("word")[:1])),
    "annotate window": lambda m: m.annotate(rank=Window(Rank(), partition_by="maker", order_by="stock")).order_by("pk"),
    "annotate trunc": lambda m: m.annotate(month=TruncMonth("made")).order_by("pk"),
    "filter on annotation": lambda m: m.annotate(n=Count("tags")).filter(n__gt=1),
    "alias": lambda m: m.alias(n=F("stock") + 1).filter(n__gt=2),
    "filtered relation": lambda m: m.annotate(red=FilteredRelation("tags", condition=Q(tags__word="red"))).filter(red__isnull=False),
    "union": lambda m: _part(m, stock=1).union(_part(m, stock=2)).order_by("pk"),
    "union all": lambda m: _part(m, stock=1).union(_part(m, stock=1), all=True).order_by("pk"),
    "intersection": lambda m: _part(m, stock__gte=1).intersection(_part(m, stock__lte=2)).order_by("pk"),
    "difference": lambda m: _part(m).difference(_part(m, stock=2)).order_by("pk"),
    "extra": lambda m: m.extra(select={"more": "stock + %s"}, select_params=[1], where=["stock > %s"], params=[0]).order_by("pk"),
    "extra table": lambda m: m.extra(tables=["reading_tests_maker"], where=["reading_tests_maker.id = maker_id"]),
    "raw expression": lambda m: m.annotate(r=RawSQL("stock * %s", (3,))).order_by("pk"),
    "raw subquery": lambda m: m.annotate(r=RawSQL("(SELECT MAX(word) FROM reading_tests_tag)", ())).order_by("pk"),
    "select related": lambda m: m.select_related("maker", "by_code"),
    "prefetch m2m": lambda m: m.prefetch_related("tags"),
    "prefetch fk": lambda m: m.prefetch_related("maker__things"),
    "prefetch cached": lambda m: m.prefetch_related(Prefetch("tags", Tag.cached.db_manager(m._db).order_by("word"), to_attr="found")),
    "chained": lambda m: m.filter(alive=True).exclude(stock=0).order_by("stock").filter(name__gt="a"),
    "or": lambda m: m.filter(stock=1) | m.filter(stock=2),
    "and": lambda m: m.filter(stock__gte=1) & m.filter(stock__lt=3),
    "using": lambda m: m.all().using(m._db),
}
VALUES: dict[str, Form] = {
    "values": lambda m: m.order_by("pk").values(),
    "values of some": lambda m: m.order_by("pk").values("name", "maker__name", "price", "data", "made"),
    "values list": lambda m: m.order_by("pk").values_list("name", "day"),
    "flat": lambda m: m.order_by("pk").values_list("price", flat=True),
    "named": lambda m: m.order_by("pk").values_list("name", "stock", named=True),
    "values with expression": lambda m: m.order_by("pk").values("name", low=Lower("slug")),
    "values distinct": lambda m: m.order_by("kind").values_list("kind", flat=True).distinct(),
    "grouped": lambda m: m.order_by("kind").values("kind").annotate(n=Count("pk"), s=Sum("stock"), p=Avg("price")),
    "grouped having": lambda m: m.order_by("kind").values("kind").annotate(n=Count("pk")).filter(n__gt=1),
    "m2m rows": lambda m: m.order_by("pk", "tags__word").values_list("name", "tags__word"),
    "json key": lambda m: m.order_by("pk").values_list("data__n", flat=True),
    "blob": lambda m: m.order_by("pk").values_list("blob", flat=True),
    "dates": lambda m: m.dates("day", "month"),
    "datetimes": lambda m: m.datetimes("made", "day"),
    "concat": lambda m: m.order_by("pk").annotate(c=Concat("name", Value("-"), "name")).values_list("c", flat=True),
    "by pk": lambda m: m.filter(pk__in=m.order_by("pk").values_list("pk", flat=True)[:2]).order_by("pk").values("name"),
}
SINGLES: dict[str, Form] = {
    "count": lambda m: m.count(),
    "count of filtered": lambda m: m.filter(stock__gt=1).count(),
    "count of slice": lambda m: m.order_by("pk")[1:3].count(),
    "count distinct": lambda m: m.values("kind").distinct().count(),
    "count of groups": lambda m: m.values("kind").annotate(n=Count("pk")).count(),
    "count of union": lambda m: _part(m, stock=1).union(_part(m, stock=2)).count(),
    "count over m2m": lambda m: m.filter(tags__isnull=False).count(),
    "count of nothing": lambda m: m.none().count(),
    "len": lambda m: len(m.all()),
    "exists": lambda m: m.filter(stock=2).exists(),
    "exists not": lambda m: m.filter(stock=99).exists(),
    "bool": lambda m: bool(m.filter(stock=2)),
    "contains": lambda m: m.contains(Thing.objects.using(m.db).order_by("pk").first()),
    "first": lambda m: m.first(),
    "first ordered": lambda m: m.order_by("-stock", "pk").first(),
    "first of none": lambda m: m.filter(stock=99).first(),
    "last": lambda m: m.last(),
    "earliest": lambda m: m.earliest("made"),
    "latest": lambda m: m.latest("day", "pk"),
    "aggregate": lambda m: m.aggregate(Sum("stock"), low=Min("price"), high=Max("made"), mean=Avg("price")),
    "aggregate related": lambda m: m.aggregate(n=Count("tags", distinct=True), names=Max("maker__name")),
    "aggregate filtered": lambda m: m.aggregate(n=Count("pk", filter=Q(stock__gt=1)), d=Coalesce(Sum("stock"), 0)),
    "aggregate default": lambda m: m.filter(stock=99).aggregate(s=Sum("stock", default=7)),
    "aggregate of annotation": lambda m: m.annotate(twice=F("stock") * 2).aggregate(Sum("twice")),
    "aggregate of aggregate": lambda m: m.annotate(n=Count("tags")).aggregate(Max("n")),
    "aggregate of sum of two": lambda m: m.aggregate(a=Sum("stock"), b=Count("pk"), c=F("a") / F("b")),
    "aggregate of slice": lambda m: m.order_by("pk")[:2].aggregate(Sum("stock")),
    "aggregate json": lambda m: m.filter(slug="a").aggregate(d=Max("day"), y=Max(ExtractYear("made"))),
    "aggregate nothing": lambda m: m.aggregate(),
    "get": lambda m: m.filter(stock__gt=1).get(slug="b"),
    "get values": lambda m: m.values("name").get(slug="b"),
    "in bulk of all": lambda m: m.in_bulk(),
    "in bulk": lambda m: m.in_bulk([m.order_by("pk").first().pk, 999]),
    "in bulk by slug": lambda m: m.in_bulk(["a", "c"], field_name="slug"),
    "in bulk of filtered": lambda m: m.filter(stock__gt=1).in_bulk(list(Thing.objects.using(m.db).values_list("pk", flat=True))),
    "in bulk of nothing": lambda m: m.in_bulk([]),
}
UNCACHED = frozenset({"no pks", "none", "slice of nothing", "aggregate of aggregate", "aggregate of sum of two", "count of nothing"})
"""Answered by the database each time, or without it."""


@pytest.fixture
def full(make_desk: Callable[..., Desk]) -> Callable[..., Desk]:
    def make(**given: Any) -> Desk:
        desk = make_desk(**given)
        acme, zeta = desk.maker("ACME"), desk.maker("Zeta")
        red, blue = desk.tag("red"), desk.tag("blue")
        moment = datetime.datetime(2024, 2, 1, 23, 30, tzinfo=UTC)
        price = decimal.Decimal("3.50")
        a = desk.thing("a", stock=1, maker=acme, by_code=zeta, serial=4, made=moment, day=moment.date(), price=price, data={"n": 1})
        b = desk.thing("b", stock=2, maker=zeta, serial=1, made=moment.replace(month=3), day=datetime.date(2024, 3, 1), data={"n": 2})
        c = desk.thing("c", stock=3, kind=Kind.TOY, price=price * 5, blob=b"\0\xff", day=datetime.date(2023, 1, 1), made=moment)
        a.tags.add(red, blue)
        b.tags.add(red)
        c.tags.clear()
        return desk
    return make


def _writes(desk: Desk) -> list[Callable[[], object]]:
    plain = desk.plain()
    return [
        lambda: plain.filter(slug="b").update(stock=5, name="B"),
        lambda: desk.thing("d", stock=2, kind=Kind.TOY),
        lambda: plain.get(slug="c").tags.add(desk.plain(Tag).get(word="red")),
        lambda: desk.plain(Maker).filter(name="ACME").update(name="Beta"),
        lambda: desk.plain(Tag).filter(word="blue").update(word="zzz"),
        lambda: plain.filter(slug="a").delete(),
    ]


@pytest.mark.parametrize("store", ["memory", "redis"])
@pytest.mark.parametrize("family", [LISTS, VALUES, SINGLES], ids=["lists", "values", "singles"])
def test_each_form_gives_what_django_gives_before_and_after_every_write(full: Any, family: dict[str, Form], store: str) -> None:
    desk: Desk = full(store=store)
    for name, form in family.items():
        expected = seen(form(desk.plain()))
        assert seen(form(desk.cached())) == expected, f"{name}: a miss"
        assert seen(form(desk.cached())) == expected, f"{name}: a hit"
    for write in _writes(desk):
        write()
        for name, form in family.items():
            assert seen(form(desk.cached())) == seen(form(desk.plain())), f"{name}: after a write"
    assert counted("miss", "corrupt") == counted("miss", "foreign") == 0


@pytest.mark.parametrize("family", [LISTS, VALUES, SINGLES], ids=["lists", "values", "singles"])
def test_each_form_is_a_hit_the_second_time(full: Any, family: dict[str, Form]) -> None:
    desk: Desk = full()
    nested = {"prefetch m2m", "prefetch fk"}                        # what is fetched besides is read by its own manager
    inner = {"contains", "in bulk of filtered", "in bulk", "by pk"}  # ask plainly for what they need first
    for name, form in family.items():
        seen(form(desk.cached()))
        _, queries = desk.asked(_read, form, desk)
        if name not in UNCACHED | nested | inner:
            assert queries == 0, name


def _read(form: Form, desk: Desk) -> Any:
    return seen(form(desk.cached()))


def test_mutable_values_of_lists_are_not_shared(full: Any) -> None:
    desk: Desk = full()
    reads: list[Callable[[], Any]] = [
        lambda: desk.cached().filter(slug="a")[0].data, lambda: desk.cached().filter(slug="a").values("data")[0]["data"],
        lambda: desk.cached().filter(slug="a").only("data")[0].data,
    ]  # fmt: skip
    for read in reads:
        for _ in range(3):
            data = read()
            assert data == {"n": 1}
            data["n"] = "mine"


def test_what_is_streamed_is_not_stored(full: Any) -> None:
    desk: Desk = full()
    forms: list[Form] = [lambda m: m.all(), lambda m: m.values_list("pk"), lambda m: m.annotate(n=Count("tags"))]
    for form in forms:
        for _ in range(2):
            assert len(desk.missed(list, form(desk.cached()).iterator(chunk_size=2))) == 3
    assert [thing.slug for thing in desk.cached().prefetch_related("tags").iterator(chunk_size=2)] == ["a", "b", "c"]
    assert counted("store") == 0
    with pytest.raises(ValueError, match="chunk_size"):
        desk.cached().prefetch_related("tags").iterator()


def test_a_stream_on_a_database_without_server_side_cursors_is_not_stored_either(full: Any) -> None:
    desk: Desk = full()
    desk.connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
    try:
        for _ in range(2):
            assert desk.missed(lambda: len(list(desk.cached().iterator()))) == 3
    finally:
        del desk.connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]


def test_get_many_gives_what_there_is_in_the_order_asked_with_one_query_and_shares_entries_with_get(full: Any) -> None:
    desk: Desk = full()
    a, b, c = desk.plain().order_by("slug")
    desk.cached().get(pk=b.pk)
    found = desk.missed(lambda: desk.cached().get_many([c.pk, str(b.pk), 999, a.pk, c.pk]))
    assert list(found) == [c.pk, b.pk, a.pk]
    assert [seen(one) for one in found.values()] == [seen(desk.plain().get(pk=pk)) for pk in found]
    assert list(desk.hit(lambda: desk.cached().get_many([a.pk, 999]))) == [a.pk]
    assert desk.hit(lambda: desk.cached().get(pk=c.pk)) == c
    with pytest.raises(Thing.DoesNotExist):
        desk.hit(lambda: desk.cached().get(pk=999))
    b.delete()
    assert list(desk.missed(lambda: desk.cached().get_many([a.pk, b.pk]))) == [a.pk]
    assert desk.cached().get_many([]) == {}
    assert desk.cached().filter(stock=1).get_many([a.pk, c.pk]) == {a.pk: a}
    with pytest.raises(ValueError, match="no number"):
        desk.cached().get_many(["no number"])


def test_get_many_of_more_than_a_statement_may_have_parameters(full: Any) -> None:
    desk: Desk = full()
    wanted = list(range(1, 1500))
    assert len(desk.cached().get_many(wanted)) == 3
    assert len(desk.hit(lambda: desk.cached().get_many(wanted))) == 3


def test_in_bulk_refuses_what_django_refuses(full: Any) -> None:
    desk: Desk = full()
    with pytest.raises(TypeError, match="in_bulk"):
        desk.cached().all()[:2].in_bulk([1])
    with pytest.raises(ValueError, match="unique"):
        desk.cached().in_bulk(["x"], field_name="name")


def test_a_queryset_is_one_of_djangos_own_class(full: Any) -> None:
    desk: Desk = full()
    queryset = desk.cached().filter(stock__gt=0)
    assert isinstance(queryset, CachedQuerySet)
    assert type(queryset.order_by("pk")[:1]) is CachedQuerySet
    assert str(queryset.query) == str(desk.plain().filter(stock__gt=0).query)
    assert "Scan" in queryset.explain() or "SCAN" in queryset.explain()


def test_a_paginator_reads_pages_and_counts_from_the_cache(full: Any) -> None:
    desk: Desk = full()
    read: Read = lambda: [thing.slug for thing in Paginator(desk.cached().order_by("slug"), 2).page(2)]  # noqa: E731
    assert read() == ["c"]
    assert desk.hit(read) == ["c"]
    desk.thing("0")
    assert read() == ["b", "c"]


def test_cached_false_asks_the_database_and_stores_nothing(full: Any) -> None:
    desk: Desk = full()
    forms: list[Form] = [
        lambda q: list(q.all()), lambda q: q.count(), lambda q: list(q.values("pk")), lambda q: q.aggregate(Sum("stock")),
        lambda q: q.first(), lambda q: q.exists(), lambda q: q.get(slug="a"), lambda q: q.in_bulk([1]), lambda q: q.get_many([1]),
    ]  # fmt: skip
    for form in forms:
        desk.never_cached(form, desk.cached().cached(False))
    assert counted("store") == counted("hit") == 0
    assert desk.warm(lambda: list(desk.cached().cached(False).cached()))
    assert desk.warm(lambda: desk.cached().cached(False).filter(stock=1).cached().count()) == 1


def test_an_evaluated_queryset_is_not_asked_again(full: Any) -> None:
    desk: Desk = full()
    queryset = desk.cached().all()
    first = list(queryset)
    desk.plain().update(name="changed")
    assert desk.hit(lambda: list(queryset)) == first
    assert first[0] is next(iter(queryset))
    assert desk.missed(lambda: queryset.all()[0].name) == "changed"


def test_what_is_read_to_be_written_asks_the_database(full: Any) -> None:
    desk: Desk = full()
    desk.warm(lambda: list(desk.cached().filter(slug="a")))
    found, created = desk.cached().get_or_create(slug="a", defaults={"name": "x"})
    assert not created
    assert desk.cached().update_or_create(slug="a", defaults={"name": "via"})[0].name == "via"
    assert desk.cached().get(pk=found.pk).name == "via"
    assert desk.cached().filter(slug="a").update(name="updated") == 1
    assert desk.cached().filter(slug="a").first().name == "updated"
    made = desk.cached().create(slug="z", name="z")
    assert desk.cached().get(slug="z") == made
    desk.cached().bulk_create([Thing(slug="y", name="y")])
    assert desk.cached().filter(slug="y").exists()
    assert desk.cached().filter(slug__in=["z", "y"]).delete()[0] == 2
    assert not desk.cached().filter(slug="y").exists()
    with pytest.raises(Thing.DoesNotExist):
        desk.cached().get(slug="z")


def test_a_union_answers_no_aggregate_of_another_union(full: Any) -> None:
    """The text of a union does not show what is aggregated over it."""
    desk: Desk = full()
    results = []
    for aggregate in (Sum("stock"), Max("stock"), Min("stock")):
        for manager in (desk.plain(), desk.cached(), desk.cached()):
            union = _part(manager, stock=1).union(_part(manager, stock=3))
            try:
                results.append(union.aggregate(x=aggregate)["x"])
            except (DatabaseError, ValueError) as error:            # Django lets it through, and cannot do it
                results.append(type(error))
        assert len(set(map(str, results[-3:]))) == 1, results


def test_a_list_names_its_rows_so_that_another_row_does_not_end_it(full: Any) -> None:
    desk: Desk = full()
    a, b = desk.plain().filter(slug__in="ab").order_by("slug")
    maker = a.maker
    reads = [
        lambda: list(desk.cached().filter(pk=a.pk)), lambda: list(desk.cached().filter(pk__in=[a.pk])),
        lambda: list(desk.cached().filter(slug="a").values("name")), lambda: desk.cached().filter(maker=maker).count(),
        lambda: desk.cached().filter(pk=a.pk).exists(), lambda: desk.cached().filter(slug="a", stock__gt=0).first(),
    ]  # fmt: skip
    for read in reads:
        desk.warm(read)
    desk.plain().filter(pk=b.pk).update(stock=9)
    for number, read in enumerate(reads):
        assert desk.asked(read)[1] == 0, number
    desk.plain().filter(pk=a.pk).update(stock=9)
    for number, read in enumerate(reads):
        assert desk.asked(read)[1] == 1, number


def test_the_same_table_twice_depends_on_all_of_it(full: Any) -> None:
    desk: Desk = full()
    a, b = desk.plain().filter(slug__in="ab").order_by("slug")
    comma: Any = RawSQL(f"(SELECT MAX(y.stock) FROM reading_tests_tag x, {TABLE} y)", ())
    reads: dict[str, Callable[[], Any]] = {
        "self join": lambda: list(desk.cached().filter(pk=a.pk).values_list("maker__things__name")),
        "subquery": lambda: list(desk.cached().filter(pk=a.pk, stock__lt=Subquery(Thing.objects.order_by("-stock").values("stock")[:1]))),
        "raw": lambda: list(desk.cached().filter(pk=a.pk).annotate(n=RawSQL(f"(SELECT MAX(stock) FROM {TABLE})", ()))),
        "comma join": lambda: list(desk.cached().filter(pk=a.pk).annotate(most=comma)),
    }
    for read in reads.values():
        read()
        desk.hit(read)
    desk.plain().filter(pk=b.pk).update(stock=99, name="other")
    for name, read in reads.items():
        assert desk.asked(read)[1] == 1, name


def test_a_subclass_of_exact_pins_nothing(full: Any) -> None:
    """It may compare in any way it likes: here, the rows whose pk is *greater*."""
    from django.db.models import BigAutoField
    from django.db.models.lookups import Exact

    class Beyond(Exact):
        lookup_name = "beyond"

        def get_rhs_op(self, connection: Any, rhs: str) -> str:
            return f"> {rhs}"

    desk: Desk = full()
    BigAutoField.register_lookup(Beyond)
    try:
        read: Read = lambda: list(desk.cached().filter(pk__beyond=1).values_list("stock", flat=True))  # noqa: E731
        desk.warm(read)
        desk.plain().filter(slug="c").update(stock=77)
        assert 77 in read()
    finally:
        BigAutoField._unregister_lookup(Beyond)


def test_a_multi_table_list_and_a_composite_list_are_cached(full: Any) -> None:
    desk: Desk = full()
    child = desk.plain(Special).create(slug="s", name="s", extra="e")
    read: Read = lambda: [seen(one) for one in desk.cached(Special).filter(stock=0)]  # noqa: E731
    assert desk.warm(read) == [seen(child.__class__.objects.using(desk.alias).get())]
    desk.plain().filter(pk=child.pk).update(name="p")
    assert desk.missed(read) == [seen(desk.plain(Special).get())]
    desk.plain(Spot).create(row="A", number=1)
    spots: Read = lambda: list(desk.cached(Spot).order_by("pk").values_list("pk", flat=True))  # noqa: E731
    assert desk.warm(spots) == [("A", 1)]
    desk.plain(Spot).create(row="A", number=2)
    assert desk.missed(spots) == [("A", 1), ("A", 2)]
