"""``explain`` says what would happen to a read now, without changing anything."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Count

from cache_consistency import explain, no_cache, stores
from cache_consistency.exceptions import InvalidationError
from cache_consistency.invalidation.service import renew
from cache_consistency.capture.tagging import table_tags
from tests.reading.desk import Desk, counted
from tests.reading.models import Spot, Stranger, Thing

TABLE = "reading_tests_thing"


def test_an_instance_or_a_label_is_a_miss_until_it_was_read_and_then_a_hit(desk: Desk) -> None:
    thing = desk.thing("a")
    for target in (thing, f"reading_tests.Thing:{thing.pk}"):
        found = explain(target, using=desk.alias)
        assert (found.outcome, found.subject) == ("miss", f"reading_tests.Thing:{thing.pk}")
        assert "never filled" in found.reason
    desk.cached().get(pk=thing.pk)
    found = explain(thing)
    assert (found.outcome, found.ttl) == ("hit", 3600.0)
    assert [how for _, how in found.tags].count("clean") == len(found.tags)
    text = str(found)
    assert "hit" in text
    assert found.key in text
    assert counted("hit") == 0


def test_a_queryset_is_explained_in_each_form(desk: Desk) -> None:
    desk.thing("a")
    for queryset in (desk.cached().filter(stock=0), desk.cached().values("slug"), desk.cached().annotate(n=Count("tags"))):
        assert explain(queryset).outcome == "miss"
        list(queryset.all())
        assert explain(queryset).outcome == "hit"
    assert explain(desk.plain().filter(stock=0)).outcome == "hit", "any queryset may be asked about"


def test_what_was_written_since_and_what_is_pending_is_told_apart(desk: Desk) -> None:
    thing = desk.thing("a")
    desk.cached().get(pk=thing.pk)
    thing.save()
    assert "written since" in explain(thing).reason
    desk.cached().get(pk=thing.pk)
    tag = table_tags(desk.connection, TABLE).row(str(thing.pk))
    desk.store.mark([tag], "token", ttl=100)
    found = explain(thing)
    assert (found.outcome, dict(found.tags)[tag]) == ("miss", "pending")
    renew([tag], reason="request", using=desk.alias)
    desk.store.resolve([tag], "token")
    desk.cached().get(pk=thing.pk)
    desk.store.new_epoch()
    assert "epoch" in explain(thing).reason


def test_what_is_not_cached_is_said_with_its_reason(make_desk: Any) -> None:
    desk: Desk = make_desk()
    thing = desk.thing("a")
    stranger = desk.plain(Stranger).create(thing=thing, text="x")
    assert "no cache_policy" in explain(stranger).reason
    assert "no cache_policy" in explain(desk.plain(Stranger).all()).reason
    assert "queryset" in explain(desk.plain(Spot).create(row="A", number=1)).reason
    assert explain(desk.cached().none()).outcome == "uncached"
    assert explain(desk.cached().filter(pk__in=[])).outcome == "uncached"
    with no_cache():
        assert "no_cache" in explain(thing).reason
    with stores.override(None):
        assert "no store" in explain(thing).reason
    with desk.atomic():
        thing.save()
        assert "transaction" in explain(thing).reason
    off: Desk = make_desk(READS="off")
    assert "READS" in explain(off.plain().get()).reason


@pytest.mark.parametrize("target", ["reading_tests.Thing", "reading_tests.Nothing:1", "no label", "reading_tests.Thing:x", 7, None, Thing])
def test_what_names_no_row_is_refused(desk: Desk, target: Any) -> None:
    with pytest.raises(InvalidationError):
        explain(target, using=desk.alias)


def test_a_store_that_does_not_answer_is_said(make_desk: Any) -> None:
    from tests.reading.test_failures import Faulty

    desk: Desk = make_desk(store="memory")
    thing = desk.thing("a")
    store = Faulty(desk.store.keyspace)
    store.broken = frozenset({"get"})
    with stores.override(store):
        assert "does not answer" in explain(thing).reason


def test_quarantine_is_told_in_seconds(make_desk: Any) -> None:
    desk: Desk = make_desk(store="redis", QUARANTINE=500)
    found = explain(desk.thing("a"))
    assert 400 < found.quarantine_left <= 500
    assert "quarantine" in str(found)
