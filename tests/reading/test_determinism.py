"""What is not cached, and why: an answer that may differ each time, or depends on writes that nobody sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Count, DateTimeField, F, FloatField, Func, IntegerField, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now, Pi, Random

from cache_consistency import explain
from tests.reading.desk import Desk, Read, counted
from tests.reading.models import Thing

Form = Callable[[Any], Any]
NOT_CACHED: dict[str, tuple[Form, str]] = {
    "order_by('?')": (lambda m: m.order_by("?"), "RAND"),
    "Now()": (lambda m: m.annotate(now=Now()), ""),
    "filter Now()": (lambda m: m.filter(made__lt=Now()), ""),
    "Random()": (lambda m: m.annotate(r=Random()), "RAND"),
    "unknown function": (lambda m: m.annotate(x=Func(F("stock"), function="my_own", output_field=IntegerField())), "my_own"),
    "quoted function": (lambda m: m.annotate(x=RawSQL('"my_own"(stock)', ())), "my_own"),
    "function of a schema": (lambda m: m.annotate(x=RawSQL("my_own.lower(slug)", ())), "lower"),
    "current timestamp": (lambda m: m.annotate(x=RawSQL("CURRENT_TIMESTAMP", ())), "CURRENT_TIMESTAMP"),
    "a moment in a text": (lambda m: m.extra(where=["made < 'now'"]), "moment"),
    "unknown table": (lambda m: m.annotate(x=RawSQL("(SELECT 1 FROM no_model_has_it)", ())), "no_model_has_it"),
    "unknown table after a comma": (lambda m: m.extra(tables=["no_model_has_it"]), "no_model_has_it"),
    "unknown table in a join": (lambda m: m.annotate(x=RawSQL("(SELECT 1 FROM reading_tests_tag t JOIN odd o ON o.i = t.id)", ())), "odd"),
    "untracked model joined": (lambda m: m.filter(strangers__text="x"), "reading_tests_stranger"),
    "untracked model counted": (lambda m: m.annotate(n=Count("strangers")), "reading_tests_stranger"),
    "untracked model in raw SQL": (lambda m: m.extra(where=["id IN (SELECT thing_id FROM reading_tests_stranger)"]), "tests_stranger"),
}


@pytest.mark.parametrize("name", NOT_CACHED)
def test_an_answer_that_may_differ_is_never_stored_and_explain_says_why(make_desk: Any, name: str) -> None:
    form, reason = NOT_CACHED[name]
    desk: Desk = make_desk(store="memory")
    desk.thing("a")
    explained = explain(form(desk.cached()))
    assert explained.outcome == "uncached"
    assert reason.lower() in explained.reason.lower()
    assert len(explained.reason) > 10
    runs = "my_own" not in name and "function" not in name and "unknown" not in name
    if runs:
        for _ in range(2):
            assert desk.missed(lambda: list(form(desk.cached()))) == list(form(desk.plain()))
            desk.missed(lambda: form(desk.cached()).count())
        assert counted("bypass", "uncacheable") == 4
    assert counted("store", "stored") == 0


CACHED: dict[str, Form] = {
    "a known function": lambda m: m.annotate(pi=Pi()),
    "raw SQL of known tables": lambda m: m.annotate(x=RawSQL("(SELECT MAX(id) FROM reading_tests_maker)", ())),
    "a CTE in raw SQL": lambda m: m.annotate(x=RawSQL("(WITH b AS (SELECT MAX(id) AS i FROM reading_tests_maker) SELECT i FROM b)", ())),
    "a value": lambda m: m.annotate(x=Value(3), y=Value(1.5, output_field=FloatField()), z=Value(None, output_field=DateTimeField())),
    "the word now as a value": lambda m: m.filter(name="now"),
    "an extract": lambda m: m.filter(made__hour__gte=0, made__week_day__gte=1),
    "a trim": lambda m: m.extra(where=["TRIM(both from slug) = 'a'"]) if m.db != "default" else m.extra(where=["TRIM(slug) = 'a'"]),
}


@pytest.mark.parametrize("name", CACHED)
def test_what_is_deterministic_is_cached(make_desk: Any, name: str) -> None:
    desk: Desk = make_desk(store="memory")
    desk.thing("a", name="now")
    form = CACHED[name]
    desk.warm(lambda: list(form(desk.cached())))
    desk.plain().update(big="changed")
    assert [one.big for one in form(desk.cached())] == [one.big for one in form(desk.plain())]


def test_raw_sql_depends_on_the_tables_it_names(make_desk: Any) -> None:
    desk: Desk = make_desk(store="memory")
    pk, other = desk.thing("a").pk, desk.thing("b")
    read: Read = lambda: desk.cached().filter(pk=pk).annotate(x=RawSQL("(SELECT COUNT(*) FROM reading_tests_maker)", ()))[0].x  # noqa: E731
    assert desk.warm(read) == 0
    other.save()
    assert desk.hit(read) == 0
    desk.maker()
    assert desk.missed(read) == 1


def test_raw_querysets_are_not_cached(make_desk: Any) -> None:
    desk: Desk = make_desk(store="memory")
    desk.thing("a")
    desk.never_cached(lambda: list(desk.cached().raw("SELECT * FROM reading_tests_thing")))


def test_a_view_is_a_table_that_no_model_describes(make_desk: Any) -> None:
    desk: Desk = make_desk(store="memory")
    desk.thing("a")
    with desk.connection.cursor() as cursor:
        cursor.execute("CREATE VIEW reading_view AS SELECT * FROM reading_tests_thing")
    try:
        queryset = desk.cached().extra(where=["id IN (SELECT id FROM reading_view)"])
        assert "reading_view" in explain(queryset).reason
        assert [thing.slug for thing in queryset] == ["a"]
    finally:
        with desk.connection.cursor() as cursor:
            cursor.execute("DROP VIEW reading_view")


def test_a_collation_that_folds_case_is_not_named_by_value(make_desk: Any) -> None:
    """Equality is the database's own there: entries depend on the whole table."""
    from django.db.models import CharField

    from cache_consistency.capture.equality import is_exact

    desk: Desk = make_desk(store="memory")
    field = CharField(max_length=9, db_collation="NOCASE" if desk.alias == "default" else "und-x-icu-ci")
    field.set_attributes_from_name("x")
    assert not is_exact(desk.connection, field)
    assert is_exact(desk.connection, Thing._meta.get_field("slug"))
